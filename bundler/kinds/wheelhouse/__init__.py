"""A folder of wheels and, where needed, a portable Python, packed into one archive a target."""
