"""`aiws-bundle assemble`."""

from __future__ import annotations

from bundler.cli.build import making

command = making(
    "assemble",
    "the only all-in-one package",
    "Assemble all-in-one offline packages from the committed locks.\n\n"
    "A SELECTOR is debian-12-amd64, debian-12, debian, linux-amd64, arm64 or all.",
)
