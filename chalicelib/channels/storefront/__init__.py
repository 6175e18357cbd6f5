"""Any own storefront that sends us its orders as JSON, and any own shop that also serves our open API."""
