"""Every shell block of the documents is run, as it stands there, or stands in a short list that says why not.

The lines of a page are typed one after the other in a world of its own: a checkout with locks and a filled dist/, its
index, and a server that behaves as GitHub does. Only what a reader has to fill in (OWNER/REPO, a tag, ARCHIVE …) is.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.releasing import REPO
from tests.cli.signing import MAKER, Signing, text_of
from tests.documents import ROOT, WRITTEN, Block, blocks
from tests.documents import text_of as page_text
from tests.github import GitHub
from tests.world import Ran

# How a block begins -> why no test runs it as it stands, and what runs the same thing.
NOT_RUN: Mapping[str, tuple[str, str]] = {
    "README.md: python3 -m venv .venv && .venv/bin/pip install -q . &&": (
        "takes the real index", "tests/acceptance/test_real_bundle.py"),
    "README.md: python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' &&": ("runs this", ".ci/run"),
    "docs/delta.md: aiws-bundle apply OLD OWNER/REPO@TAG": (
        "takes several releases", "tests/cli/test_publish_deltas.py"),
    "README.md: tar -xzf": ("takes a host of the distribution", "tests/acceptance/test_install_sh.py"),
    "README.md: aiws-bundle init NAME": ("lists the commands", "tests/test_readme.py"),
    "CONTRIBUTING.md: python3 -m venv": ("runs this", "tests/test_noxfile.py"),
    "CONTRIBUTING.md: pip-compile": ("moves on what is pinned, for people to look at", "tests/test_github_forms.py"),
    "docs/index.md: python3 -m venv": ("takes the real index", "tests/acceptance/test_real_bundle.py"),
    "docs/index.md: sha256sum": ("takes a host of the distribution", "tests/acceptance/test_install_sh.py"),
    "docs/installing.md: tar -xzf litellm-runtime-debian": (
        "takes a host of the distribution", "tests/acceptance/test_install_sh.py"),
    "docs/installing.md: tar -xzf litellm-runtime-darwin": (
        "takes a Mac", "tests/kinds/wheelhouse/members/test_install_sh_macos.py"),
    "docs/targets.md: aiws-bundle build macos-11-arm64": (
        "takes a target that its world has not", "tests/cli/test_macos.py"),
    "docs/targets.md: tar -xzf litellm-runtime-darwin": ("takes a Mac", "tests/cli/test_macos.py"),
    "docs/installing.md: export PIP_FIND_LINKS=": ("takes the real bundle", "tests/acceptance/test_real_bundle.py"),
    "docs/verifying.md: sh litellm-runtime/install.sh": (
        "takes a host of the distribution", "tests/kinds/wheelhouse/members/test_install_sh.py"),
    "docs/rehearsal.md: mmdebstrap": ("takes Debian's archive, minutes and root", "tests/acceptance/test_role.py"),
    "docs/database.md: PATH=": ("takes LiteLLM's own wheels, and npm", "tests/acceptance/test_database.py"),
    "docs/offline-package.md: aiws-bundle lock": (
        "takes apt, npm and their archives", "tests/acceptance/test_package.py"),
    "docs/offline-package.md: aiws-bundle rehearse": ("takes a root that boots", "tests/acceptance/test_package.py"),
    "docs/components.md: aiws-bundle lock": (
        "takes releases of three other repositories", "tests/cli/test_components.py"),
    "docs/releasing.md: gh attestation": ("takes GitHub", "tests/test_workflows.py"),
    "docs/workflows.md: gh attestation": ("takes GitHub", "tests/test_workflows.py"),
    "docs/pictures.md: aiws-bundle inspect ARCHIVE": ("names no archives of its own", "tests/cli/test_html.py"),
    "docs/your-application.md: aiws-bundle init httpie": ("takes the real index", "tests/acceptance/test_init.py"),
    "docs/your-application.md: sh httpie": ("takes a host of the distribution", "tests/acceptance/test_init.py"),
    "docs/your-application.md: aiws-bundle init jupyterlab": ("takes the real index", "tests/acceptance/test_init.py"),
    "docs/your-application.md: aiws-bundle init requests": ("takes the real index", "tests/acceptance/test_init.py"),
    "docs/your-application.md: aiws-bundle init markdown": ("takes the real index", "tests/acceptance/test_init.py"),
    "docs/your-application.md: aiws-bundle outdated": ("takes the real index", "tests/cli/test_outdated.py"),
    "docs/provenance.md: gh attestation": ("takes GitHub", "tests/test_workflows.py"),
}  # fmt: skip


def has_a_test_of_its_own(block: Block) -> bool:
    """Whether a test that the page names above its first section takes its `sh` blocks, by the page's own name."""
    named = re.findall(r"`(tests/[\w/]+/test_\w+\.py)`", page_text(block.page).partition("\n## ")[0])
    told = (ROOT / name for name in named)
    return block.language.startswith("sh") and any(Path(block.page).name in path.read_text() for path in told)


SHELL = [block for page in WRITTEN for block in blocks(page) if block.is_shell]
REST = [block for block in SHELL if not has_a_test_of_its_own(block)]
RUN = [block for block in REST if not any(block.name.startswith(start) for start in NOT_RUN)]


def test_what_is_not_run_stands_there_and_is_tested_elsewhere() -> None:
    for start, (reason, test) in NOT_RUN.items():
        assert len([block for block in REST if block.name.startswith(start)]) == 1, start
        assert reason and (ROOT / test).is_file(), test
    assert len(RUN) > len(NOT_RUN)


OURS = "aiws-bundle"
ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"
STOCK = {"litellm": "1.0", "orjson": "3.1", "aiohttp": "3.0", "async-timeout": "5.0", "prisma": "0.15.0", "pip": "26.0"}


def furnish(signing: Signing) -> None:
    """Put into a world what documents speak of: other folders, a git history, advisories, a stick with keys."""
    root, world = signing.root, signing.releasing.world
    manifests = root / "manifests"
    for lock in manifests.glob("locks/*-arm64.toml"):  # dist/ has archives of amd64 alone
        lock.unlink()
    shutil.copytree(manifests, root / "other" / "manifests")
    for name in ("portable", "newer"):
        shutil.copytree(root / "other" / "manifests", manifests / name)
    shutil.copytree(world.dist, root / "old")
    for project, version in STOCK.items():
        told = {"info": {"name": project, "version": version}, "vulnerabilities": []}
        world.index.pages[f"/pypi/{project}/{version}/json"] = json.dumps(told).encode()
    (root / "osv.jsonl").write_text('{"id": "GHSA-1", "modified": "2026-01-01T00:00:00Z", "affected": []}\n')
    (root / "stick").mkdir()
    (root / "stick" / "minisign.pub").write_text(f"untrusted comment: by letter\n{MAKER.public.minisign}\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "manifests"), *[("commit", "-q", "--allow-empty", "-m", "a")] * 2):
        subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def filled(text: str, signing: Signing) -> str:
    """A block with what its reader fills in."""
    root, tag = str(signing.root), signing.tag
    words = {
        "OWNER/REPO": REPO,
        "git checkout COMMIT": "git checkout -q HEAD",
        "runtime-3ad385a8a469": tag,
        r"\.\./other/": f"{root}/other/",
        "/media/usb": root,
        "/media/stick/keys": f"{root}/stick",
        "debian-11": "debian-12",  # a world has these
        "ubuntu-26.04": "debian-13",
        r"\bARCHIVE\b": f"dist/{ARCHIVE}",
        r"\bDIR\b": "dist",
        r"\bTAG\b": tag,
        r"\bCOMMIT\b": signing.releasing.hub.head,
        r"\bFILE\b": "osv.jsonl",
        r"\bOLD\b": "old",
        r"\bNEW\b": "dist",
    }
    for word, value in words.items():
        text = re.sub(word, value, text)
    return text


def _release(signing: Signing, published: GitHub) -> None:
    """There is a signed release already, and a channel that follows it."""
    signing.releasing.hub.become(published)


def _downloaded(signing: Signing, published: GitHub) -> None:
    """The archives at hand are those of a signed release, with all that stands beside them."""
    _release(signing, published)
    shutil.rmtree(signing.releasing.world.dist)
    signing.download().rename(signing.releasing.world.dist)


def _nothing_released(signing: Signing, published: GitHub) -> None:
    """The commit is another one: there is no release of it."""
    signing.releasing.hub.kept.clear()
    signing.releasing.hub.tags.clear()


def _trust(signing: Signing, published: GitHub) -> None:
    """What `keygen` says is in trust.yaml."""
    line = f"  - {{name: second, key: {(signing.root / 'maker.pub').read_text().strip()}, role: release}}\n"
    with (signing.root / "manifests" / "trust.yaml").open("a") as file:
        file.write(line)


# How a block begins -> what its reader has, or has done. Pages without one are read where no key is named.
BEFORE = {
    "docs/audit.md: aiws-bundle audit   ": _release,
    "docs/audit.md: aiws-bundle audit --snapshot": _nothing_released,
    "docs/provenance.md: aiws-bundle inspect": _downloaded,
    "docs/publishing.md: aiws-bundle publish": _nothing_released,
    "docs/publishing.md: AIWS_SIGNING_KEY_FILE": _trust,
    "docs/releasing.md: aiws-bundle diff": _release,
    "docs/verifying.md: aiws-bundle verify": _downloaded,
}


def typed(line: str, signing: Signing, folder: Path, env: Mapping[str, str]) -> Ran:
    """What a line does: this program's own in this process, which is much quicker; whatever else, in a shell."""
    world = signing.releasing.world
    calls = [shlex.split(call, comments=True) for call in line.split(" && ")]
    settings = [[word.partition("=") for word in call[: call.index(OURS)]] for call in calls if OURS in call]
    if len(settings) == len(calls) and folder == world.root:
        for call, set_first in zip(calls, settings, strict=True):
            more = {name: value for name, _, value in set_first}
            done = world.run(*call[call.index(OURS) + 1 :], **{**env, **more})
            if done.code:
                break
        return done
    path = f"{Path(sys.executable).parent}:{world.env()['PATH']}"
    words = ["sh", "-euc", line]
    shell = subprocess.run(
        words, cwd=folder, env=world.env(**env, PATH=path), capture_output=True, text=True, check=False, timeout=120
    )
    return Ran(shell.returncode, shell.stdout, shell.stderr)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="takes git")
@pytest.mark.parametrize("page", sorted({block.page for block in RUN}))
def test_every_block_of_a_page_does_its_work(page: str, signing: Signing, first_signed: GitHub) -> None:
    if not any(start.startswith(page) for start in BEFORE):
        (signing.root / "manifests" / "trust.yaml").unlink()
    furnish(signing)
    for block in [block for block in RUN if block.page == page]:
        for start, prepare in BEFORE.items():
            if block.name.startswith(start):
                prepare(signing, first_signed)
        env = {**signing.releasing.env(), "AIWS_SIGNING_PASSWORD": "a password"}
        if "AIWS_SIGNING_KEY_FILE=" not in block.text:
            env["AIWS_SIGNING_KEY"] = text_of(MAKER)
        folder = signing.releasing.world.dist if page == "docs/verifying.md" else signing.root
        for line in block.lines():
            done = typed(filled(line, signing), signing, folder, env)
            assert done.code == 0, f"{line}\n{done.out}{done.err}"
