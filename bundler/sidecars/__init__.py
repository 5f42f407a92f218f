"""What stands beside an archive, or over a whole release: a module a format; `table` lists them and makes them."""
