"""Compiled code in wheels: read from them, and found unfit by the closure proof with the chain that needs it."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections.abc import Mapping, Sequence

import pytest

from bundler.errors import IntegrityError
from bundler.model.closure import Wheel, prove
from bundler.model.interpreter import Interpreter
from bundler.model.metadata import read_wheel
from tests.mach_o import fat, library, place, thin, version
from tests.wheels import DATA, NAME, Member, handmade, wheel, whole, zipped

MAC = Interpreter("3.13.5", "darwin-arm64", 11)
LINUX = Interpreter("3.13.5", "linux-arm64", 36)


def made(name: str, files: Mapping[str, bytes], requires: Sequence[str] = ()) -> Wheel:
    """A wheel of a project, read as one that is not in a store."""
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
    content = zipped(whole({f"{name}/__init__.py": "", **files, f"{info}/METADATA": metadata}, info))
    return read_wheel(io.BytesIO(content), f"{name}-1.0-py3-none-any.whl", digests=False, code=True)


def test_code_is_read_from_wheels_if_asked_for() -> None:
    content = wheel({"some_app/a.so": thin(), f"{DATA}/scripts/tool": thin(kind=2), "some_app/b.txt": "text"})
    read = read_wheel(io.BytesIO(content), NAME, code=True)
    assert [place for place, _ in read.code] == ["site/some_app/a.so", "scripts/tool"]
    assert read_wheel(io.BytesIO(content), NAME).code == ()


def test_a_large_file_is_read_without_holding_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.model.wheel_content._LARGEST_IN_MEMORY", 100)
    content = wheel({"some_app/a.so": fat(thin(cpu="amd64"), thin(size=3 << 20))})
    ((_, code),) = read_wheel(io.BytesIO(content), NAME, code=True).code
    assert [(one.arch, one.signed, one.signature) for one in code.slices] == [("amd64", True, ""), ("arm64", True, "")]


def test_good_code_closes() -> None:
    assert prove(["app"], [made("app", {"app/a.so": thin()})], MAC) == ()


def test_a_wheel_that_is_unfit_is_named_with_its_file_and_the_chain_that_needs_it() -> None:
    new = thin(version((12, 0)))
    wheels = [made("app", {}, ["lib>=1"]), made("lib", {}, ["deep"]), made("deep", {"deep/a.so": new})]
    assert prove(["app==1.0"], wheels, MAC) == (
        "unfit: deep-1.0-py3-none-any.whl: deep/a.so: it is for macOS 12.0 and later, not for macOS 11"
        "; needed by app==1.0 -> lib>=1 -> deep",
    )
    assert prove(["app==1.0"], wheels, LINUX) == ()


def test_files_with_one_fault_are_told_together() -> None:
    wheels = [made("app", {f"app/{name}.so": thin(sign=None) for name in "abcde"} | {"app/f.so": thin()[:200]})]
    one, other = prove(["app"], wheels, MAC)
    assert "app/a.so, app/b.so, app/c.so and 2 more: it is not signed" in one
    assert "app/f.so: " in other
    assert one.endswith("; needed by app")
    assert other.endswith("; needed by app")


def test_a_library_may_stand_in_another_wheel() -> None:
    user = thin(version((11, 0)), library("@rpath/liblib.dylib"), place("@loader_path/../lib"))
    app, lib = made("app", {"app/a.so": user}, ["lib"]), made("lib", {"lib/liblib.dylib": thin(kind=6)})
    assert prove(["app"], [app, lib], MAC) == ()
    (finding,) = prove(["app"], [made("app", {"app/a.so": user})], MAC)
    assert "app/a.so: it asks for @rpath/liblib.dylib, which is neither in the archive nor macOS's own" in finding


def test_programs_and_data_stand_where_an_environment_has_them() -> None:
    tool = thin(version((11, 0)), library("@executable_path/../lib/x.dylib"), kind=2)
    info = "app-1.0.data"
    assert (
        prove(["app"], [made("app", {f"{info}/scripts/t": tool, f"{info}/data/lib/x.dylib": thin(kind=6)})], MAC) == ()
    )


def test_a_byte_that_was_changed_is_found_whatever_record_says() -> None:
    content = bytearray(thin())
    content[6000] ^= 0x10
    (finding,) = prove(["app"], [made("app", {"app/a.so": bytes(content)})], MAC)
    assert "app/a.so: its signature is wrong: page 1" in finding
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    assert digest in whole({"a.so": bytes(content)})["some_app-1.0.dist-info/RECORD"].decode()


def test_what_is_told_of_code_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.model.wheel_content.MOST_MEMORY", 20_000)
    content = thin(*[library("/x") for _ in range(90)], sign=None)
    assert made("app", {"app/a.so": content}).code
    with pytest.raises(IntegrityError, match="asks for more libraries than any does"):
        made("app", {"app/a.so": content, "app/b.so": content})


@pytest.mark.parametrize("limit", [16 << 20, 100])
def test_code_is_compared_with_record_as_all_else_is(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr("bundler.model.wheel_content._LARGEST_IN_MEMORY", limit)
    files = whole({"some_app/__init__.py": "", "some_app/a.so": thin()})
    assert len(read_wheel(io.BytesIO(zipped(files)), NAME, code=True).code) == 1
    other = zipped(files | {"some_app/a.so": thin(kind=6)})
    with pytest.raises(IntegrityError, match=r"'some_app/a\.so' is not what its RECORD says"):
        read_wheel(io.BytesIO(other), NAME, code=True)
    assert read_wheel(io.BytesIO(other), NAME, digests=False, code=True).code


@pytest.mark.parametrize("digests", [True, False])
def test_code_is_found_behind_any_number_of_empty_blocks(digests: bool) -> None:
    """Nothing that comes before the first byte when it is deflated hides what a file begins with."""
    code, files = thin(), whole({"some_app/__init__.py": "", "some_app/a.so": thin()})
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    hidden = b"\0\0\0\xff\xff" * 200_000 + deflate.compress(code) + deflate.flush()
    members = [Member(path.encode(), text) for path, text in files.items() if path != "some_app/a.so"]
    content = handmade([*members, Member(b"some_app/a.so", code, method=8, raw=hidden)])
    ((place, one),) = read_wheel(io.BytesIO(content), NAME, digests=digests, code=True).code
    assert (place, one.slices[0].signature) == ("site/some_app/a.so", "")
