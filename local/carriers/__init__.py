"""Stand-ins for the services that speak for carriers: they rate, sell and take back labels and move parcels on.

No socket and no clock of their own: `handle` answers a request, `tick(now)` moves the parcels and tells of it.
"""
