"""Replay of real orders: the Online Retail file format through the real stages."""
