#!/bin/sh
# Gets the source of lwIP 2.2.1, as upstream released it, into a folder: port/get_lwip.sh DIR
#
# It comes from the source package `lwip` of Debian or Ubuntu, with the machine's own apt: the
# mirror and the keys are those of the machine's own apt entries, copied into a folder of ours, so
# the machine's apt set-up stays as it is and no privilege is needed. apt verifies the signatures,
# and the tarball's SHA-256 is pinned below. The distribution's patches are not applied.
#
# LWIP_SUITES="a b" names the releases to try, in this order.
set -eu

sha256=83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1
tarball=lwip_2.2.1+dfsg1.orig.tar.xz

fail()
{
    echo "quitring: cannot get lwIP 2.2.1: $1; or point LWIP_DIR= at a copy of your own" >&2
    exit 1
}

[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
dir=$1
stamp=$dir/.sha256

if [ "$(cat "$stamp" 2>/dev/null)" = "$sha256" ]; then
    touch "$stamp"
    exit 0
fi
command -v apt-get >/dev/null || fail "this system has no apt-get to fetch it with"
command -v xz >/dev/null || fail "xz is missing ('make deps', or the package xz-utils)"

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$(cd "$(dirname "$dir")" && pwd)/lwip-fetch.XXXXXX")
log=$(dirname "$dir")/lwip-fetch.log
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
: >"$log"

ID='' VERSION_CODENAME='' UBUNTU_CODENAME='' DEBIAN_CODENAME=''
os_release=${OS_RELEASE:-/etc/os-release}
# shellcheck disable=SC1090
[ ! -r "$os_release" ] || . "$os_release"
own="$VERSION_CODENAME $UBUNTU_CODENAME $DEBIAN_CODENAME"
if [ "$ID" = ubuntu ] || [ -n "$UBUNTU_CODENAME" ]; then
    suites="${UBUNTU_CODENAME:-$VERSION_CODENAME} resolute questing plucky devel"
    aliases=devel
else
    suites="trixie ${DEBIAN_CODENAME:-$VERSION_CODENAME} forky sid"
    aliases='stable oldstable oldoldstable testing unstable sid'
fi
suites=${LWIP_SUITES:-$suites}

# The distribution's own entries among the machine's apt entries (those whose suite is this very
# release, with a component main), as entries for the source packages of another suite.
copy_entries() # SUITE: fills $work/parts
{
    rm -rf "$work/parts"
    mkdir "$work/parts"
    list='' parts=''
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    for file in "$list" "$parts"/*.list; do
        [ -r "$file" ] || continue
        awk -v suite="$1" -v own=" $own $aliases " '
            $1 != "deb" && $1 != "deb-src" { next }
            {
                sub(/#.*/, "")
                options = ""
                i = 2
                if ($i ~ /^\[/) {
                    while (i <= NF && $i !~ /\]$/)
                        options = options $(i++) " "
                    options = options $(i++) " "
                }
                uri = $(i++)
                if (uri ~ /^cdrom:/ || index(own, " " $(i++) " ") == 0)
                    next
                components = ""
                for (; i <= NF; i++)
                    if ($i == "main" || $i == "universe")
                        components = components " " $i
                if (components ~ / main/ && !seen[uri]++)
                    print "deb-src " options uri " " suite components
            }' "$file" >"$work/one"
        [ ! -s "$work/one" ] || mv "$work/one" "$work/parts/$(basename "$file" .list).list"
    done
    for file in "$parts"/*.sources; do
        [ -r "$file" ] || continue
        awk -v suite="$1" -v own=" $own $aliases " '
            function words(text, wanted,    n, i, word, found) {
                n = split(text, word, " ")
                found = ""
                for (i = 1; i <= n; i++)
                    if (index(wanted, " " word[i] " "))
                        found = found " " word[i]
                return found
            }
            function flush_stanza(    components) {
                components = words(value["components"], " main universe ")
                if (words(value["types"], " deb deb-src ") != "" &&
                    words(value["suites"], own) != "" && components ~ / main/ &&
                    tolower(value["enabled"]) !~ /no|false|off|0/ && !seen[value["uris"]]++)
                    printf "Types: deb-src\nSuites: %s\nComponents:%s\n%s\n", suite, components,
                           kept
                split("", value)
                kept = name = ""
            }
            /^#/ { next }
            /^[ \t]*$/ { flush_stanza(); next }
            /^[ \t]/ { value[name] = value[name] $0 }
            /^[^ \t]/ {
                name = tolower(substr($0, 1, index($0, ":") - 1))
                value[name] = substr($0, index($0, ":") + 1)
                gsub(/^[ \t]+|[ \t]+$/, "", value[name])
            }
            name !~ /^(types|suites|components|architectures|enabled|languages|targets)$/ {
                kept = kept $0 "\n"
            }
            END { flush_stanza() }' "$file" >"$work/one"
        [ ! -s "$work/one" ] || mv "$work/one" "$work/parts/$(basename "$file")"
    done
}

own_apt() # apt-get's arguments; APT::Sandbox: nothing here is worth root handing it to _apt
{
    (cd "$work/got" && DEBIAN_FRONTEND=noninteractive apt-get -q \
        -o Dir::Etc::SourceParts="$work/parts" -o Dir::Etc::SourceList=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User="$(id -un)" -o APT::Default-Release= -o Acquire::Retries=2 "$@") \
        >>"$log" 2>&1 </dev/null
}

got=
tried=
for suite in $suites; do
    case " $tried " in *" $suite "*) continue ;; esac
    copy_entries "$suite"
    # shellcheck disable=SC2116,SC2086
    [ -n "$(ls "$work/parts")" ] ||
        fail "no apt entry of this machine is one of its own release ($(echo $own)), component main"
    echo "lwIP 2.2.1: fetching its source with apt (release $suite)"
    rm -rf "$work/got" "$work/lists" "$work/cache"
    mkdir -p "$work/got" "$work/lists/partial" "$work/cache/archives/partial"
    echo "== $suite" >>"$log"
    tried="$tried $suite"
    own_apt update || true # what it got may be enough
    own_apt source --download-only --tar-only lwip || true
    [ -f "$work/got/$tarball" ] || continue
    if [ "$(sha256sum "$work/got/$tarball" | cut -d' ' -f1)" = "$sha256" ]; then
        got=$work/got/$tarball
        break
    fi
    echo "$tarball of $suite does not have the SHA-256 that is pinned" >>"$log"
done
[ -n "$got" ] || fail "none of these releases gave $tarball:$tried (see $log)"

mkdir "$work/new"
tar -C "$work/new" --strip-components=1 --no-same-owner -xJf "$got" 2>>"$log" ||
    fail "it does not unpack (see $log)"
echo "$sha256" >"$work/new/.sha256"
chmod 755 "$work/new"
rm -rf "$dir"
if ! mv -T "$work/new" "$dir" 2>>"$log"; then # another make may have been faster
    [ "$(cat "$stamp" 2>/dev/null)" = "$sha256" ] || fail "$dir cannot be written (see $log)"
fi
rm -f "$log"
