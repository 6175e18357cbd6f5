"""The whole application in one Python process: in-memory ports for replay, simulation and tests."""
