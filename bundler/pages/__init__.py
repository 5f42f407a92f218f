"""Pages for people who would rather look: one HTML document each, which holds all that it shows and asks no network."""
