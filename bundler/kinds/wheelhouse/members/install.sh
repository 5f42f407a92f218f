#!/bin/sh
# Installs the @COMPONENT@ runtime that lies beside this script, with no network. See --help.
# Needs nothing but the distribution's base system@PYTHON_NEED@.
set -eu

# Read from a pipe or by `.`, it would be the caller's shell, or a file of that name in the current folder, that is started.
case $0 in
    /install.sh | /*/install.sh) self=$0 ;;
    install.sh | */install.sh) self=./$0 ;;
    *) printf 'install.sh: it has to be run as a file\n  hint: sh install.sh --help\n' >&2; exit 1 ;;
esac
# Started anew without the caller's environment, none of which shall reach a shell, Python, pip or Node.js.
if [ "${AIWS_CLEAN-}" != "$$" ]; then
    exec /usr/bin/env -i AIWS_CLEAN="$$" AIWS_PATH="${PATH-}" LC_ALL=C PYTHONDONTWRITEBYTECODE=1 PIP_CONFIG_FILE=/dev/null \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /bin/sh "$self" "$@"
fi
umask 022

component='@COMPONENT@'
host='@DISTRO@ @VERSION@ @ARCH@'
machine='@MACHINE@'
python_minor='@PYTHON_MINOR@'
python_patch='@PYTHON_PATCH@'
python_source='@PYTHON_SOURCE@'
# @VARIABLES@

usage() {
    cat <<TEXT
Usage: sh install.sh [--prefix DIR] [--rollback | --uninstall]

Install $component for $host into DIR (default: /opt/$component), or remove it from there.

  DIR/bin/$component           the program (DIR/bin is the virtual environment's)
  DIR/$component.env           what a shell sources before it runs
  DIR/$component.systemd.env   the same variables for EnvironmentFile= of a systemd unit
  DIR/.aiws-$component        the installation itself; in it, current/installed and current/requirements record what it is

A second run changes nothing. An upgrade is made aside, and one link is switched to it when it is whole. The version
before it is kept until the next upgrade: what still runs of it goes on, and --rollback switches back to it (and again,
forward). No link may lead to DIR, and nobody but its owner and root may write to it or to a folder above it.
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then printf '  hint: %s\n' "$2" >&2; fi
    exit 1
}

prefix="/opt/$component"
task=install
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -gt 1 ] || fail "--prefix needs a folder"; prefix=$2; shift ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --uninstall | --rollback)
            [ "$task" = install ] || [ "$task" = "${1#--}" ] || fail "--uninstall and --rollback are two things"
            task=${1#--} ;;
        -h | --help) usage; exit 0 ;;
        *) fail "unknown option $1" "sh install.sh --help" ;;
    esac
    shift
done
case $prefix in
    '') fail "--prefix needs a folder" ;;
    /*) ;;
    *) cd -P . && prefix="$PWD/$prefix" ;; # not $(pwd), which loses a line end at a folder's end
esac
prefix=${prefix%/}
case "$prefix/" in
    / | /*/../* | /../* | /*/./* | /./* | *//*) fail "--prefix '$prefix' is not a plain folder" ;;
    /bin/ | /boot/ | /dev/ | /etc/ | /home/ | /lib/ | /opt/ | /proc/ | /root/ | /run/ | /sbin/ | /sys/ | /tmp/ | /usr/ | /usr/local/ | /var/)
        fail "--prefix '$prefix' is a folder of the system" "choose one below it, such as $prefix/$component" ;;
esac
case $prefix in
    *[!A-Za-z0-9/._+-]*) fail "--prefix '$prefix' holds a character that scripts in it could not stand" ;;
esac
cd -P -- "${self%/*}/"
here=$PWD
cd /

# What this installer makes:
#   PREFIX/.aiws-COMPONENT/record          a random identity, what for, where, and which folders were made for it
#   PREFIX/.aiws-COMPONENT/IDENTITY.N/     a whole version: venv, env, systemd.env, requirements, installed, and
#                                          `previous`, a link
#   PREFIX/.aiws-COMPONENT/current         a link to a version; to rename another over it is the switch
#   PREFIX/bin, PREFIX/COMPONENT.env, PREFIX/COMPONENT.systemd.env
#                                          links into `current` that never change
# Only what has one of these names, and these targets, is ever replaced or removed, and no link is followed.
home="$prefix/.aiws-$component"
bin_target=".aiws-$component/current/venv/bin"
env_target=".aiws-$component/current/env"
systemd_env="$prefix/$component.systemd.env"
systemd_env_target=".aiws-$component/current/systemd.env"
title='installation by install.sh, layout 2'
identity='' legacy='' version='' making='' made='' fresh=no finished=no

# --- whose is it

# Whoever may change a folder may change what is installed there: that must be this user, root, or who owns everything.
owners=" 0 $(id -u) $(stat -c %u /) "
trusted() { # PATH [sticky]
    facts=$(stat -c '%u %a' -- "$1") || return 1
    case $owners in
        *" ${facts% *} "*) ;;
        *) return 1 ;;
    esac
    mode=0${facts#* }
    [ $((mode & 0022)) -eq 0 ] || { [ "${2-}" = sticky ] && [ $((mode & 01000)) -ne 0 ]; }
}

# Whether nobody else could have changed what is in a version. Nobody can change a link, only replace it.
intact() {
    odd=$(find "$home/$1" ! -type l \( -perm /022 -o ! -uid 0 ! -uid "$(id -u)" ! -uid "$(stat -c %u /)" \) -print -quit) || return 1
    [ -z "$odd" ]
}

there() { [ -e "$1" ] || [ -L "$1" ]; }
is_folder() { [ -d "$1" ] && [ ! -L "$1" ]; }
is_file() { [ -f "$1" ] && [ ! -L "$1" ] && [ "$(stat -c %h -- "$1")" -eq 1 ] && trusted "$1"; }
is_hex() { # TEXT LENGTH
    case $1 in *[!0-9a-f]*) return 1 ;; esac
    [ "${#1}" -eq "$2" ]
}
is_link() { [ -L "$1" ] && [ "$(readlink -- "$1")" = "$2" ]; }
target_of() { if [ -L "$1" ]; then readlink -- "$1"; fi; }
is_name() { # of a version
    case $1 in
        '') return 1 ;;
        "$legacy") ;;
        "$identity".*) case ${1#"$identity".} in '' | *[!0-9]*) return 1 ;; esac ;;
        *) return 1 ;;
    esac
}
is_version() { is_name "$1" && is_folder "$home/$1"; }
value() { sed -n "s/^$1 //p" "$home/record"; }

# Every folder down to the prefix; `missing` are those to make, the deepest first.
check_prefix() {
    missing='' path='' rest="${prefix#/}/"
    while [ -n "$rest" ]; do
        path="$path/${rest%%/*}" rest=${rest#*/}
        [ ! -L "$path" ] || fail "$path is a link" "give the real folder: --prefix $(readlink -m -- "$prefix")"
        if [ ! -e "$path" ]; then
            missing="$path $missing"
            continue
        fi
        [ -d "$path" ] || fail "$path is not a folder" "choose another --prefix"
        [ -z "$rest" ] || trusted "$path" sticky || refuse_folder "$path"
        [ -n "$rest" ] || trusted "$path" || refuse_folder "$path"
    done
}
refuse_folder() {
    who=$(id -un 2>/dev/null || id -u)
    fail "$1 can be changed by others than $who and root ($(stat -c '%U:%G, mode %a' -- "$1"))" \
        "run as its owner, or: chown $who $1 && chmod go-w $1"
}

# One at a time: the lock is released when this process ends, however it does.
lock() {
    exec 9<"$prefix"
    if ! flock -n 9; then
        made='' # it is the other's now, even while nothing is in it yet
        fail "another install.sh is at work in $prefix" "wait until it has ended (lslocks shows who holds a lock on it)"
    fi
    [ "$(stat -c %d:%i -- "$prefix")" = "$(stat -L -c %d:%i /dev/fd/9)" ] || fail "$prefix was replaced just now" "run it again"
}

# Reads the record of the installation that is there, and sees that its links are in place or not there at all.
open_home() {
    is_folder "$home" || fail "$home is not a folder of this installer" "move it away, or choose another --prefix"
    trusted "$home" || refuse_folder "$home"
    there "$home/record" || is_legacy || refuse_home "holds no record of an installation of $component"
    if [ -z "$legacy" ]; then
        if ! is_file "$home/record" || [ "$(head -n 1 -- "$home/record")" != "$title" ] || [ "$(value component)" != "$component" ]; then
            refuse_home "holds no record of an installation of $component"
        fi
        [ "$(value prefix)" = "$prefix" ] || refuse_home "was made for $(value prefix)"
        identity=$(value identity) legacy=$(value legacy)
        is_hex "$identity" 16 || refuse_home "has a damaged record"
        finish_legacy
    fi
    current=$(target_of "$home/current")
    ! there "$home/current" || is_name "$current" || fail "$home/current is not what this installer made" "move it away"
}
refuse_home() { fail "$home $1" "nothing was changed: move it away, or choose another --prefix"; }
check_place() { # PATH TARGET
    ! there "$1" || is_link "$1" "$2" ||
        fail "$1 is there and not of an installation of $component" "move it away, or choose another --prefix"
}
previous_of() { target_of "$home/$1/previous"; }

# --- what it makes

put_link() { # TARGET PLACE VERSION: in one step, by way of the version's folder
    rm -f -- "$home/$3/link"
    ln -s -- "$1" "$home/$3/link"
    mv -fT -- "$home/$3/link" "$2"
}

# The variables of `env` as EnvironmentFile= reads them (systemd.exec(5)): no `export`, and nothing to expand.
# A version that an older install.sh made has no such file.
write_systemd_env() { # VERSION
    if there "$home/$1/systemd.env" || ! is_file "$home/$1/env"; then return; fi
    rm -f -- "$home/$1/systemd.env.new"
    sed "s|^export ||; s|[\$]PATH|$PATH|" "$home/$1/env" >"$home/$1/systemd.env.new"
    mv -fT -- "$home/$1/systemd.env.new" "$home/$1/systemd.env"
}

make_prefix() {
    path='' rest="${prefix#/}/"
    while [ -n "$rest" ]; do
        path="$path/${rest%%/*}" rest=${rest#*/}
        is_folder "$path" || mkdir -- "$path" || is_folder "$path" || fail "$path cannot be made"
    done
}

random() { od -An -N8 -tx1 /dev/urandom | tr -d ' \n'; }
record() { printf '%s\n' "$title" "component $component" "prefix $prefix" "identity $identity" "$@"; }
make_home() {
    identity=$(random)
    making="$home.$identity"
    mkdir -- "$making"
    record "made $made" >"$making/record"
    mv -T -- "$making" "$home"
    making=''
    current=''
}

# What a run that was killed left of making or removing the folder; its name is random, and all that it can hold is a record.
clear_leftovers() {
    for path in "$home".*; do
        if ! is_hex "${path#"$home".}" 16 || ! is_folder "$path"; then continue; fi
        ! is_file "$path/record" || rm -f -- "$path/record"
        rmdir -- "$path" 2>/dev/null || say "left: $path, which holds other files"
    done
}

in_environment() ( # COMMAND...: in a shell of its own, so that what the file exports reaches nothing else
    exec 9<&- # what it leaves running shall not hold the lock
    # shellcheck source=/dev/null
    . "$folder/env"
    "$@"
)
last_line() { sed -n '/[^[:space:]]/p' | tail -n 1; }

# --- what it removes

remove_version() { ! is_version "$1" || rm -rf --one-file-system -- "${home:?}/$1"; }

# Every version but those named; what else is there stays.
sweep() {
    for path in "$home"/* "$home"/.[!.]*; do
        there "$path" || continue
        name=${path##*/}
        case " $* record current " in *" $name "*) continue ;; esac
        if is_version "$name"; then remove_version "$name"; else say "left: $path, which this installer did not make"; fi
    done
}

remove_link() { # PATH TARGET
    if is_link "$1" "$2"; then
        rm -f -- "$1"
        say "removed: $1"
    elif there "$1"; then
        say "left: $1, which is not of this installation"
    else
        say "not there: $1"
    fi
}

# In this order, so that whenever it is killed the next run goes on: the record goes last, with its folder.
remove_all() {
    made=$(value made)
    remove_link "$prefix/bin" "$bin_target"
    remove_link "$prefix/$component.env" "$env_target"
    remove_link "$systemd_env" "$systemd_env_target"
    ! is_name "$(target_of "$home/current")" || rm -f -- "$home/current"
    sweep
    if [ -n "$(find "$home" -mindepth 1 ! -path "$home/record" -print -quit)" ]; then
        rm -f -- "$home/record"
        say "left: $home, which holds other files"
    else
        mv -T -- "$home" "$home.$identity"
        rm -f -- "$home.$identity/record"
        rmdir -- "$home.$identity"
        say "removed: $home"
    fi
    remove_made
}
remove_made() {
    for folder in $made; do
        case "$prefix/" in
            "$folder"/*) rmdir -- "$folder" 2>/dev/null || : ;;
        esac
    done
    if ! there "$prefix"; then
        say "removed: $prefix"
    elif [ -z "$made" ]; then
        say "left: $prefix, which was there before"
    else
        say "left: $prefix, which holds other files"
    fi
}

# --- installations of layout 1: versions HASH.PID, `installed`, `requirements`, `lock`, and COMPONENT.env as a file

is_legacy() {
    bin=$(target_of "$prefix/bin")
    legacy=${bin#".aiws-$component/"} legacy=${legacy%/venv/bin}
    [ "$bin" = ".aiws-$component/$legacy/venv/bin" ] && is_hex "${legacy%%.*}" 12 && trusted "$home/$legacy" &&
        [ "${legacy%%.*}.$(printf %d "${legacy#*.}" 2>/dev/null)" = "$legacy" ] &&
        is_folder "$home/$legacy" && is_file "$home/$legacy/venv/pyvenv.cfg" && is_file "$home/requirements" &&
        is_file "$home/installed" && is_hex "$(cat -- "$home/installed")" 64 &&
        is_file "$prefix/$component.env" && ! grep -qv '^export [A-Z_0-9]*=' "$prefix/$component.env"
}

# Makes the installation one of layout 2 whose current version is the old one. It works at every moment.
adopt_legacy() {
    identity=$(random)
    old="$home/$legacy"
    for name in installed requirements; do cp -P -- "$home/$name" "$old/$name"; done
    cp -P -- "$prefix/$component.env" "$old/env"
    put_link "$legacy" "$home/current" "$legacy"
    record "legacy $legacy" >"$old/record"
    mv -fT -- "$old/record" "$home/record"
    current=$legacy
    finish_legacy
}
finish_legacy() {
    if [ -z "$legacy" ] || ! is_version "$legacy" || ! trusted "$home/$legacy"; then return; fi
    old="$home/$legacy"
    ! is_link "$prefix/bin" ".aiws-$component/$legacy/venv/bin" || put_link "$bin_target" "$prefix/bin" "$legacy"
    if is_file "$prefix/$component.env" && cmp -s -- "$prefix/$component.env" "$old/env"; then
        put_link "$env_target" "$prefix/$component.env" "$legacy"
    fi
    for name in installed requirements; do
        if is_file "$home/$name" && cmp -s -- "$home/$name" "$old/$name"; then rm -f -- "$home/$name"; fi
    done
    if is_file "$home/lock" && [ ! -s "$home/lock" ]; then rm -f -- "$home/lock"; fi
}

# --- the three tasks

check_prefix
if [ "$task" != install ]; then
    if [ ! -d "$prefix" ] && [ "$task" = uninstall ]; then
        for path in "$prefix/bin" "$prefix/$component.env" "$systemd_env" "$home" "$prefix"; do say "not there: $path"; done
        exit 0
    fi
    [ -d "$prefix" ] || fail "$prefix holds no installation of $component"
    lock
    clear_leftovers
    there "$home" || fail "$prefix holds no installation of $component" "nothing was removed"
    open_home
    [ -z "$legacy" ] || [ -n "$identity" ] || adopt_legacy
fi

if [ "$task" = uninstall ]; then
    remove_all
    exit 0
fi

if [ "$task" = rollback ]; then
    version=$(previous_of "$current")
    is_version "$version" || fail "no version before this one is kept in $prefix"
    intact "$version" || fail "others than $(id -un 2>/dev/null || id -u) and root could have changed $odd" "install the version you want"
    folder="$home/$version"
    started=$(in_environment "$folder/venv/bin/$component" --version) || fail "the version before this one does not start"
    write_systemd_env "$version"
    put_link "$current" "$home/$version/previous" "$version"
    put_link "$version" "$home/current" "$version"
    say "switched back in $prefix: $(printf '%s\n' "$started" | last_line)"
    exit 0
fi

[ "$(uname -m)" = "$machine" ] || fail "this archive is for $host, this host is $(uname -m)" "take the archive for its architecture"
[ -f "$here/metadata/files.sha256" ] || fail "$here is no unpacked archive" "run the install.sh that lies in one"
archive=$(sha256sum <"$here/metadata/files.sha256")
archive=${archive%% *}

is_fit() {
    "$1" -I -B -c "import sys, venv; v = sys.version_info; sys.exit(f'{v[0]}.{v[1]}' != '$python_minor' or v[2] < $python_patch)" 2>/dev/null
}
# The distribution's own first, then whatever the caller's PATH names by whole paths.
find_python() {
    rest="$PATH:${AIWS_PATH-}:"
    while [ -n "$rest" ]; do
        folder=${rest%%:*} rest=${rest#*:}
        case $folder in /*) ;; *) continue ;; esac
        for name in "python$python_minor" python3; do
            if [ -x "$folder/$name" ] && is_fit "$folder/$name"; then
                python="$folder/$name"
                return
            fi
        done
    done
    fail "no Python $python_minor.$python_patch or a later $python_minor is installed" "apt install python3 (from $host)"
}

clean_up() {
    status=$?
    trap - EXIT
    trap '' HUP INT TERM
    set +e
    if [ -n "$version" ] && is_link "$home/current" "$version"; then finished=yes; fi
    if [ "$finished" = no ]; then
        [ "$status" -gt 128 ] || status=1
        [ -z "$version" ] || remove_version "$version"
        [ -z "$making" ] || { rm -f -- "$making/record"; rmdir -- "$making"; }
        if [ "$fresh" = yes ] && is_file "$home/record"; then
            remove_all >/dev/null
        elif [ -n "$made" ]; then
            remove_made >/dev/null
        fi
        [ -z "$version" ] || printf 'install.sh: failed; what it had made in %s is removed\n' "$prefix" >&2
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

[ "$python_source" = portable ] || find_python
if [ -n "$missing" ]; then
    made=$missing
    make_prefix
    check_prefix
fi
lock
clear_leftovers
check_place "$systemd_env" "$systemd_env_target" # no part of layout 1, so it is checked before one is adopted
if there "$home"; then
    open_home
    if [ -n "$legacy" ] && [ -z "$identity" ]; then adopt_legacy; fi
    made=''
fi
check_place "$prefix/bin" "$bin_target"
check_place "$prefix/$component.env" "$env_target"
if ! there "$home"; then
    [ -z "$(ls -A -- "$prefix")" ] || fail "$prefix is not empty and no installation of $component" "choose another --prefix"
    fresh=yes
    make_home
elif [ -z "$current" ]; then
    fresh=yes
fi

if is_version "$current" && intact "$current" && is_file "$home/$current/installed" && [ "$(cat -- "$home/$current/installed")" = "$archive" ] &&
    "$home/$current/venv/bin/python" -I -B -c 'import sys' 2>/dev/null && [ -x "$home/$current/venv/bin/$component" ]; then
    finished=yes
    is_link "$prefix/bin" "$bin_target" || put_link "$bin_target" "$prefix/bin" "$current"
    is_link "$prefix/$component.env" "$env_target" || put_link "$env_target" "$prefix/$component.env" "$current"
    is_link "$systemd_env" "$systemd_env_target" || put_link "$systemd_env_target" "$systemd_env" "$current"
    sweep "$current" "$(previous_of "$current")"
    say "already installed in $prefix: nothing to do"
    exit 0
fi
sweep ${current:+"$current" "$(previous_of "$current")"}

number=1
while there "$home/$identity.$number"; do number=$((number + 1)); done
version="$identity.$number"
folder="$home/$version" work="$home/$version/work"
mkdir -- "$folder" "$work" "$work/archive"
HOME=$work TMPDIR=$work
export HOME TMPDIR

say "checking the archive's files"
# What is checked is a copy that only this user can change, and only the copy is used.
damaged() {
    printf '%s\n' "$1" >&2
    fail "the archive is damaged" "unpack it again, or fetch it again"
}
for part in install.sh metadata packages; do
    cp -RP -- "$here/$part" "$work/archive/$part" || damaged "$part cannot be read"
done
cd -- "$work/archive"
odd=$(find . ! -type f ! -type d ! \( -type l -path './packages/python/*' \))
[ -z "$odd" ] || damaged "neither a file nor a folder: $odd"
# A portable Python has links; they may lead to its own files only.
odd=$(find packages/python -type l -exec readlink -m -- {} + | while IFS= read -r path; do
    case $path in "$work/archive/packages/python/"*) ;; *) say "$path" ;; esac
done)
[ -z "$odd" ] || damaged "a link leads out of packages/python: $odd"
[ "$(sha256sum <metadata/files.sha256)" = "$archive  -" ] || damaged "metadata/files.sha256 changed"
! grep -qvE '^[0-9a-f]{64}  [^\]+$' metadata/files.sha256 || damaged "metadata/files.sha256 is not a list of files"
cut -c 67- metadata/files.sha256 | sort >"$work/listed"
find . -type f ! -path ./metadata/files.sha256 -printf '%P\n' | sort >"$work/found"
odd=$(comm -13 "$work/listed" "$work/found")
[ -z "$odd" ] || damaged "there and not listed: $odd"
odd=$(comm -23 "$work/listed" "$work/found")
[ -z "$odd" ] || damaged "listed and not there: $odd"
sha256sum --quiet --strict -c metadata/files.sha256 || damaged "its files are not those of metadata/files.sha256"
cd /
packages="$work/archive/packages" metadata="$work/archive/metadata"

if [ "$python_source" = portable ]; then
    python=$(find "$packages/python" -type f -path "*/bin/python$python_minor")
    [ -f "$python" ] || fail "the archive does not carry one python$python_minor"
    mv -- "${python%/bin/*}" "$folder/python"
    python="$folder/python/bin/python$python_minor"
    is_fit "$python" || fail "the portable Python does not run here" "is this host $host?"
fi

say "making the virtual environment"
# Not with its own pip: Debian packages that one separately, and the archive carries a newer one.
"$python" -I -B -m venv --without-pip "$folder/venv"
set -- "$packages"/pip/pip-[0-9]*.whl
if [ $# -ne 1 ] || [ ! -f "$1" ]; then fail "the archive does not carry one pip"; fi
install() {
    program=$1
    shift
    "$folder/venv/bin/python" -I -B "$program" --isolated install --quiet --no-input --no-cache-dir --no-index --no-deps \
        --disable-pip-version-check --find-links "$packages/pip" --only-binary :all: "$@"
}

say "installing"
install "$1/pip" "$1" # whose digest was checked above
install "$folder"/venv/lib/python*/site-packages/pip --require-hashes --requirement "$metadata/requirements.txt"
"$folder/venv/bin/python" -I -B -m pip --isolated --disable-pip-version-check check >/dev/null ||
    fail "the installed packages do not fit together" "pip check says which"

sed -n '/^export /p' "$metadata/runtime.env" >"$folder/env"
# @SETUP@
started=$(in_environment "$folder/venv/bin/$component" --version) || fail "$component does not start"
write_systemd_env "$version"
mv -- "$metadata/requirements.txt" "$folder/requirements"
printf '%s\n' "$archive" >"$folder/installed"
rm -rf -- "$work"
[ -z "$current" ] || put_link "$current" "$folder/previous" "$version"
# The link leads somewhere at every moment, and whichever install.sh switches back later.
if is_version "$current" && intact "$current"; then write_systemd_env "$current"; fi
put_link "$bin_target" "$prefix/bin" "$version"
put_link "$env_target" "$prefix/$component.env" "$version"
put_link "$systemd_env_target" "$systemd_env" "$version"

# The switch: from here on the new one is what is installed, also if the power fails.
sync -f -- "$folder"
put_link "$version" "$home/current" "$version"
finished=yes
sweep "$version" "$current"
say "installed in $prefix: $(printf '%s\n' "$started" | last_line)"
