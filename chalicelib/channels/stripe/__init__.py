"""Stripe: payments of an own shop, authorised at checkout, captured when goods ship, settled by payouts."""
