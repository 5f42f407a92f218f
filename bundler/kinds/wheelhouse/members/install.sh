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
        PATH=@PATH@ /bin/sh "$self" "$@"
fi
umask 022

component='@COMPONENT@'
app='@PROGRAM@' # its program
host='@DISTRO@ @VERSION@ @ARCH@'
machine='@MACHINE@'
python_minor='@PYTHON_MINOR@'
python_patch='@PYTHON_PATCH@'
python_source='@PYTHON_SOURCE@'
# @VARIABLES@

# @SYSTEM@
usage() {
    cat <<TEXT
Usage: sh install.sh [--prefix DIR] [--$manager] [--no-reuse] [--require-signature KEY [--assets DIR] [--tag TAG]]
       sh install.sh [--prefix DIR] --rollback | --status | --uninstall [--purge]

Install $component for $host into DIR (default: $default_prefix), or remove it from there.

  DIR/bin/$app           the program (DIR/bin is the virtual environment's)
  DIR/$component.env           what a shell sources before it runs
$(plain_usage)
  DIR/.aiws-$component        the installation itself; in it, current/installed and current/requirements record what it is

A second run changes nothing. An upgrade is made aside, and one link is switched to it when it is whole. The version
before it is kept until the next upgrade: what still runs of it goes on, and --rollback switches back to it (and again,
forward). An upgrade copies the packages that did not change from the version before, where they are as they were
installed; --no-reuse installs all of them from the archive. No link may lead to DIR, and nobody but its owner and root may write to it or to a folder above it.

$(service_usage)

--require-signature installs only what the owner of KEY signed: minisign.pub, an OpenSSH public key or allowed_signers
(a file, or one key as text) that did not come with the archive. It needs ssh-keygen or minisign, and the archive,
SHA256SUMS and its signatures as they were downloaded in one folder: --assets DIR, else the one that $component-runtime
stands in. --tag TAG: the signature has to be for that release. This script came with the archive: what proves the
archive before it is unpacked is told in docs/verifying.md of the project.
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then printf '  hint: %s\n' "$2" >&2; fi
    exit 1
}

prefix=$default_prefix
task=install key='' assets='' tag='' as_service=no purge=no reuse=yes
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -gt 1 ] || fail "--prefix needs a folder"; prefix=$2; shift ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --require-signature | --assets | --tag)
            [ -n "${2-}" ] || fail "$1 needs something after it" "sh install.sh --help"
            case $1 in
                --assets) assets=$2 ;;
                --tag) tag=$2 ;;
                *) key=$2 ;;
            esac
            shift ;;
        "--$manager") as_service=yes ;;
        --purge) purge=yes ;;
        --no-reuse) reuse=no ;;
        --uninstall | --rollback | --status)
            [ "$task" = install ] || [ "$task" = "${1#--}" ] || fail "$1 and --$task are two things"
            task=${1#--} ;;
        -h | --help) usage; exit 0 ;;
        *) fail "unknown option $1" "sh install.sh --help" ;;
    esac
    shift
done
[ -n "$key" ] || [ -z "$assets$tag" ] || fail "--assets and --tag go with --require-signature"
[ -z "$key" ] || [ "$task" = install ] || fail "--require-signature is of what is installed, not of what --$task does"
[ "$as_service" = no ] || [ "$task" = install ] || fail "--$manager goes with an installation, not with --$task"
[ "$reuse" = yes ] || [ "$task" = install ] || fail "--no-reuse goes with an installation, not with --$task"
[ "$purge" = no ] || [ "$task" = uninstall ] || fail "--purge goes with --uninstall"
[ "$purge" = no ] || may_purge
case $prefix in
    '') fail "--prefix needs a folder" ;;
    /*) ;;
    *) cd -P . && prefix="$PWD/$prefix" ;; # not $(pwd), which loses a line end at a folder's end
esac
prefix=${prefix%/}
case "$prefix/" in
    / | /*/../* | /../* | /*/./* | /./* | *//*) fail "--prefix '$prefix' is not a plain folder" ;;
esac
case " $system_folders " in
    *" $prefix "*) fail "--prefix '$prefix' is a folder of the system" "choose one below it, such as $prefix/$component" ;;
esac
case $prefix in
    *[!A-Za-z0-9/._+-]*) fail "--prefix '$prefix' holds a character that scripts in it could not stand" ;;
esac
cd -P . # for what is not told by a whole path
case $key in /*) ;; *) [ ! -f "$key" ] || key="$PWD/$key" ;; esac
case $assets in '' | /*) ;; *) assets="$PWD/$assets" ;; esac
cd -P -- "${self%/*}/"
here=$PWD
[ -n "$assets" ] || assets="${here%/*}/"
cd /
[ "$(uname -s)" = '@UNAME@' ] || fail "this archive is for $host, this host runs $(uname -s)" "take the archive for it"

# What this installer makes:
#   PREFIX/.aiws-COMPONENT/record          a random identity, what for, where, and which folders were made for it
#   PREFIX/.aiws-COMPONENT/IDENTITY.N/     a whole version: venv, env, systemd.env, requirements, installed, what its
#                                          service needs, `compiled`, which an upgrade reuses, `changed`, the files that
#                                          the program changed as it started here, if any, and `previous`, a link
#   PREFIX/.aiws-COMPONENT/current         a link to a version; to rename another over it is the switch
#   PREFIX/bin, PREFIX/COMPONENT.env, PREFIX/COMPONENT.systemd.env
#                                          links into `current` that never change
# Only what has one of these names, and these targets, is ever replaced or removed, and no link is followed.
home="$prefix/.aiws-$component"
bin_target=".aiws-$component/current/venv/bin"
env_target=".aiws-$component/current/env"
systemd_env="$prefix/$component.$plain.env"
systemd_env_target=".aiws-$component/current/systemd.env"
title='installation by install.sh, layout 2'
identity='' legacy='' version='' making='' made='' checking='' compiling='' flushing='' fresh=no finished=no

# --- whose is it

# Whoever may change a folder may change what is installed there: that must be this user, root, or who owns everything.
root_facts=$(facts_of /)
owners=" 0 $(id -u) ${root_facts% *} "
trusted() { # PATH [sticky]
    facts=$(facts_of "$1") || return 1
    case $owners in
        *" ${facts% *} "*) ;;
        *) return 1 ;;
    esac
    mode=0${facts#* }
    [ $((mode & 0022)) -eq 0 ] || { [ "${2-}" = sticky ] && [ $((mode & 01000)) -ne 0 ]; }
}

# Whether nobody else could have changed what is in a version. Nobody can change a link, only replace it.
intact() {
    odd=$(find "$home/$1" ! -type l \( -perm -020 -o -perm -002 -o ! -uid 0 ! -uid "$(id -u)" ! -uid "${root_facts% *}" \) -print -quit) || return 1
    [ -z "$odd" ]
}

there() { [ -e "$1" ] || [ -L "$1" ]; }
is_folder() { [ -d "$1" ] && [ ! -L "$1" ]; }
is_file() { [ -f "$1" ] && [ ! -L "$1" ] && [ "$(links_of "$1")" -eq 1 ] && trusted "$1"; }
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
        [ ! -L "$path" ] || fail "$path is a link" "give the real folder: --prefix $(real_path "$prefix")"
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
    fail "$1 can be changed by others than $who and root ($(described "$1"))" \
        "run as its owner, or: chown $who $1 && chmod go-w $1"
}

# One at a time: the lock is released when this process ends, however it does.
lock() {
    exec 9<"$prefix"
    took=0
    take_lock "$prefix" || took=$?
    [ "$took" -ne 1 ] || made='' # it is the other's now, even while nothing is in it yet
    case $took in
        0) ;;
        1) fail "another install.sh is at work in $prefix" "wait until it has ended ($who_locks)" ;;
        2) fail "$prefix was replaced just now" "run it again" ;;
        *) fail "$prefix cannot be locked" "choose a --prefix on a disk of this host" ;;
    esac
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
    move_over "$home/$3/link" "$2"
}

# The variables of `env` as EnvironmentFile= reads them (systemd.exec(5)): no `export`, and nothing to expand.
# A version that an older install.sh made has no such file.
write_systemd_env() { # VERSION
    if there "$home/$1/systemd.env" || ! is_file "$home/$1/env"; then return; fi
    rm -f -- "$home/$1/systemd.env.new"
    sed "s|^export ||; s|[\$]PATH|$PATH|" "$home/$1/env" >"$home/$1/systemd.env.new"
    move_over "$home/$1/systemd.env.new" "$home/$1/systemd.env"
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
    move_over "$making" "$home"
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
# Whether a program starts; leaves in `started` what it says of its version. One that does not know the word is asked for help.
starts() { # COMMAND
    if ! started=$(in_environment "$1" --version </dev/null 2>/dev/null); then
        started=''
        in_environment "$1" --help </dev/null >/dev/null || return 1
    fi
    started=$(printf '%s\n' "$started" | last_line)
    [ -n "$started" ] || started=$app
}

# --- what it removes

remove_version() { ! is_version "$1" || remove_tree "${home:?}/$1"; }

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
        move_over "$home" "$home.$identity"
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
    move_over "$old/record" "$home/record"
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

# --- what it shows

show_all() { # returns 1 if something is wrong
    wrong=0 folder="$home/$current" before=$(previous_of "$current")
    say "installed $(known "$current"), in $prefix"
    say "archive   metadata/files.sha256 has the SHA-256 $(cat -- "$folder/installed")"
    if is_version "$before"; then say "before    $(known "$before"): --rollback"; else say "before    none"; fi
    set -- "$folder"/venv/lib/python*/site-packages
    ! is_file "$folder/changed" || set -- "$1" "$folder/changed"
    if ! is_file "$folder/probe.py"; then
        say "files     not compared: an older install.sh installed this version"
    elif said=$("$folder/venv/bin/python" -I -B "$folder/probe.py" files "$@" 2>&1); then
        say "files     $said"
    else
        say "files     $said"
        wrong=1
    fi
    [ -z "$before" ] || before=", of which the version before has $(du -sh -- "$home/$before" | cut -f 1)"
    say "disk      $(du -sh -- "$home" | cut -f 1)$before"
    show_service || wrong=1
    return "$wrong"
}
known() { # VERSION: what its program said
    if is_file "$home/$1/version"; then cat -- "$home/$1/version"; else say "a version of an older install.sh"; fi
}

# --- whose it is said to be

fail_key() { fail "--require-signature '$key' is no Ed25519 public key" "$1"; }
# Makes `allowed`, for ssh-keygen, and `raw`, the key's 32 bytes; not of allowed_signers, which may name several and dates.
read_key() {
    if [ -f "$key" ]; then head -c 65536 -- "$key"; else printf '%s\n' "$key"; fi | tr -d '\r' >"$aside/key"
    mini=$(grep -Ex 'RW[A-Za-z0-9+/]{54}' "$aside/key") || :
    word=$mini$(sed -nE 's/^ssh-ed25519 ([A-Za-z0-9+/]{68})( .*)?$/\1/p' "$aside/key")
    if [ -n "$word" ]; then
        [ "${#word}" -lt 70 ] || fail_key "it holds several keys: give one, or allowed_signers"
        printf '%s' "$word" | base64 --decode | tail -c 32 >"$aside/raw"
        word=$({ printf '\000\000\000\013ssh-ed25519\000\000\000\040' && cat "$aside/raw"; } | base64 | tr -d '\n')
        printf 'KEY namespaces="*@aiws-bundle" ssh-ed25519 %s\n' "$word" >"$aside/allowed"
    elif grep -q ' ssh-ed25519 ' "$aside/key"; then
        cp -- "$aside/key" "$aside/allowed"
    else
        fail_key "give a file (is it there?), or the key itself: RW..., or 'ssh-ed25519 AAAA...'"
    fi
}

# These two leave in `said` of which release the signature is, if it is good and one that the key may make.
by_minisign() { # FILE
    word=$mini # of OpenSSH's form: the id by which minisign finds keys, and proves nothing, is the signature's
    [ -n "$word" ] || word=$({ printf Ed && sed -n 2p "$1" | base64 --decode | head -c 10 | tail -c 8 && cat "$aside/raw"; } 2>/dev/null | base64 | tr -d '\n')
    comment=$(minisign -Q -Vm "$aside/SHA256SUMS" -x "$1" -P "$word" 2>/dev/null) || return 1
    case $comment in
        tag:*) said=${comment#tag:} said=${said%% *} ;;
        *) said=folder ;;
    esac
}
by_ssh() { # FILE
    # "SSHSIG", a version, an Ed25519 key: 65 bytes, then the namespace after its length. -Y verify compares it.
    sed '/^-----/d' "$1" | base64 --decode >"$aside/blob" 2>/dev/null || return 1
    length=$(od -An -v -tu1 -j 65 -N 4 "$aside/blob" | tr -s ' ') length=${length% }
    case $length in ' 0 0 0 '*) length=${length#' 0 0 0 '} ;; *) return 1 ;; esac
    space=$(tail -c +70 "$aside/blob" | head -c "$length" | tr -d '\0')
    case $space in *[!A-Za-z0-9._@/+-]*) return 1 ;; *?@aiws-bundle) ;; *) return 1 ;; esac
    who=$(ssh-keygen -Y find-principals -s "$1" -f "$aside/allowed" 2>/dev/null | head -n 1)
    [ -n "$who" ] || return 1
    ssh-keygen -Y verify -s "$1" -f "$aside/allowed" -I "$who" -n "$space" <"$aside/SHA256SUMS" >/dev/null 2>&1 || return 1
    said=${space%@aiws-bundle}
}
find_signature() {
    programs='' tried=''
    for program in ssh-keygen minisign; do
        command -v "$program" >/dev/null || continue
        [ "$program" = ssh-keygen ] || [ -s "$aside/raw" ] || continue
        programs="$programs $program"
        case $program in minisign) end=minisig ;; *) end=sig ;; esac
        for file in "$assets/SHA256SUMS.$end" "$assets"/SHA256SUMS.*".$end"; do
            [ -f "$file" ] || continue
            tried="$tried ${file##*/}"
            head -c 65536 -- "$file" >"$aside/signature"
            if "by_${program%-keygen}" "$aside/signature"; then
                say "$(printf '%s: signed by the key, for %s' "${file##*/}" "$said" | tr -cd '[:print:]')"
                return
            fi
        done
    done
    [ -n "$programs" ] || fail "neither ssh-keygen nor minisign is installed, which check signatures" \
        "$get_ssh_keygen; minisign serves as well, but not for allowed_signers"
    [ -n "$tried" ] || fail "$assets holds no signature that$programs could check" \
        "put SHA256SUMS.sig and SHA256SUMS.minisig there, or say where they are: --assets DIR"
    fail "$assets/SHA256SUMS: none of$tried is a good signature of it by that key" \
        "do not install it; is it the right key, and are all files of one release?"
}

# Whether the unpacked list of files is the one in an archive that SHA256SUMS lists. The files are compared with it later.
find_archive() {
    names=''
    while read -r digest name; do
        case $name in */*) continue ;; @ASSETS@) names="$names $name" ;; *) continue ;; esac
        [ -f "$assets/$name" ] || continue
        [ "$(sha256 <"$assets/$name")" = "$digest  -" ] ||
            fail "$assets/$name is not what SHA256SUMS lists" "fetch it again, and unpack that"
        list=$(tar -xzOf - "$component-runtime/metadata/files.sha256" <"$assets/$name" | sha256)
        [ "$list" = "$archive  -" ] || fail "$here is not what is in $name" "remove it, and unpack the archive again"
        say "$name: what SHA256SUMS lists, and what is unpacked here"
        return
    done <"$aside/SHA256SUMS"
    [ -n "$names" ] || fail "SHA256SUMS lists no archive of $component for $host" "is it of another release?"
    fail "$assets does not hold$names" "put the archive there as it was downloaded; of parts: cat NAME.part-* >NAME"
}

check_signature() (
    [ -f "$assets/SHA256SUMS" ] || fail "$assets holds no SHA256SUMS" \
        "--assets DIR: the folder with the archive, SHA256SUMS and its signatures, as they were downloaded"
    aside=$(mktemp -d)
    trap 'rm -rf -- "$aside"' EXIT
    trap 'exit 130' HUP INT TERM
    head -c 4194304 -- "$assets/SHA256SUMS" >"$aside/SHA256SUMS"
    read_key
    find_signature
    [ -z "$tag" ] || [ "$said" = "$tag" ] || fail "it is signed for $said, not for $tag" "fetch the files of that release"
    find_archive
)

# @SERVICE@
# --- the four tasks

check_prefix
if [ "$task" != install ]; then
    if [ ! -d "$prefix" ] && [ "$task" = uninstall ]; then
        for path in "$prefix/bin" "$prefix/$component.env" "$systemd_env" "$home" "$prefix"; do say "not there: $path"; done
        [ "$purge" = no ] || purge_service
        exit 0
    fi
    [ -d "$prefix" ] || fail "$prefix holds no installation of $component"
    [ "$task" = status ] || { lock && clear_leftovers; }
    there "$home" || fail "$prefix holds no installation of $component" "nothing was removed"
    open_home
    [ -z "$legacy" ] || [ -n "$identity" ] || [ "$task" = status ] || adopt_legacy
fi

if [ "$task" = uninstall ]; then
    serving=no
    ! has_service || serving=yes
    remove_service
    remove_all
    if [ "$purge" = yes ]; then purge_service; elif [ "$serving" = yes ]; then tell_what_stays; fi
    exit 0
fi

if [ "$task" = status ]; then
    if ! is_version "$current" || ! intact "$current"; then fail "$prefix holds no whole version of $component" "install it again"; fi
    show_all
    exit "$?"
fi

if [ "$task" = rollback ]; then
    version=$(previous_of "$current")
    is_version "$version" || fail "no version before this one is kept in $prefix"
    intact "$version" || fail "others than $(id -un 2>/dev/null || id -u) and root could have changed $odd" "install the version you want"
    folder="$home/$version"
    starts "$folder/venv/bin/$app" || fail "the version before this one does not start"
    write_systemd_env "$version"
    if has_service && [ ! -d "$folder/$manager" ]; then adopt_service "$current" "$version"; fi
    put_link "$current" "$home/$version/previous" "$version"
    put_link "$version" "$home/current" "$version"
    if has_service && is_booted && ! renew_service "$version" "$(ran)"; then
        switch_back "$version" "$current" || fail "neither version becomes ready" "$service_words"
        fail "the version before does not become ready: the one that ran runs again" "its last words are above"
    fi
    say "switched back in $prefix: $started"
    exit 0
fi

check_host
[ -f "$here/metadata/files.sha256" ] || fail "$here is no unpacked archive" "run the install.sh that lies in one"
archive=$(sha256 <"$here/metadata/files.sha256")
archive=${archive%% *}
[ -z "$key" ] || check_signature
[ "$as_service" = no ] || check_service

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
    cd / # what is removed is no place to be
    end_trial
    for process in $checking $compiling $flushing; do
        kill "$process" 2>/dev/null
        wait "$process"
    done
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
[ "$as_service" = no ] || check_units
if ! there "$home"; then
    [ -z "$(ls -A -- "$prefix")" ] || fail "$prefix is not empty and no installation of $component" "choose another --prefix"
    fresh=yes
    make_home
elif [ -z "$current" ]; then
    fresh=yes
fi

if is_version "$current" && is_file "$home/$current/installed" && [ "$(cat -- "$home/$current/installed")" = "$archive" ] && intact "$current" &&
    "$home/$current/venv/bin/python" -I -B -c 'import sys' 2>/dev/null && [ -x "$home/$current/venv/bin/$app" ]; then
    finished=yes
    is_link "$prefix/bin" "$bin_target" || put_link "$bin_target" "$prefix/bin" "$current"
    is_link "$prefix/$component.env" "$env_target" || put_link "$env_target" "$prefix/$component.env" "$current"
    is_link "$systemd_env" "$systemd_env_target" || put_link "$systemd_env_target" "$systemd_env" "$current"
    sweep "$current" "$(previous_of "$current")"
    if [ "$as_service" = yes ] || { has_service && is_booted; }; then catch_up; fi
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
for part in README.md install.sh metadata packages; do
    cp -RP -- "$here/$part" "$work/archive/$part" || damaged "$part cannot be read"
done
cd -- "$work/archive"
odd=$(find . ! -type f ! -type d ! \( -type l -path './packages/python/*' \))
[ -z "$odd" ] || damaged "neither a file nor a folder: $odd"
# A portable Python has links; they may lead to its own files only.
odd=$(leading_out packages/python)
[ -z "$odd" ] || damaged "a link leads out of packages/python: $odd"
[ "$(sha256 <metadata/files.sha256)" = "$archive  -" ] || damaged "metadata/files.sha256 changed"
! grep -qvE '^[0-9a-f]{64}  [^\]+$' metadata/files.sha256 || damaged "metadata/files.sha256 is not a list of files"
cut -c 67- metadata/files.sha256 | sort >"$work/listed"
find . -type f ! -path ./metadata/files.sha256 | sed 's|^\./||' | sort >"$work/found"
odd=$(comm -13 "$work/listed" "$work/found")
[ -z "$odd" ] || damaged "there and not listed: $odd"
odd=$(comm -23 "$work/listed" "$work/found")
[ -z "$odd" ] || damaged "listed and not there: $odd"
compare_digests metadata/files.sha256 || damaged "its files are not those of metadata/files.sha256"
cd /
unquarantine "$work/archive"
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

say "installing"
set --
if [ "$reuse" = yes ] && is_version "$current"; then
    if ! is_file "$home/$current/compiled"; then
        say "nothing of the version before is used: an older install.sh made it"
    elif ! intact "$current"; then
        say "nothing of the version before is used: others could have changed it"
    else
        set -- "$home/$current"
    fi
fi
"$folder/venv/bin/python" -I -B "$metadata/install.py" "$work/archive" "$folder" "$app" "$@" || fail "the packages cannot be installed"

sed -n '/^export /p' "$metadata/runtime.env" >"$folder/env"
# @SETUP@
# Beside the start, which takes one processor: what is left to compile, and what pip says of the whole.
set -- "$folder"/venv/lib/python*/site-packages
"$folder/venv/bin/python" -I -B "$metadata/install_share.py" "$folder/late" "$1" "$folder/compiled" &
compiling=$!
"$folder/venv/bin/python" -I -B -m pip --isolated --disable-pip-version-check check >/dev/null &
checking=$!
# What was written goes to the disk meanwhile, so that the switch has less to wait for.
write_out "$folder" &
flushing=$!
begun=no
! starts "$folder/venv/bin/$app" || begun=yes
wait "$checking" || fail "the installed packages do not fit together" "pip check says which"
checking=''
wait "$compiling" || fail "the packages cannot be compiled"
compiling=''
wait "$flushing" || :
flushing=''
[ "$begun" = yes ] || fail "$app does not start"
# Some programs move files of theirs as they first start. All that is not as it was installed is told, and known from here on.
"$folder/venv/bin/python" -I -B "$metadata/probe.py" changed "$1" "$folder/env" >"$folder/changed" &
checking=$!
rm -f -- "$folder/late" "$folder/late.made"
write_systemd_env "$version"
printf '%s\n' "$started" >"$folder/version"
keep_service "$metadata" "$version"
cp -- "$work/archive/README.md" "$folder/README.md"
mv -- "$metadata/requirements.txt" "$folder/requirements"
printf '%s\n' "$archive" >"$folder/installed"
wait "$checking" || fail "the installed files cannot be read"
checking=''
if [ -s "$folder/changed" ]; then
    say "$app changed $(grep -c '' "$folder/changed") of the installed files as it started: $folder/changed"
else
    rm -f -- "$folder/changed"
fi
rm -rf -- "$work"
[ -z "$current" ] || put_link "$current" "$folder/previous" "$version"
# The link leads somewhere at every moment, and whichever install.sh switches back later.
if is_version "$current" && ! there "$home/$current/systemd.env" && intact "$current"; then write_systemd_env "$current"; fi
put_link "$bin_target" "$prefix/bin" "$version"
put_link "$env_target" "$prefix/$component.env" "$version"
put_link "$systemd_env_target" "$systemd_env" "$version"
serving=no
if [ -n "$service_port" ] && has_service && is_booted; then serving=yes; fi
running=$(ran)
if [ "$serving" = yes ] && [ "$running" = yes ]; then try_service "$version"; fi

# The switch: from here on the new one is what is installed, also if the power fails.
write_out "$folder"
put_link "$version" "$home/current" "$version"
if [ "$serving" = yes ] && ! renew_service "$version" "$running"; then
    switch_back "$version" "$current" || fail "neither the new version nor the one before becomes ready" "$service_words"
    fail "the new version does not become ready as a service: the version before runs again" "its last words are above"
fi
finished=yes
sweep "$version" "$current"
say "installed in $prefix: $started"
if [ "$as_service" = yes ] && [ "$serving" = no ]; then
    current=$version
    make_service
fi
