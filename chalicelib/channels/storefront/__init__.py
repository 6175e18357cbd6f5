"""Any own storefront that sends us its orders as JSON."""
