"""TELL: the relay of committed changes, the channel sync workers and the sweep."""
