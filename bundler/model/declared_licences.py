"""Licences as a wheel's METADATA tells them (core metadata specification, PEP 639): SPDX expressions, else names.

`License-Expression` is SPDX by definition. Before it there were trove classifiers, some of which mean exactly one
licence of SPDX's list, and the free text of `License`, which may be anything: it is taken if it is one short line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from bundler.model.needs import PARSING

_CLASSIFIER = "License :: "
_LONGEST = 200
_MOST = 20
_UNTOLD = frozenset({"", "unknown", "none", "n/a", "other", "see license", "see license file", "license"})
# The classifiers that name one licence and one version of it; `BSD License` for example means several.
_CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "University of Illinois/NCSA Open Source License": "NCSA",
    "zlib/libpng License": "Zlib",
    "Zero-Clause BSD (0BSD)": "0BSD",
}
# What the text of `License` often is where SPDX's identifier is meant.
_SPELLED = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "apache2": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "mit license": "MIT",
    "the mit license": "MIT",
    "the mit license (mit)": "MIT",
    "mpl 2.0": "MPL-2.0",
    "mozilla public license 2.0": "MPL-2.0",
    "psf": "PSF-2.0",
    "psfl": "PSF-2.0",
    "unlicense": "Unlicense",
}


def licences_of(expression: Sequence[str], classifiers: Sequence[str], text: Sequence[str]) -> tuple[str, ...]:
    """The licences that METADATA tells by its fields `License-Expression`, `Classifier` and `License`, sorted.

    A classifier that does not say which licence is left out where the text is SPDX's; of those that do, and contradict
    the text, both count.
    """
    if told := [found for one in expression if (found := _spdx(one))]:
        return tuple(told[:1])
    classified = _classified(classifiers)
    written = [found for one in (*expression, *text) if (found := licence_of(one))]
    if spelled := {one for one in written if is_spdx(one)}:
        return tuple(sorted({*spelled, *filter(is_spdx, classified)}))[:_MOST]
    return tuple(sorted(classified or written))[:_MOST]


def licence_of(text: str) -> str:
    """A licence by the text that tells it: an SPDX expression if it is one, else the text; "" if it says nothing."""
    text = " ".join(text.split())
    if len(text) > _LONGEST or not text.isprintable() or text.lower() in _UNTOLD:
        return ""
    return _SPELLED.get(text.lower()) or _spdx(text) or text


def is_spdx(licence: str) -> bool:
    """Say whether a licence is an SPDX expression in its normal spelling."""
    return _spdx(licence) == licence != ""


def _classified(classifiers: Sequence[str]) -> list[str]:
    """What the classifiers of licences mean, sorted; that a licence is approved of is none."""
    names = {one.rpartition(" :: ")[2].strip() for one in classifiers if one.startswith(_CLASSIFIER)}
    return sorted({_CLASSIFIED.get(name, name)[:_LONGEST] for name in names - {"OSI Approved", ""}})


@lru_cache(maxsize=4096)
def _spdx(text: str) -> str:
    """An SPDX expression in its normal spelling; "" if it is none."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression  # large: its whole list

    if len(text) > _LONGEST:
        return ""
    try:
        with PARSING:
            return str(canonicalize_license_expression(text))
    except (InvalidLicenseExpression, ValueError, RecursionError):
        return ""
