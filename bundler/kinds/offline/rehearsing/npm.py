"""The npm packages of a package: its cache where the installer puts it, and each installed from it alone."""

from __future__ import annotations

import re

from bundler.kinds.offline.rehearsing import debs
from bundler.kinds.offline.rehearsing.host import Host, lacking, succeeded
from bundler.kinds.steps import SkippedError

CACHE = "packages/npm-cache"
_SHARED, _SETTINGS = "/var/cache/ai-workspace/npm", "/etc/npmrc"
# What npm says of what its cache has not: make-fetch-happen's error, with the address.
_MISSING = re.compile(r"ENOTCACHED.*?request to \S+?//[^/\s]+/(\S+) failed")


def missing(output: str) -> list[str]:
    """What npm's output says is not in its cache, by its path on the registry."""
    return [one.replace("%2f", "/") for one in dict.fromkeys(_MISSING.findall(output.replace("\n", " ")))]


def configure(host: Host) -> str:
    """Copy the cache to where it is shared, and tell npm of it, with npm from the package where the host has none."""
    if not host.has(f"{CACHE}/_cacache"):
        raise SkippedError(f"the package has no {CACHE}/_cacache")
    host.bash('mkdir -p "$2"; cp -a "$1/." "$2/"', f"{host.root}/{CACHE}", _SHARED)
    host.machine.write(_SETTINGS, f"cache={_SHARED}\nprefer-offline=true\n")
    for name in ("nodejs", "npm"):  # some builds of the first bring npm
        if not host.knows("npm") and debs.visible(host, name):
            debs.install(host, name)
    if not host.knows("npm"):
        raise SkippedError(f"no npm is on the host, and neither nodejs with npm nor npm is in {debs.PACKAGES}")
    host.run("npm", "config", "set", "--global", "cache", _SHARED)
    host.run("npm", "config", "set", "--global", "prefer-offline", "true")
    version = host.run("npm", "--version").strip()
    return f"npm {version}, Node.js {host.run('node', '--version').strip()}"


def install(host: Host, name: str, version: str) -> str:
    """Install a package for everybody, from the cache alone."""
    if not host.knows("npm"):
        raise SkippedError("there is no npm")
    words = ("npm", "install", "--global", "--offline", "--no-audit", "--no-fund", f"{name}@{version}")
    done = host.attempt(*words)
    if done.code and (gone := missing(done.output)):
        raise lacking(CACHE, gone, done.output)
    succeeded(" ".join(words), done)
    host.run("npm", "ls", "--global", "--depth=0", f"{name}@{version}")
    return f"{name}@{version}"
