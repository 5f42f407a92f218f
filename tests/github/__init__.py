"""A release server on loopback that behaves like GitHub, stores real bytes, and gets wrong what it is told to.

    with github(tmp_path / "github") as hub:
        ...  # GITHUB_API_URL=hub.api, GH_TOKEN=hub.token, hub.head is a commit

`release`, `releases`, `drafts` and `snapshot` show what is there; `seen` and `uploaded_bytes` what came; `faults` is
what goes wrong. On GitHub Enterprise paths in `seen` and in faults are those of github.com.
"""

from tests.github.faults import Fault, Role, Seen, primary_limit, secondary_limit
from tests.github.repository import AssetView, GitHub, ReleaseView
from tests.github.server import github

__all__ = [
    "AssetView",
    "Fault",
    "GitHub",
    "ReleaseView",
    "Role",
    "Seen",
    "github",
    "primary_limit",
    "secondary_limit",
]
