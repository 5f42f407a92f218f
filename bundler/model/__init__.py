"""Pure nouns: frozen values, text <-> value, no input or output."""
