"""From what an old file has to a new one: which instructions make each run of it, each member, each byte."""

from __future__ import annotations

from bundler.transfer.assembly import Assembly
from bundler.transfer.deflated import Settings, Tried, inflated, is_zlib
from bundler.transfer.layout import Run, Unframed, View, is_archive, runs
from bundler.transfer.machine import DEEPEST, LARGEST_MEMBER
from bundler.transfer.matching import cost, differences, steps
from bundler.transfer.members import Member, Zip, list_behind, zip_of
from bundler.transfer.pairing import Like, Pairing
from bundler.transfer.there import Packed, Place, There, chunks

# Less than this is not taken apart: instructions would cost what it saves.
_WORTH_DEFLATING = 96
# Runs of deflated data up to here are compared with what stood in their place.
_LARGEST_COMPARED = 4 << 20


class Encoder:
    """Writes instructions. `there` is the old file; `assembly` takes them."""

    def __init__(self, assembly: Assembly, there: There) -> None:
        self._to, self._there = assembly, there
        self._zlib = is_zlib()

    def level(self, view: View, found: list[Run], depth: int = 0) -> None:
        """Make what is in a view, run by run."""
        # What a run of deflated data is compared with: what stood behind the run that the one before was made of.
        expected = self._there.first if not depth else None
        for number, run in enumerate(found):
            behind = found[number + 1] if number + 1 < len(found) else None
            if same := self._there.by_digest.get(run.digest):
                self._to.copy(same.space.address(same.run.start), run.length)
                expected = same.next
            elif run.size:
                old = self._stored_run(view, run, behind, depth)
                expected = old.next if old else None
            else:
                self._other_run(view, run, expected)
                expected = expected.next if expected else None

    def _stored_run(self, view: View, run: Run, behind: Run | None, depth: int) -> Place | None:
        """Make a run of stored blocks; tells the old one that it was made of, if there is one."""
        inner = Unframed(view, run.start, run.size)
        if depth >= DEEPEST:
            self._raw(view, run.start, run.end)
            return None
        self._to.frame(run.size)
        if is_archive(inner) and depth + 1 < DEEPEST:
            self.level(inner, list(runs(inner)), depth + 1)
        elif content := zip_of(inner, list_behind(view, behind)):
            old = self._there.zip_like(content)
            self._zip(content, old)
            self._to.framed()
            return old.place if old else None
        else:
            self._raw(inner, 0, inner.size)
        self._to.framed()
        return None

    def _other_run(self, view: View, run: Run, old: Place | None) -> None:
        """Make deflated data: like what stood in its place, or of what is anywhere."""
        if not old or old.run.size or max(old.run.length, run.length) > _LARGEST_COMPARED:
            self._raw(view, run.start, run.end)
            return
        there = old.space.view.read(old.run.start, old.run.length)
        self._like(there, old.space.address(old.run.start), view.read(run.start, run.length))

    def _raw(self, view: View, start: int, end: int) -> None:
        """Copy the chunks that the old file has; store the rest."""
        for _, data in chunks(view, start, end):
            if found := self._there.chunk(data):
                self._to.copy(found.space.address(found.start), found.length)
            else:
                self._to.stored(data)

    def _like(self, old: bytes, address: int, new: bytes, *, text: bool = False) -> None:
        """Make bytes of others that stand at an address, if that takes less than they do."""
        add = self._to.text if text else self._to.stored
        found = steps(old, new) if old and new else []
        if not found or (not text and cost(found) >= len(new)):
            add(new)
            return
        for step in found:
            if step.differences:
                self._to.differ(address + step.at, step.differences)
            add(step.others)

    def _zip(self, new: Zip, old: Packed | None) -> None:
        """Make a ZIP member by member, each of the old one's member of that content or of that name."""
        pairing = Pairing(new, old.content, old.space) if old else None
        tried, at = Tried(), 0
        for member in new.members:
            self._raw(new.view, at, member.start)
            self._member(new.view, member, pairing.like(member) if pairing else None, tried)
            at = member.end
        self._raw(new.view, at, new.view.size)

    def _member(self, view: View, new: Member, like: Like | None, tried: Tried) -> None:
        """Make a member: its header, its data, and what follows that."""
        if like and like.copied(view, new.start, new.end, like.member.start, like.member.end):
            self._to.copy(like.space.address(like.member.start), new.end - new.start)
            return
        end = new.data + new.packed
        self._small(view.read(new.start, new.data - new.start), like)
        if like and like.copied(view, new.data, end, like.member.data, like.member.data + like.member.packed):
            self._to.copy(like.space.address(like.member.data), new.packed)
        else:
            self._data(view, new, like, tried)
        self._to.text(view.read(end, new.end - end))

    def _small(self, header: bytes, like: Like | None) -> None:
        """Make a member's header: of the old one's if that is as long."""
        if like and like.member.data - like.member.start == len(header):
            old = like.space.view.read(like.member.start, len(header))
            self._to.differ(like.space.address(like.member.start), differences(old, header))
        else:
            self._to.text(header)

    def _data(self, view: View, new: Member, like: Like | None, tried: Tried) -> None:
        """Make a member's data: deflated anew where zlib gives these very bytes, else of the old one's data."""
        if max(new.packed, new.key.size, like.largest if like else 0) > LARGEST_MEMBER:
            self._raw(view, new.data, new.data + new.packed)
            return
        packed = view.read(new.data, new.packed)
        content = self._content(new, packed)
        settings = tried.settings(packed, content) if content else None
        if content and settings:
            del packed
            self._deflated(new, content, settings, like)
        elif like:
            self._like(like.packed(), like.space.address(like.member.data), packed)
        else:
            self._to.stored(packed)

    def _content(self, new: Member, packed: bytes) -> bytes | None:
        worth = self._zlib and new.deflated and new.key.size >= _WORTH_DEFLATING
        return inflated(packed, new.key.size) if worth and self._to.can_deflate(new.packed, new.key.size) else None

    def _deflated(self, new: Member, content: bytes, settings: Settings, like: Like | None) -> None:
        old, address = b"", 0
        if like and like.member.deflated and self._to.can_deflate(new.packed, new.key.size, *like.sizes):
            old = inflated(like.packed(), like.member.key.size) or b""
            if old:
                data = like.space.address(like.member.data)
                address = self._to.inflate(data, like.member.packed, like.member.key.size)
        self._to.deflate(*settings, len(content), new.packed)
        self._like(old, address, content, text=True)
        self._to.framed()
