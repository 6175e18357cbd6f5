"""Meta: purchases told to the Conversions API. Facebook and Instagram take no orders themselves any more."""
