"""HEAR: webhooks, notifications, hints and polls, and the API."""
