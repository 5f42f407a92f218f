"""Offline release bundles for the AI Workspace: locked, proven, deterministic, verifiable."""

__version__ = "0.1.0"
