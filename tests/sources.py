"""Source archives of tiny packages, with a build backend of their own, that behave and misbehave."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
import textwrap
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.world import TARGETS, WHEELHOUSE, World, make_wheel

COMMIT = "3ad385a8a46988b6a81fe6c0bc22ef58685baa58"
ADDRESS = f"https://source.example/litellm/archive/{COMMIT}.zip"

# A backend (PEP 517) as careless as backends are: the time of day, the order of the folder, a mode of its own.
BACKEND = """\
import base64, hashlib, json, os, time, zipfile


def get_requires_for_build_wheel(config_settings=None):
    return json.load(open("facts.json"))["dynamic"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    facts = json.load(open("facts.json"))
    exec(facts["does"])
    name, version = facts["name"], facts["version"]
    info = f"{name}-{version}.dist-info"
    lines = [f"Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Provides-Extra: proxy"]
    lines += [f"Requires-Dist: {text}" for text in facts["requires"]]
    files = {f"{info}/METADATA": "\\n".join(lines) + "\\n"}
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: {facts['tag']}\\n"
    for module in os.listdir("modules"):
        files[module] = open(f"modules/{module}").read()
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\\n"
    filename = f"{name}-{version}-{facts['tag']}.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, filename), "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, time.localtime()[:6]), text)
    return filename
"""


def source_files(
    *,
    name: str = "litellm",
    version: str = "1.0",
    requires: Sequence[str] = ("orjson>=3; extra == 'proxy'", "aiohttp", "prisma"),
    tag: str = "py3-none-any",
    does: str = "",
    declared: Sequence[str] = ("maker>=1",),
    dynamic: Sequence[str] = (),
) -> dict[str, str]:
    """The files of a source; its build runs the code `does`."""
    facts = {"name": name, "version": version, "requires": requires, "tag": tag, "dynamic": dynamic}
    facts["does"] = textwrap.dedent(does)
    build = {"requires": list(declared), "build-backend": "backend", "backend-path": ["."]}
    lines = [f"{key} = {json.dumps(value)}" for key, value in build.items()]
    return {
        "pyproject.toml": "\n".join(["[build-system]", *lines, ""]),
        "backend.py": BACKEND,
        "facts.json": json.dumps(facts),
        "modules/litellm.py": "VALUE = 'from the fork'\n",
        "modules/another.py": "",
    }


def zip_of(files: Mapping[str, str], top: str = f"litellm-{COMMIT}") -> bytes:
    """A `.zip` as GitHub makes one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(f"{top}/", (2026, 1, 2, 3, 4, 6)), "")
        for path, text in files.items():
            info = zipfile.ZipInfo(f"{top}/{path}", (2026, 1, 2, 3, 4, 6))
            info.external_attr = (stat.S_IFREG | 0o664) << 16
            archive.writestr(info, text)
    return out.getvalue()


def tar_of(files: Mapping[str, str], top: str = "litellm-1.0") -> bytes:
    """A `.tar.gz`, as an sdist is one."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{top}/{path}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Fork:
    """A world whose litellm is built from a source archive."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder = world.root / "source"
        self.folder.mkdir()
        make_wheel(world.index.folder, "maker", "1.0", ["part"])
        make_wheel(world.index.folder, "part", "2.0")
        world.write("targets.yaml", TARGETS.replace("[amd64, arm64]", "[amd64]"))

    def serve(self, archive: bytes, *, sha256: str = "", more: str = "") -> None:
        """Put an archive at its address, and let the manifest pin it."""
        (self.folder / f"{COMMIT}.zip").write_bytes(archive)
        digest = sha256 or hashlib.sha256(archive).hexdigest()
        pin = f"source:\n  address: {ADDRESS}\n  commit: {COMMIT}\n  sha256: {digest}\n"
        self.world.write("litellm.yaml", WHEELHOUSE + pin + more)

    def env(self) -> dict[str, str]:
        """What leads to the archive."""
        return {"AIWS_MIRRORS": f"{ADDRESS.rpartition('/')[0]}/=file://{self.folder}/"}

    @property
    def build_lock(self) -> Path:
        """The build lock."""
        return self.world.root / "manifests" / "locks" / "pylock.build-litellm.toml"
