"""Each command as a short, readable sequence of steps; this floor wires the adapters."""
