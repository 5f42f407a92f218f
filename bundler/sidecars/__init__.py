"""One format a file: its writer and its checker, pure bytes <-> values."""
