"""Package URLs (ECMA-427): what a package of any ecosystem is called by SBOMs, advisories and scanners."""

from __future__ import annotations

from functools import lru_cache

from packaging.utils import canonicalize_name


@lru_cache(maxsize=8192)
def package_url(kind: str, name: str, version: str, namespace: str = "", qualifiers: tuple[str, ...] = ()) -> str:
    """The package URL of a package; `qualifiers` are `key=value`, and left out where there is no value."""
    from packageurl import PackageURL  # loaded when something is named

    pairs = {key: value for key, _, value in (one.partition("=") for one in qualifiers) if value}
    return PackageURL(kind, namespace or None, name, version or None, pairs).to_string()


def wheel_url(project: str, version: str) -> str:
    """The package URL of a wheel's project and version."""
    return package_url("pypi", canonicalize_name(project), version)


def npm_url(name: str, version: str) -> str:
    """The package URL of an npm package, which may be of a scope."""
    scope, _, own = name.rpartition("/")
    return package_url("npm", own, version, scope)


def repository_url(address: str, commit: str) -> str:
    """The package URL of a git repository, by its https address, at a commit."""
    host, _, path = address.partition("://")[2].partition("/")
    owner, _, name = path.removesuffix(".git").partition("/")
    if host == "github.com" and name and "/" not in name:
        return package_url("github", name, commit, owner)
    whole = f"vcs_url=git+{address}@{commit}"
    return package_url("generic", path.removesuffix(".git").rpartition("/")[2], commit, "", (whole,))
