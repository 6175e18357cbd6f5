"""Shopify: webhook bodies, and the GraphQL Admin API 2026-10."""
