"""Where in the wheel that is made the parts of database support stand."""

from __future__ import annotations

# The package of Prisma Client Python, and what aiws-bundle puts below it.
PACKAGE = "prisma"
OFFLINE = f"{PACKAGE}/_offline"
CLI_FOLDER = f"{OFFLINE}/cli"
ENGINES_FOLDER = f"{OFFLINE}/engines"
