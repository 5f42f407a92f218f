#!/usr/bin/env bash
# What the consumers do to a host, in their order; written from what is known of their scripts, none of them is copied.
# Usage: installer.sh ARCHIVE ROOT PLAYBOOK [WORD...]   (words go to ansible-playbook)
set -euo pipefail
archive=$1 ROOT=$2 playbook=$3
shift 3

# The aggregation takes two folders and one file of the archive, and nothing else; the package is unpacked to ROOT.
extracted=$(mktemp -d)
tar -xzf "$archive" -C "$extracted"
rm -rf "$ROOT"
mkdir -p "$ROOT/metadata" "$ROOT/packages"
cp -a "$extracted"/litellm-runtime/packages/{pip,python} "$ROOT/packages/"
cp "$extracted/litellm-runtime/metadata/runtime.env" "$ROOT/metadata/litellm-runtime.env"
rm -rf "$extracted"

# apt sees nothing but the package's own repository (here it stands in the machine) while the installer runs.
trap 'rm -f /etc/apt/sources.list.d/offline.list /etc/apt/apt.conf.d/99offline' EXIT
echo 'deb [trusted=yes] file:/srv/apt ./' > /etc/apt/sources.list.d/offline.list
cat > /etc/apt/apt.conf.d/99offline <<'CONF'
Dir::Etc::sourcelist "sources.list.d/offline.list";
Dir::Etc::sourceparts "-";
APT::Get::List-Cleanup "0";
Acquire::Languages "none";
CONF
apt-get update -qq

# A portable Python, where one is carried, is run from another place.
portable() { find -L "$1" -type f -path '*/bin/python3.13' -perm /111 -print -quit; }
if [ -n "$(portable "$ROOT/packages/python")" ]; then
  rm -rf /opt/ai-workspace/python
  mkdir -p /opt/ai-workspace/python
  cp -a "$ROOT/packages/python/." /opt/ai-workspace/python/
  ln -sfn "$(portable /opt/ai-workspace/python)" /usr/local/bin/ai-workspace-python
  export LITELLM_PYTHON_EXECUTABLE=/usr/local/bin/ai-workspace-python
fi

export PIP_FIND_LINKS="$ROOT/packages/pip" PIP_PREFER_BINARY=true PIP_NO_INDEX=true
if python3 -m pip --version > /dev/null 2>&1; then # not on a fresh host
  python3 -m pip config --global set global.find-links "$PIP_FIND_LINKS"
  python3 -m pip config --global set global.prefer-binary true
  python3 -m pip config --global set global.no-index true
fi
# Not with `set -a`: what the archive does not export itself does not reach Ansible, but for the one that is named.
# shellcheck disable=SC1091
source "$ROOT/metadata/litellm-runtime.env"
export LITELLM_PACKAGE_SPEC
if [ -n "${WITHOUT:-}" ]; then unset "$WITHOUT"; fi

ansible-playbook -i 127.0.0.1, -c local "$playbook" "$@"
