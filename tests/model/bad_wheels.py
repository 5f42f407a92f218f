"""Wheels that some installer refuses or installs in its own way: by name, the file and its content."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from tests.wheels import (
    DATA,
    INFO,
    METADATA,
    NAME,
    WHEEL,
    Files,
    Member,
    encoded,
    handmade,
    record_of,
    wheel,
    whole,
    zipped,
)

RECORD = f"{INFO}/RECORD"
_GOOD = whole({"some_app/__init__.py": "x = 1\n"})


def without(path: str) -> bytes:
    return zipped({name: content for name, content in _GOOD.items() if name != path})


def recorded(change: str, into: str) -> bytes:
    """The good wheel with its RECORD changed."""
    record = _GOOD[RECORD].decode()
    assert change in record
    return zipped({**_GOOD, RECORD: record.replace(change, into)})


def points(text: str | bytes, more: Files | None = None) -> bytes:
    return wheel({f"{INFO}/entry_points.txt": text, **(more or {})})


def called(line: str, into: str) -> bytes:
    return wheel({f"{INFO}/WHEEL": WHEEL.replace(line, into)})


def by_hand(**changed: object) -> bytes:
    """The good wheel, its first member changed in a detail."""
    members = [Member(path.encode(), content) for path, content in _GOOD.items()]
    for key, value in changed.items():
        setattr(members[0], key, value)
    return handmade(members)


def around(**more: bytes) -> bytes:
    return handmade([Member(path.encode(), content) for path, content in _GOOD.items()], **more)  # type: ignore[arg-type]


def _layout() -> Iterator[tuple[str, bytes]]:
    yield "no RECORD", without(RECORD)
    yield "no WHEEL", without(f"{INFO}/WHEEL")
    yield "no METADATA", without(f"{INFO}/METADATA")
    yield "no dist-info", zipped({"some_app/__init__.py": ""})
    yield "two dist-infos", wheel({"other-1.0.dist-info/METADATA": METADATA})
    yield "two dist-infos, one in capitals", wheel({"other-1.0.DIST-INFO/METADATA": METADATA})
    yield "an egg-info beside", wheel({"other.egg-info/PKG-INFO": METADATA})
    yield "a dist-info of another project", zipped(whole({}, "other-1.0.dist-info"))
    yield "a dist-info of another version", zipped(whole({}, "some_app-1.1.dist-info"))
    yield "a dist-info without version", zipped(whole({}, "some_app.dist-info"))
    yield "a dist-info with a word more", zipped(whole({}, "some_app-1.0-1.dist-info"))
    yield "a path out", wheel({"../escaped.py": ""})
    yield "an absolute path", wheel({"/escaped.py": ""})
    yield "a path out of data", wheel({f"{DATA}/purelib/../../escaped.py": ""})
    yield "data of an unknown kind", wheel({f"{DATA}/library/x.py": ""})
    yield "a folder of an unknown kind", zipped({**_GOOD, f"{DATA}/library/": b""})
    yield "data beside the kinds", wheel({f"{DATA}/x.py": ""})
    yield "data of another wheel", wheel({"other-1.0.data/purelib/x.py": ""})
    yield "a file twice by purelib", wheel({f"{DATA}/purelib/some_app/__init__.py": "x = 2\n"})
    yield "a file twice by both libs", wheel({f"{DATA}/purelib/a.py": "1", f"{DATA}/platlib/a.py": "2"})
    yield "a file below a file", wheel({f"{DATA}/purelib/some_app": "1"})
    yield "another project by purelib", wheel({f"{DATA}/purelib/evil-1.dist-info/METADATA": METADATA})
    yield "its own entry points by purelib", wheel({f"{DATA}/purelib/{INFO}/entry_points.txt": ""})
    yield "a program in a folder", wheel({f"{DATA}/scripts/deep/run": "#!python\n"})
    site = f"{DATA}/data/lib/python3.11/site-packages"
    yield "another project by data", wheel({f"{site}/evil-1.dist-info/METADATA": METADATA})
    yield "another project's module by data", wheel({f"{site}/other.py": "x = 2\n"})
    yield "the environment's settings by data", wheel({f"{DATA}/data/pyvenv.cfg": "home = /tmp\n"})
    yield "the environment's Python by data", wheel({f"{DATA}/data/bin/python3": "#!/bin/sh\n"})
    yield "a program by data and by scripts", wheel({f"{DATA}/data/bin/run": "1", f"{DATA}/scripts/run": "2"})
    yield "the environment's Python by scripts", wheel({f"{DATA}/scripts/python3.11": "#!/bin/sh\n"})
    yield "the environment's search path by scripts", wheel({f"{DATA}/scripts/python._pth": "../evil\n"})
    yield "the environment's search path by data", wheel({f"{DATA}/data/bin/python3._pth": "../evil\n"})
    yield "the environment's settings by scripts", wheel({f"{DATA}/scripts/pyvenv.cfg": "home = /tmp\n"})
    yield "the environment's settings in capitals", wheel({f"{DATA}/data/PyVenv.cfg": "home = /tmp\n"})
    yield "the environment's Python in capitals", wheel({f"{DATA}/data/Bin/python3": "#!/bin/sh\n"})
    yield "a start file by data in capitals", wheel({f"{DATA}/data/lib/python3.11/Site-Packages/x.pth": "import os\n"})
    yield "the environment's activation", wheel({f"{DATA}/scripts/activate.fish": "x\n"})


def _texts() -> Iterator[tuple[str, bytes]]:
    for version in ("9.0", "2.0", "one", "", "1"):
        yield f"Wheel-Version {version}", called("Wheel-Version: 1.0", f"Wheel-Version: {version}")
    yield "no Wheel-Version", called("Wheel-Version: 1.0\n", "")
    yield "Wheel-Version twice", called("Wheel-Version: 1.0\n", "Wheel-Version: 1.0\nWheel-Version: 9.0\n")
    yield "no Root-Is-Purelib", called("Root-Is-Purelib: true\n", "")
    yield "Root-Is-Purelib maybe", called("Root-Is-Purelib: true", "Root-Is-Purelib: maybe")
    yield "no Tag", called("Tag: py3-none-any\n", "")
    yield "another Tag", called("py3-none-any", "cp311-cp311-linux_x86_64")
    yield "a Tag that is none", called("py3-none-any", "py3")
    yield "a Tag of a million", called("py3-none-any", ".".join("ab" * 50) + "-" + ".".join("ab" * 50) + "-any")
    yield "WHEEL with a body", called("Tag", "\nTag")
    yield "WHEEL that is no text", wheel({f"{INFO}/WHEEL": WHEEL.encode() + b"X: \xff\n"})
    yield "METADATA that is no text", wheel({f"{INFO}/METADATA": METADATA.encode() + b"\n\xff\n"})
    yield "METADATA of another version", wheel({f"{INFO}/METADATA": METADATA.replace("1.0", "2.0")})
    yield "METADATA without version", wheel({f"{INFO}/METADATA": METADATA.replace("Version: 1.0\n", "", 1)})
    yield "METADATA of another project", wheel({f"{INFO}/METADATA": METADATA.replace("some-app", "other")})
    yield "METADATA without its version", wheel({f"{INFO}/METADATA": METADATA.partition("\n")[2]})
    yield "entry points that are no text", points(b"[console_scripts]\nx = \xff:y\n")
    yield "an entry point without section", points("x = a:b\n")
    yield "a section twice", points("[console_scripts]\nx = a:b\n[console_scripts]\ny = a:b\n")
    yield "an entry point twice", points("[console_scripts]\nx = a:b\nx = a:c\n")
    yield "a program in two sections", points("[console_scripts]\nx = a:b\n[gui_scripts]\nx = a:c\n")
    yield "a program in place of Python", points("[console_scripts]\npython = a:b\n")
    yield "a program in place of the search path", points("[console_scripts]\npython._pth = a:b\n")
    yield "a program in place of pip", points("[console_scripts]\npip3 = a:b\n")
    yield "a program by data too", points("[console_scripts]\nx = a:b\n", {f"{DATA}/data/bin/x": "1"})
    yield "a program out", points("[console_scripts]\n../x = a:b\n")
    yield "an absolute program", points("[console_scripts]\n/tmp/x = a:b\n")
    yield "a program without function", points("[console_scripts]\nx = a\n")
    yield "a program that is code", points("[console_scripts]\nx = a:b();import os;os\n")
    yield "a line that is no entry point", points("[console_scripts]\nx = a:b\nnothing\n")
    yield "an entry point that goes on", points("[console_scripts]\nx = a:b\n  c\n")
    yield "defaults for all sections", points("[DEFAULT]\nx = a:b\n[console_scripts]\n")
    yield "a program twice", points("[console_scripts]\nx = a:b\n", {f"{DATA}/scripts/x": "#!python\n"})


def _records() -> Iterator[tuple[str, bytes]]:
    line = next(line for line in _GOOD[RECORD].decode().splitlines() if "__init__" in line)
    path, digest, size = line.split(",")
    yield "a file that RECORD does not list", recorded(f"{line}\n", "")
    yield "a file that is not there", recorded(line, f"{line}\nmissing.py,{digest},{size}")
    yield "a path out in RECORD", recorded(line, f"{line}\n../../x.py,{digest},{size}")
    yield "a file listed twice", recorded(line, f"{line}\n{line}")
    yield "another digest", recorded(digest, "sha256=" + "A" * 43)
    yield "another size", recorded(line, f"{path},{digest},7")
    yield "no digest", recorded(line, f"{path},,")
    yield "no size", recorded(line, f"{path},{digest},")
    yield "a digest by MD5", recorded(digest, "md5=ylz2fG9ib1Fq4R0nWzAlHw")
    yield "a digest in hexadecimal", recorded(digest, "sha256=" + "ab" * 32)
    yield "RECORD does not list itself", recorded(f"{RECORD},,\n", "")
    yield "RECORD knows its own digest", recorded(f"{RECORD},,", f"{RECORD},sha256={'A' * 43},1")
    yield "a row of two", recorded(line, f"{path},{digest}")
    yield "a row of four", recorded(line, f"{line},x")
    yield "a quote that is left open", recorded(line, f'"{line}')
    yield "an empty row", recorded(line, f"\n{line}")
    yield "RECORD that is no text", zipped({**_GOOD, RECORD: _GOOD[RECORD] + b"\xff,,\n"})
    yield "an empty RECORD", zipped({**_GOOD, RECORD: b""})
    signed = {f"{INFO}/RECORD.jws": "{}"}
    yield "a signature that is listed", wheel(signed)


def _zips() -> Iterator[tuple[str, bytes]]:
    yield "no ZIP", b"not a zip"
    yield "cut off", wheel()[:-10]
    yield "a wrong CRC", by_hand(crc=1)
    yield "a wrong size", by_hand(size=7)
    yield "encrypted", by_hand(flags=1)
    yield "an unknown method", by_hand(method=99)
    yield "a link", by_hand(attributes=0o120777 << 16)
    yield "something before", around(before=b"#!/bin/sh\n")
    yield "something after", around(after=b"more")
    yield "a member without a name", handmade([Member(b""), *(Member(p.encode(), c) for p, c in _GOOD.items())])
    yield "two members of one name", handmade([Member(p.encode(), c) for p, c in (*_GOOD.items(), *_GOOD.items())])
    yield "another name in the header", by_hand(listed={"name": b"some_app/__main__.py"})
    yield "another size in the header", by_hand(listed={"size": 5})
    yield "a file that is a folder too", wheel({"some_app": "x"})


def bad_wheels() -> dict[str, tuple[str, bytes]]:
    """Every one: what is bad about it, its file name, its content."""
    made = [*_layout(), *_texts(), *_records(), *_zips()]
    named = {what: (NAME, content) for what, content in made}
    assert len(named) == len(made)
    for name in ("other-1.0-py3-none-any.whl", "some_app-1.1-py3-none-any.whl", "some_app-1.0-py2-none-any.whl"):
        named[f"called {name}"] = name, zipped(_GOOD)
    return named


def good_wheels() -> dict[str, bytes]:
    """What everybody takes."""
    crlf = {f"{INFO}/METADATA": METADATA.replace("\n", "\r\n"), f"{INFO}/WHEEL": WHEEL.replace("\n", "\r\n")}
    record = record_of({**crlf}, RECORD).replace("\n", "\r\n")
    data = {f"{DATA}/{kind}/x-{kind}": "#!python\n" for kind in ("purelib", "platlib", "headers", "scripts", "data")}
    return {
        "plain": wheel(),
        "lines of Windows": zipped(whole({**crlf, RECORD: record})),
        "all kinds of data": wheel(data),
        "programs and files by data": wheel({f"{DATA}/data/bin/node": "1", f"{DATA}/data/share/python/x": "2"}),
        "programs called much like Python": wheel({f"{DATA}/scripts/python-config": "#!python\n"}),
        "folders": zipped({"some_app/": b"", **_GOOD, f"{INFO}/licenses/": b""}),
        "entry points": points(
            "# x\n[console_scripts]\nx = a.b:c.d\ny=a:b [more]\n\n[other.group]\nz = text: more = y\n"
        ),
        "a signature": zipped({**_GOOD, f"{INFO}/RECORD.p7s": b"x"}),
        "names in UTF-8": wheel({"some_app/dépôt ü.txt": "x"}),
        "SHA-512": zipped({**_GOOD, RECORD: _sha512()}),
        "data descriptors": handmade([Member(p.encode(), c, method=8, flags=8) for p, c in encoded(_GOOD).items()]),
        "times in extra fields": by_hand(
            extra=b"UT\x05\x00\x01\x00\x00\x00\x00", listed_extra=b"UT\x05\x00\x01\x00\x00\x00\x00"
        ),
    }


def _sha512() -> bytes:
    content = _GOOD["some_app/__init__.py"]
    old, new = (
        base64.urlsafe_b64encode(hashlib.new(name, content).digest()).rstrip(b"=") for name in ("sha256", "sha512")
    )
    return _GOOD[RECORD].replace(b"sha256=" + old, b"sha512=" + new)
