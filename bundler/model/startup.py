"""Files of a wheel that Python runs whenever it starts, in every program of an environment (library docs, `site`).

A line of a `.pth` in site-packages that begins with `import` is run; so are the modules `sitecustomize` and
`usercustomize`, whatever is started. Few wheels mean that; a manifest allows those by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from bundler.model.closure import Wheel
from bundler.model.wheel_name import parse_wheel_name


def startup_faults(wheels: Iterable[Wheel], allowed: Collection[str]) -> Iterator[str]:
    """Name each wheel that has such files and is none of the projects that are `allowed`, and what to do about it."""
    for wheel in wheels:
        if wheel.startup and (project := parse_wheel_name(wheel.filename)[0]) not in allowed:
            meant = ", ".join((*sorted(allowed), project))
            yield (
                f"{wheel.filename}: Python would run its {', '.join(wheel.startup)} at every start; look into it, and "
                f"only if it is meant, allow it in the manifest: `startup-files: [{meant}]`"
            )
