"""The repositories of a package, as git sees them on a host without network; and where addresses lead it."""

from __future__ import annotations

from bundler.kinds.offline.places import REPOSITORIES
from bundler.kinds.offline.rehearsing.host import Host, lacking
from bundler.kinds.steps import SkippedError, StepError
from bundler.model.program_log import last_line


def checkouts(host: Host) -> str:
    """Each checkout below repos/ is as its commit, and tells it."""
    found = host.found(f"{host.root}/{REPOSITORIES}", "-mindepth", "2", "-maxdepth", "2", "-name", ".git")
    if not found:
        raise SkippedError(f"no folder of {REPOSITORIES}/ has a .git")
    told = []
    for path in found:
        folder = path.removesuffix("/.git")
        name = folder.rpartition("/")[2]
        commit = _git(host, name, folder, "log", "-1", "--format=%H").strip()
        if changed := _git(host, name, folder, "status", "--porcelain").splitlines():
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise StepError(f"{REPOSITORIES}/{name} is not as its commit: {changed[0]}{more}", "\n".join(changed))
        written = host.machine.read(f"{host.root}/metadata/{name}.commit")
        if written is not None and written.strip() != commit:
            raise StepError(f"metadata/{name}.commit says {written.strip()}, the checkout is {commit}")
        told.append(f"{name} {commit[:12]}")
    return ", ".join(told)


def redirects(host: Host) -> str:
    """Each address that git is led away from is answered by the checkout, and can be cloned."""
    if not host.facts.redirects:
        raise SkippedError("no address is led elsewhere (`redirects:`)")
    for number, (address, name) in enumerate(sorted(host.facts.redirects.items())):
        folder = f"{host.root}/{REPOSITORIES}/{name}"
        if not host.has(f"{REPOSITORIES}/{name}"):
            raise lacking("the package", [f"{REPOSITORIES}/{name}, where {address} leads"], "")
        commit = _git(host, name, folder, "rev-parse", "HEAD").strip()
        done = host.attempt("git", "ls-remote", address, "HEAD", patience=60)
        if done.code or not done.output.startswith(commit):
            raise StepError(
                f"{address} does not lead git to {REPOSITORIES}/{name}: {last_line(done.output)}", done.output
            )
        host.run("git", "clone", "--quiet", address, f"/tmp/clone-{number}")  # noqa: S108 - the machine's own
    return ", ".join(f"{address} is {name}" for address, name in sorted(host.facts.redirects.items()))


def _git(host: Host, name: str, folder: str, *words: str) -> str:
    done = host.attempt("git", "-C", folder, *words)
    if done.code:
        raise StepError(f"git {words[0]} fails in {REPOSITORIES}/{name}: {last_line(done.output)}", done.output)
    return done.output
