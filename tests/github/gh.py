"""GitHub's own command line (`gh`), signed in at the server as at a GitHub Enterprise one."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.github.repository import GitHub
from tests.github.server import github


@dataclass(frozen=True)
class Gh:
    """`gh release`, run in `folder` for the server's repository; `certificate` is the authority that is trusted."""

    hub: GitHub
    folder: Path
    certificate: Path

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GH_CONFIG_DIR": str(self.folder / "gh"),
            "SSL_CERT_FILE": str(self.certificate),
            "GH_PROMPT_DISABLED": "1",
        }
        line = ["gh", "release", *words, "--repo", f"{self.hub.web.removeprefix('https://')}/{self.hub.repo}"]
        return subprocess.run(line, env=env, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def serving_gh(folder: Path, *, repo: str = "example/litellm") -> Iterator[Gh]:
    """An Enterprise server with a certificate, and `gh`; skips the test where that is not installed."""
    if not shutil.which("gh"):
        pytest.skip("gh is not installed")
    authority, certificate = trustme.CA(), folder / "ca.pem"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(certificate))
    with github(folder / "hub", repo=repo, enterprise=True, tls=tls) as hub:
        # A token in GH_ENTERPRISE_TOKEN goes to every host, also to that of the objects.
        settings = folder / "gh"
        settings.mkdir(mode=0o700)
        host = hub.web.removeprefix("https://")
        (settings / "hosts.yml").write_text(f'"{host}":\n    user: someone\n    oauth_token: {hub.token}\n')
        yield Gh(hub, folder, certificate)
