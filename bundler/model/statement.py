"""What a signature says beside that a SHA256SUMS is the signer's: of which release it is, and of when that is.

minisign signs it as the trusted comment, `tag:TAG commit:COMMIT sha256:DIGEST date:DATE`: words that are not known are
left out, but never the digest of SHA256SUMS. OpenSSH signs a namespace, `TAG@aiws-bundle`. The SHA256SUMS of a folder
that is of no release is signed as `folder`. The date is that of the release's commit, RFC 3339 in UTC: so releases have
an order that a host without network can see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bundler.words import COMMIT_PATTERN, SHA256_PATTERN, TAG_PATTERN

FOLDER = "folder"
SPACE = "aiws-bundle"
_DATE = r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z"
_COMMENT = re.compile(
    rf"(?:tag:(?P<tag>{TAG_PATTERN}) )?(?:commit:(?P<commit>{COMMIT_PATTERN}) )?"
    rf"sha256:(?P<sha256>{SHA256_PATTERN})(?: date:(?P<date>{_DATE}))?"
)
_NAMESPACE = re.compile(rf"(?P<tag>{TAG_PATTERN})@{SPACE}")


@dataclass(frozen=True)
class Statement:
    """A release by its tag, commit, the digest of its SHA256SUMS (hex) and its date; "" for what is not said."""

    tag: str = ""
    commit: str = ""
    sha256: str = ""
    date: str = ""

    @property
    def comment(self) -> str:
        """The trusted comment that says it."""
        words = {"tag": self.tag, "commit": self.commit, "sha256": self.sha256, "date": self.date}
        return " ".join(f"{name}:{value}" for name, value in words.items() if value)

    @property
    def namespace(self) -> str:
        """The namespace that says as much of it as a namespace does."""
        return f"{self.tag or FOLDER}@{SPACE}"

    @classmethod
    def of_comment(cls, text: str) -> Statement:
        """Parse a trusted comment. Raises ValueError."""
        match = _COMMENT.fullmatch(text)
        if match is None:
            raise ValueError("its trusted comment does not say of which release it is")
        return cls(match["tag"] or "", match["commit"] or "", match["sha256"], match["date"] or "")

    @classmethod
    def of_namespace(cls, text: str) -> Statement:
        """Parse a namespace. Raises ValueError."""
        match = _NAMESPACE.fullmatch(text)
        if match is None:
            raise ValueError(f"made for something else: its namespace is {text}, not TAG@{SPACE}")
        return cls(tag="" if match["tag"] == FOLDER else match["tag"])

    def unlike(self, tag: str, commit: str, sha256: str) -> str:
        """How it is not of a release, in words; "" if it is. What is not known of a release, "", is not compared."""
        if self.sha256 and self.sha256 != sha256:
            return f"of another SHA256SUMS\n    expected {sha256}\n    actual   {self.sha256}"
        if tag and self.tag != tag:
            return f"of another release\n    expected {tag}\n    actual   {self.tag or 'a folder that is of none'}"
        if commit and self.commit and self.commit != commit:
            return f"of another commit\n    expected {commit}\n    actual   {self.commit}"
        return ""


NOTHING_SAID = Statement()
