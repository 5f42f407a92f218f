"""The kinds of components that a manifest may describe."""
