"""The systems that bundles are for."""
