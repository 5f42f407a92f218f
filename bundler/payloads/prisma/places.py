"""Where in an archive the parts of database support stand. Only archives that support a database have them."""

from __future__ import annotations

DATABASE_ENV = "metadata/database.env"
PRISMA = "packages/prisma"
PRISMA_CLI = f"{PRISMA}/cli"
PRISMA_ENGINES = f"{PRISMA}/engines"
