"""What the consumers do to a host: an installer and a role of the same shape, and what happens in the machine."""
