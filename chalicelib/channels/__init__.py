"""SPEAK: one room per marketplace; its wire format and nothing of our stages."""
