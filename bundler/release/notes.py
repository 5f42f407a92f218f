"""The text of a release: what it says to people, and the mark by which a later run knows its own unfinished work.

The mark is an HTML comment, which Markdown does not show. Only drafts carry one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bundler.sidecars import parts, sums
from bundler.transfer import script

Role = Literal["draft", "replaced"]
_DELTAS = (
    f"`NAME.from-DIGITS.delta` makes `NAME` of the older archive whose SHA-256 begins with these digits: "
    f"`sh {script.NAME} OLD DELTA --sums {sums.NAME}`, or `aiws-bundle apply`."
)
_MARK = re.compile(
    r"<!-- aiws-bundle: (draft|replaced) of (\S+) by ([0-9a-f]{16})(, the latest)?; "
    r"the next publish uses or removes this -->"
)


@dataclass(frozen=True)
class Mark:
    """What a draft is to publishes of `tag`: one being filled, or one that was published and is `replaced`.

    `run` tells whose it is: the run that claimed it last. `latest`: it was the release that GitHub shows as the latest.
    """

    role: Role
    tag: str
    run: str
    latest: bool = False

    def render(self) -> str:
        """The mark as the beginning of a release's text."""
        run = f"{self.run}, the latest" if self.latest else self.run
        return f"<!-- aiws-bundle: {self.role} of {self.tag} by {run}; the next publish uses or removes this -->\n"


def mark_of(body: str | None) -> Mark | None:
    """The mark of a draft; None if it is somebody else's."""
    match = _MARK.match(body or "")
    if match is None:
        return None
    return Mark("draft" if match[1] == "draft" else "replaced", match[2], match[3], latest=bool(match[4]))


def unmarked(body: str | None) -> str:
    """A text without its mark: what a replaced release said before."""
    return _MARK.sub("", body or "", count=1).removeprefix("\n")


def render(tag: str, commit: str, split: tuple[str, ...], follows: str = "", *, deltas: bool = False) -> str:
    """Return the text of a published release; `split` names the assets in parts, `follows` the tag of a channel.

    `deltas` says whether there are some.
    """
    first = f"Offline runtime bundles, built from commit {commit}."
    if follows:
        first = f"The bundles of `{follows}` (commit {commit}); this release moves, `channel.json` names what it holds."
    lines = [
        first,
        "",
        f"`sha256sum --ignore-missing -c {sums.NAME}` checks what was downloaded, `aiws-bundle verify` all.",
    ]
    for asset in split:
        joined = f"cat {asset}.part-* > {asset}"
        lines += ["", f"`{asset}` comes in parts, listed in `{asset}{parts.SUFFIX}`: `{joined}` joins them."]
    if deltas:
        lines += ["", _DELTAS]
    return "\n".join(lines) + "\n"
