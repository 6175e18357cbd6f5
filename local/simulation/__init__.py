"""Seeded faults around the real handlers: crashes, lost answers, throttles, doubled and shuffled messages, rivals."""
