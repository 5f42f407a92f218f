"""Parts of an archive."""
