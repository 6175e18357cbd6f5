"""Headrace: one lifecycle for every order of a multi-channel seller."""
