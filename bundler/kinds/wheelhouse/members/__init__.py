"""What stands inside a wheelhouse's archive beside its payloads: one format a file."""
