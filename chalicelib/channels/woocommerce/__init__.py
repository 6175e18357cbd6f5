"""WooCommerce: an own shop on WordPress, spoken to over REST v3."""
