"""Amazon Selling Partner API: orders 2026-01-01, listings 2021-08-01, feeds and reports 2021-06-30, finances
2024-06-19, notifications, and shipment confirmation v0."""
