"""The deltas of a release that is to be: from archives of releases before it to its own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.github import GitHub
from bundler.adapters.own_folder import in_use
from bundler.adapters.store import Blob
from bundler.errors import IntegrityError, UsageError
from bundler.model.release import MOST_ASSETS, Piece, Release, parse_tag
from bundler.model.sidecar import Place, SidecarFacts
from bundler.progress import Task
from bundler.release.brought import Brought
from bundler.release.content import Content, generated
from bundler.release.since import earlier
from bundler.session import Session
from bundler.transfer import script
from bundler.words import ARCHIVE

_LAST = re.compile(r"last:([1-9][0-9]?)")


def origins(words: Sequence[str]) -> tuple[str, ...]:
    """Check what deltas are asked from: tags, and `last:N`, which no tag of git's can be called. Raises UsageError."""
    return tuple(word if _LAST.fullmatch(word) else parse_tag(word) for word in words)


def last(number: int) -> tuple[str, ...]:
    """How the last few releases are asked for; nothing for none."""
    return (f"last:{number}",) if number else ()


@dataclass(frozen=True)
class Deltas:
    """Makes deltas to the archives of a folder that are published; `told` says whose signatures count."""

    session: Session
    github: GitHub
    told: SidecarFacts
    folder: Path

    def beside(self, content: Content, place: Place, asked: Sequence[str]) -> Content:
        """The same with the deltas from what is asked for, those from the newest release first, and with the script.

        As many as a release has room for; what one before cannot give is told in a note, and so is a delta that is not
        worth it. Raises UsageError for a release that is not there, UnreachableError.
        """
        room = MOST_ASSETS - len(content.pieces(place)) - 1
        made: dict[str, Piece] = {}
        news = {piece.name: piece.sha256 for piece in content.archives if piece.name.endswith(ARCHIVE)}
        for before in self._releases(place.tag, asked):
            for piece in self._from(before, {**news, **content.wholes}, content):
                if len(made) < room:
                    made.setdefault(piece.name, piece)
                else:
                    self.session.progress.say(f"note: {piece.name} is left out: a release holds no more assets")
        applying = generated(script.NAME, script.script())
        return replace(content, deltas=(*made.values(), applying) if made else ())

    def _releases(self, tag: str, asked: Sequence[str]) -> Iterator[Release]:
        """The releases that are meant, each once."""
        there = earlier(list(self.github.releases()), tag)
        chosen: dict[str, Release] = {}
        for word in asked:
            if last := _LAST.fullmatch(word):
                chosen |= {one.tag_name: one for one in islice(there, int(last[1]))}
            elif word == tag or not (one := self.github.published(word)):
                hint = "give --delta-from the tag of an earlier release, or last:3"
                raise UsageError(f"{self.github.repository} has no release {word} before {tag}", hint)
            else:
                chosen[word] = one
        yield from sorted(chosen.values(), key=lambda one: (one.published_at or "", one.id), reverse=True)

    def _from(self, release: Release, news: Mapping[str, str], content: Content) -> Iterator[Piece]:
        """The deltas from the archives of one release."""
        say = self.session.progress.say
        try:
            before = Brought.of(self.session.store(), self.github, release)
            before.check_signed(self.told)
        except IntegrityError as error:
            say(f"note: no deltas from {release.tag_name}: {error.message}")
            return
        for name, sha256 in sorted(news.items()):
            old = before.like(name, partial(content.told.inventories.get, name))
            if old is None or before.archives[old] == sha256:
                continue
            try:
                with self.session.progress.task(f"delta to {name} from {before.tag}", before.size(old)) as task:
                    piece = self._made(before, old, name, task)
            except IntegrityError as error:
                say(f"note: no delta to {name} from {before.tag}: {error.message}")
                continue
            if piece:
                yield piece

    def _made(self, before: Brought, old: str, name: str, task: Task) -> Piece | None:
        """One delta, kept in the store as what is downloaded is; None if it is not worth it."""
        from bundler.transfer.delta import delta_name, write_delta  # what takes wheels apart is large

        called = delta_name(name, before.archives[old])
        with (
            in_use(self.session.cache_dir, TEMPORARY) as place,
            tempfile.TemporaryDirectory(dir=place) as folder,
        ):
            made = write_delta(before.bring(old, task), self.folder / name, Path(folder))
            if made is None:
                self.session.progress.say(f"note: {called} is left out: it would not be much smaller than the archive")
                return None
            kept = self.session.store().join(Blob(called, made.sha256, made.size), [made.path])
            return Piece(called, made.size, made.sha256, source=kept)
