"""Where things stand in an all-in-one package, below its top folder, as the consumers look for them."""

from __future__ import annotations

MANIFEST = "metadata/manifest.json"
TARGET_ENV = "metadata/target.env"
FILE_LIST = "metadata/files.sha256"
LOCK = "metadata/offline.lock.toml"
README = "README.md"
REQUIRED = "metadata/required.json"
COMPONENTS = "packages/components"
RECORDS = "metadata/components"
MIRROR = "packages/mirror"
REPOSITORIES = "repos"

# What every package has, whatever else is in it.
MEMBERS = (MANIFEST, TARGET_ENV, FILE_LIST, LOCK, REQUIRED, README)
