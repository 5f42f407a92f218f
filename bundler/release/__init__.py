"""A GitHub release as a transaction."""
