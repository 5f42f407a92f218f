"""What other repositories release as finished archives."""
