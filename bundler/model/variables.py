"""What may stand in metadata/runtime.env, which shells read with `source`, and root's shells at that.

A value cannot expand, split or end a word. A name is one of a list, since many variables make a shell or a program run,
load or fetch something: PROMPT_COMMAND, BASH_ENV, LD_PRELOAD, PATH, PYTHONHOME, PIP_INDEX_URL.
"""

from __future__ import annotations

import re

VALUE_PATTERN = r"^[A-Za-z0-9/-][A-Za-z0-9._+:/-]*$"
# What a component runs with (LITELLM_…), and what the consumers' installers, pip and Prisma need on the way to it.
NAME_PATTERN = (
    r"^(LITELLM_[A-Z0-9_]*[A-Z0-9]"
    r"|PIP_(NO_(CACHE_DIR|COLOR|COMPILE|INDEX|INPUT|WARN_SCRIPT_LOCATION)|PREFER_BINARY|DISABLE_PIP_VERSION_CHECK)"
    r"|PRISMA_(BINARY_CACHE_DIR|QUERY_ENGINE_BINARY|QUERY_ENGINE_LIBRARY|SCHEMA_ENGINE_BINARY|HIDE_UPDATE_MESSAGE)"
    r"|ANSIBLE_BECOME_FLAGS|CHECKPOINT_DISABLE|DISABLE_SCHEMA_UPDATE)$"
)
# LiteLLM's variables that have one of these words name code, a program, a place or a secret (as of 1.89.0:
# LITELLM_WORKER_STARTUP_HOOKS, _CONFIG_BUCKET_NAME, _MCP_STDIO_EXTRA_COMMANDS, _MASTER_KEY), or what the consumers'
# roles run (LITELLM_PYTHON_EXECUTABLE) and install (LITELLM_PACKAGE_SPEC).
REFUSED_PATTERN = (
    r"^LITELLM_(.*_)?(API|ASSETS|BASE|BIN|BINARY|BUCKET|CALLBACKS?|CLASS|CMD|CODE|COMMANDS?|CONFIG|CREDENTIALS?|DIRS?"
    r"|EXEC|EXECUTABLE|FILES?|HOOKS?|HOST|IMPORTS?|INDEX|KEYS?|LICENSE|MIRROR|MODULES?|PACKAGES?|PASSWORD|PATHS?|PIP|PLUGINS?"
    r"|PRELOAD|PROGRAM|PYTHON|REDACT|SALT|SCRIPTS?|SECRETS?|SHELL|SOURCE|SPEC|STARTUP|TOKENS?|URLS?|VENV)(_.*)?$"
)
# Values of those that are more than switches, and of all others.
_NARROW = {
    "ANSIBLE_BECOME_FLAGS": r"-[EHSn]+",
    "PRISMA_BINARY_CACHE_DIR": r"/.*",
    "PRISMA_QUERY_ENGINE_BINARY": r"/.*",
    "PRISMA_QUERY_ENGINE_LIBRARY": r"/.*",
    "PRISMA_SCHEMA_ENGINE_BINARY": r"/.*",
}
_PLAIN = r"[A-Za-z0-9].*"
LONGEST_NAME, LONGEST_VALUE = 64, 200


def name_fault(name: str) -> str:
    """Say why runtime.env may not export a variable of this name; "" if it may."""
    known = len(name) <= LONGEST_NAME and re.fullmatch(NAME_PATTERN, name) and not re.fullmatch(REFUSED_PATTERN, name)
    return "" if known else f"{name[:LONGEST_NAME]!r} is no variable that runtime.env may export; README, manifests"


def fault_of(name: str, value: str) -> str:
    """Say why runtime.env may not export `name` with `value`; "" if it may."""
    if fault := name_fault(name):
        return fault
    shown = f"{name}={value[:LONGEST_VALUE]!r}"
    if not re.fullmatch(VALUE_PATTERN, value) or len(value) > LONGEST_VALUE:
        return f"{shown} is not a plain value: at most {LONGEST_VALUE} of letters, digits and ._+:/-"
    if not re.fullmatch(_NARROW.get(name, _PLAIN), value) or ".." in value.split("/"):
        return f"{shown} is not a value for it: only sudo's flags (-HSnE) begin with -, only Prisma's paths with /"
    return ""
