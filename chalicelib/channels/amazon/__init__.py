"""Amazon Selling Partner API: orders 2026-01-01, listings 2021-08-01, shipment confirmation v0."""
