"""Shippo: rates, labels and tracking of many carriers."""
