"""Database support through Prisma: its CLI from npm, its engines, and what lets a host use them."""
