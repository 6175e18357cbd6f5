"""Stand-ins for payment processors: they hold the money that buyers have authorised.

No socket and no clock of their own: `handle` answers a request, `tick(now)` pays out, lets lapse and tells of it.
"""
