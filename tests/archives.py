"""Archives of ours with other content, written as `build` writes them, and with manifests that list what is there."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bundler.adapters.archive import write_archive
from bundler.kinds import file_list
from bundler.model.bundle import FILE_LIST, MANIFEST, Bundle, Entry, File, Folder, Link, Slice, text_file

Entries = dict[str, Entry]


def unpacked(archive: Path, store: Path) -> tuple[str, int, Entries]:
    """The top folder, the time and the entries of an archive of ours; contents come to lie in the folder `store`."""
    store.mkdir(exist_ok=True)
    entries: Entries = {}
    with tarfile.open(archive) as tar:
        infos = tar.getmembers()
        for info in infos[1:]:
            path = info.name.partition("/")[2]
            if info.isdir():
                entries[path] = Folder(path)
            elif info.issym():
                entries[path] = Link(path, info.linkname)
            else:
                file = tar.extractfile(info)
                assert file is not None
                entries[path] = on_disk(store, path, file.read(), executable=bool(info.mode & 0o100))
    return infos[0].name, int(infos[0].mtime), entries


def on_disk(store: Path, path: str, content: bytes, *, executable: bool = False) -> File:
    sha256 = hashlib.sha256(content).hexdigest()
    (store / sha256).write_bytes(content)
    return File(path, len(content), sha256, Slice(str(store / sha256), 0, len(content)), executable)


def content_of(entry: Entry) -> bytes:
    assert isinstance(entry, File)
    return entry.content if isinstance(entry.content, bytes) else Path(entry.content.file).read_bytes()


def repack(archive: Path, change: Callable[[Entries], object], *, top: str = "", listed: bool = False) -> None:
    """Write `archive` anew with what `change` makes of its entries; with lists that know of it if `listed`."""
    old_top, epoch, entries = unpacked(archive, archive.parent.parent / "contents")
    change(entries)
    if listed:
        relist(entries)
    out = io.BytesIO()
    write_archive(Bundle(top or old_top, tuple(entries[path] for path in sorted(entries))), out, epoch, lambda: False)
    archive.write_bytes(out.getvalue())


def relist(entries: Entries) -> None:
    """Make the lists inside an archive say exactly what is there."""
    digests = {
        path: entry.sha256
        for path, entry in entries.items()
        if isinstance(entry, File) and path not in (FILE_LIST, MANIFEST)
    }
    entries[FILE_LIST] = text_file(FILE_LIST, file_list.render(digests))
    manifest = json.loads(content_of(entries[MANIFEST]))
    manifest["files"] = [_listed(entry) for path, entry in sorted(entries.items()) if path != MANIFEST]
    manifest["files"] = [one for one in manifest["files"] if one]
    entries[MANIFEST] = text_file(MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def _listed(entry: Entry) -> Mapping[str, object] | None:
    if isinstance(entry, Link):
        return {"path": entry.path, "link": entry.target}
    if isinstance(entry, Folder):
        return None
    return {
        "path": entry.path, "size": entry.size, "sha256": entry.sha256,
        **({"executable": True} if entry.executable else {}),
    }  # fmt: skip
