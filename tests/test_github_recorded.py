"""Our client understands what GitHub itself answered, as npm's @octokit/fixtures-server replays it.

The recordings demand the recorder's own headers and queries. So the requests of each recording are put into our
client's words before they are loaded, and those that it never makes are left out; the answers, and their order, stay
as recorded.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from bundler.adapters.github import GitHub
from bundler.adapters.github_answer import RefusedError
from bundler.adapters.http import Http
from tests.server import wait_until

pytestmark = pytest.mark.slow

PACKAGE = "@octokit/fixtures-server@8.1.7"
TOKEN = "0" * 39 + "1"
CONTENT = b"Hello, world!\n"
# Unlike the package's own program, this listens on loopback only.
PROGRAM = """
import express from "express";
import fixtures from "@octokit/fixtures-server";
import { readFileSync } from "node:fs";
const [port, file] = process.argv.slice(2);
const app = express();
app.use(fixtures({ port, fixturesUrl: `http://127.0.0.1:${port}`, logLevel: "silent",
                   fixtures: JSON.parse(readFileSync(file)) }));
app.listen(port, "127.0.0.1");
"""
Recording = list[dict[str, Any]]


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], GitHub]]:
    """Start the replay; give a client for a recording, which then expects its first request."""
    for program in ("npm", "node"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    folder = tmp_path_factory.mktemp("recorded")
    install = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip()[-200:]}")
    (folder / "program.mjs").write_text(PROGRAM)
    recordings = folder / "node_modules" / "@octokit" / "fixtures" / "scenarios" / "api.github.com"
    names = ("release-assets", "release-assets-conflict")
    spoken = {
        name: _in_our_words(json.loads((recordings / name / "normalized-fixture.json").read_text())) for name in names
    }
    (folder / "spoken.json").write_text(json.dumps(spoken))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = ["node", "program.mjs", str(port), str(folder / "spoken.json")]
    process = subprocess.Popen(line, cwd=folder)
    http = Http()
    try:
        wait_until(lambda: _answers(port) or process.poll() is not None, 30)
        assert process.poll() is None

        def client(name: str) -> GitHub:
            loaded = httpx.post(f"http://127.0.0.1:{port}/fixtures", json={"scenario": name}, trust_env=False)
            assert loaded.status_code == 201, loaded.text
            return GitHub(http, loaded.json()["url"], f"octokit-fixture-org/{name}", TOKEN, print)

        yield client
    finally:
        http.close()
        process.kill()
        process.wait()


def test_a_release_is_filled_and_emptied(replaying: Callable[[str], GitHub]) -> None:
    github = replaying("release-assets")
    release = github.published("v1.0.0")
    assert release
    assert (release.tag_name, release.draft) == ("v1.0.0", False)
    asset = github.upload(release, "test-upload.txt", len(CONTENT), iter([CONTENT]))
    assert (asset.name, asset.size, asset.complete, asset.sha256) == ("test-upload.txt", len(CONTENT), True, None)
    assert github.assets(release) == (asset,)
    github.delete_asset(asset)


def test_a_name_that_is_taken_is_refused_until_it_is_free(replaying: Callable[[str], GitHub]) -> None:
    github = replaying("release-assets-conflict")
    release = github.published("v1.0.0")
    assert release
    with pytest.raises(RefusedError) as refused:
        github.upload(release, "test-upload.txt", len(CONTENT), iter([CONTENT]))
    assert refused.value.codes == ("already_exists",)
    (there,) = github.assets(release)
    github.delete_asset(there)
    assert github.upload(release, "test-upload.txt", len(CONTENT), iter([CONTENT])).id != there.id


def _in_our_words(recording: Recording) -> Recording:
    spoken = []
    for exchange in recording:
        path, of_one_asset = exchange["path"], "/releases/assets/" in exchange["path"]
        if of_one_asset and exchange["method"] != "delete":
            continue  # our client neither looks at a single asset nor renames one
        if path.endswith("/assets"):
            path += "?per_page=100&page=1"
        headers = {"authorization": f"Bearer {TOKEN}", "accept": "application/vnd.github+json"}
        spoken.append(exchange | {"path": path.replace("&label=test", ""), "reqheaders": headers})
    return spoken


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
    except httpx.TransportError:
        return False
    return True
