"""What may stand in metadata/runtime.env, which shells read with `source`, and root's shells at that.

A value cannot expand, split or end a word. A name is one of a list, since many variables make a shell or a program run,
load or fetch something: PROMPT_COMMAND, BASH_ENV, LD_PRELOAD, PATH, PYTHONHOME, PIP_INDEX_URL. What a component runs
with begins with its own name; payloads add what they need.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

VALUE_PATTERN = r"^[A-Za-z0-9/-][A-Za-z0-9._+:/-]*$"
NAME_PATTERN = r"^[A-Z][A-Z0-9_]*[A-Z0-9]$"
LONGEST_NAME, LONGEST_VALUE = 64, 200
PLAIN = r"[A-Za-z0-9].*"
# A component's own variables are switches: no path and no address.
_SWITCH = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
# What the consumers' installers and pip need on the way to a component, and the patterns of their values.
_OTHERS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("PIP_NO_CACHE_DIR", "PIP_NO_COLOR", "PIP_NO_COMPILE", "PIP_NO_INDEX", "PIP_NO_INPUT"),
            *("PIP_NO_WARN_SCRIPT_LOCATION", "PIP_PREFER_BINARY", "PIP_DISABLE_PIP_VERSION_CHECK"),
            "DISABLE_SCHEMA_UPDATE",
        ),
        PLAIN,
    ),
    "ANSIBLE_BECOME_FLAGS": r"-[EHSn]+",
}
# A component's variables that have one of these words name code, a program, a place or a secret, or what the
# consumers' roles run (…_PYTHON_EXECUTABLE) and install (…_PACKAGE_SPEC).
_REFUSED_WORDS = (
    "ADDOPTS|ADDRESS|ADMINDIR|APP|CA|CERTS?|CONF|EDITOR|ENDPOINT|EXE|FDS|LAUNCHER|OPT|PROG|ROOT|RSH|SOCKET|SSH|WRAPPER"
    "|API|ASSETS|BASE|BIN|BINARY|BUCKET|CALLBACKS?|CLASS|CMD|CODE|COMMANDS?|CONFIG|CREDENTIALS?|DIRS?"
    "|ENV|EXEC|EXECUTABLE|FILES?|HOME|HOOKS?|HOST|IMPORTS?|INDEX|KEYS?|LICENSE|MIRROR|MODULES?|OPTIONS?|OPTS|PACKAGES?"
    "|PASSWORD|PATHS?|PIP|PLUGINS?|PRELOAD|PROGRAM|PROXY|PYTHON|REDACT|SALT|SCRIPTS?|SECRETS?|SHELL|SOURCE|SPEC|STARTUP"
    "|TOKENS?|URLS?|VENV"
)
_REFUSED = re.compile(rf"(.*_)?({_REFUSED_WORDS})(_.*)?")
# A component that is called as one of these would own the variables of somebody else.
_NOT_ITS_OWN = re.compile(
    "(AIWS|CMAKE|COVERAGE|CVS|DBUS|DPKG|HF|LISTEN|NOTIFY|OTEL|POSIXLY|REQUESTS|RESOLV|RSYNC|RUSTC?|SETUPTOOLS|SOURCE|SVN"
    "|SYSTEMCTL|ANSIBLE|AWS|BASH|CURL|DYLD|GCONV|GIT|GLIBC|GNUPG|GPG|HTTPS?|JAVA|LC|LD|MALLOC|NODE|NPM|NSS|OPENSSL|PERL[0-9A-Z]*|PIP"
    "|PYTHON[0-9A-Z]*|READLINE|RES|RUBY[A-Z]*|SSH|SSL|SUDO|SYSTEMD|TERM|TERMINFO|UV|VIRTUAL|XDG)(_.*)?"
)


def name_fault(name: str, component: str, more: Mapping[str, str]) -> str:
    """Say why runtime.env may not export a variable of this name for `component`; "" if it may.

    `more` are the names that payloads add, with the patterns of their values.
    """
    prefix = component.upper().replace("-", "_")
    own = name.removeprefix(f"{prefix}_")
    is_own = own != name and not _NOT_ITS_OWN.fullmatch(prefix) and not _REFUSED.fullmatch(own)
    known = name in _OTHERS or name in more or is_own
    if known and len(name) <= LONGEST_NAME and re.fullmatch(NAME_PATTERN, name):
        return ""
    shown = name[:LONGEST_NAME]
    return f"{shown!r} is no variable that runtime.env may export (a switch is called {prefix}_…); docs/manifests.md"


def is_of_others(prefix: str) -> bool:
    """Say whether variables that begin with this word, in capitals, belong to a well-known program."""
    return _NOT_ITS_OWN.fullmatch(prefix) is not None


def fault_of(name: str, value: str, component: str, more: Mapping[str, str]) -> str:
    """Say why runtime.env may not export `name` with `value` for `component`; "" if it may."""
    if fault := name_fault(name, component, more):
        return fault
    shown = f"{name}={value[:LONGEST_VALUE]!r}"
    if not re.fullmatch(VALUE_PATTERN, value) or len(value) > LONGEST_VALUE:
        return f"{shown} is not a plain value: at most {LONGEST_VALUE} of letters, digits and ._+:/-"
    pattern = more.get(name) or _OTHERS.get(name, _SWITCH)
    if not re.fullmatch(pattern, value) or ".." in value.split("/"):
        only = "a switch is a word, only sudo's flags (-HSnE) begin with -, only paths of payloads with /"
        return f"{shown} is not a value for it: {only}"
    return ""
