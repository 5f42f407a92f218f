"""The all-in-one package."""
