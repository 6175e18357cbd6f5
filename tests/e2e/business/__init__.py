"""What is driven through one running `make run`: its fixture is of this package."""
