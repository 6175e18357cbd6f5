"""Everything on one machine: the engine, the runner and the stand-in marketplaces. Never packaged."""
