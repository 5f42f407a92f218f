"""Each command as one short, readable sequence."""
