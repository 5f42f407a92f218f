"""What is in a delta: wheels taken apart, members deflated anew, archives in archives, and what is not ours."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path

import pytest

from bundler.transfer import deflated, encoder, matching
from bundler.transfer.deflated import Settings, deflate, is_zlib
from tests.transfer.test_delta import round_trip
from tests.transfer.wheels import archive, noise, wheel


def text(seed: int, lines: int = 8000) -> bytes:
    """Text that deflates to about a third, of which a seed decides all."""
    words = random.Random(seed)
    return b"".join(
        b"def f%d(a, b): return a * %d + b\n" % (words.randrange(10**6), words.randrange(99)) for _ in range(lines)
    )


def changed(content: bytes) -> bytes:
    """The same with a line in its middle changed."""
    middle = len(content) // 2
    return content[:middle] + b"# another line\n" + content[middle:]


def sizes(tmp_path: Path, old: dict[str, bytes], new: dict[str, bytes]) -> tuple[int, int]:
    """The size of the delta between two archives, and that of what is new in them."""
    before, after = archive(tmp_path / "old/x.tar.gz", old), archive(tmp_path / "new/x.tar.gz", new)
    return round_trip(tmp_path, before, after).size, after.stat().st_size


def test_a_changed_wheel_is_taken_apart(tmp_path: Path) -> None:
    same = {"kept.bin": noise("kept", 200_000), "big.bin": noise("big", 400_000)}
    old = {"a-1-py3-none-any.whl": wheel("a", {"m.py": text(1), **same})}
    new = {"a-2-py3-none-any.whl": wheel("a", {"l.py": b"pass\n", "m.py": changed(text(1)), **same}, version="2")}
    size, _ = sizes(tmp_path, old, new)
    # m.py is 90 kB as it is packed, and a line of it changed.
    assert size < 4000


def test_what_zlib_does_not_give_is_carried_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "is_zlib", lambda: False)
    old = {"a-1-py3-none-any.whl": wheel("a", {"k": noise("k", 500_000), "m.py": text(1)})}
    new = {"a-2-py3-none-any.whl": wheel("a", {"k": noise("k", 500_000), "m.py": changed(text(1))})}
    size, _ = sizes(tmp_path, old, new)
    assert 20_000 < size < 120_000


def test_an_archive_in_an_archive_is_taken_apart_too(tmp_path: Path) -> None:
    wheels = {f"{name}-1-py3-none-any.whl": wheel(name, {"x": noise(name, 150_000)}) for name in "abc"}
    inner = archive(tmp_path / "a/inner.tar.gz", {**wheels, "d-1-py3-none-any.whl": wheel("d", {"m.py": text(3)})})
    other = archive(
        tmp_path / "b/inner.tar.gz", {**wheels, "d-2-py3-none-any.whl": wheel("d", {"m.py": changed(text(3))})}
    )
    size, _ = sizes(tmp_path, {"inner.tar.gz": inner.read_bytes()}, {"inner.tar.gz": other.read_bytes(), "new": b"1"})
    assert size < 6000


def test_members_of_made_up_names_are_found_by_their_bytes(tmp_path: Path) -> None:
    stored = noise("chunk", 60_000)
    old = {"a-1-py3-none-any.whl": wheel("a", {"k": noise("k", 300_000), "js/0a1b.js": stored})}
    new = {
        "a-2-py3-none-any.whl": wheel(
            "a", {"k": noise("k", 300_000), "js/77fe.js": stored[:30_000] + b"x" + stored[30_000:]}
        )
    }
    size, _ = sizes(tmp_path, old, new)
    assert size < 3000


@pytest.mark.parametrize("settings", [Settings(9, 8), Settings(6, 9), Settings(1, 8)])
def test_settings_are_found(settings: Settings) -> None:
    content = text(5, 12_000)
    found = deflated.Tried().settings(deflate(settings, content), content)
    assert found
    assert deflate(found, content) == deflate(settings, content)
    assert deflated.Tried().settings(noise("x", 1000), content) is None


def test_this_zlib_is_known_and_another_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_zlib(), "tests of sizes need zlib"
    is_zlib.cache_clear()
    monkeypatch.setattr(deflated, "deflate", lambda settings, content: zlib.compress(content, 1))
    assert not is_zlib()
    is_zlib.cache_clear()


def test_windows_keep_the_memory_of_large_members_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_OLD_WINDOW", 4000)
    monkeypatch.setattr(matching, "_NEW_WINDOW", 1500)
    old = text(7, 1000)
    new = b"x" + old[:9000] + old[9100:20_000] + noise("n", 500) + old[20_000:]
    made, found = bytearray(), matching.steps(old, new)
    for step in found:
        there = old[step.at : step.at + len(step.differences)]
        made += bytes((one + other) & 255 for one, other in zip(there, step.differences, strict=True)) + step.others
    assert bytes(made) == new
    assert matching.cost(found) < len(new) / 8


def test_archives_of_others_have_what_they_share_copied(tmp_path: Path) -> None:
    content = noise("1", 600_000)
    (tmp_path / "old.tar.gz").write_bytes(gzip.compress(content + noise("2", 1000), mtime=0))
    new = tmp_path / "new.tar.gz"
    new.write_bytes(gzip.compress(noise("3", 100) + content, mtime=0))
    assert round_trip(tmp_path, tmp_path / "old.tar.gz", new).size < 40_000


def test_the_same_files_give_the_same_delta(tmp_path: Path) -> None:
    old = archive(tmp_path / "old/x.tar.gz", {"a-1-py3-none-any.whl": wheel("a", {"m.py": text(1), "n.py": text(2)})})
    new = archive(
        tmp_path / "new/x.tar.gz", {"a-2-py3-none-any.whl": wheel("a", {"m.py": changed(text(1)), "n.py": text(2)})}
    )
    first = round_trip(tmp_path, old, new)
    before = first.path.read_bytes()
    assert round_trip(tmp_path / "again", old, new).sha256 == first.sha256
    assert first.path.read_bytes() == before
