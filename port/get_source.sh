#!/bin/sh
# Gets the source of something as its makers released it: port/get_source.sh lwip|cmocka DIR
#
# It comes from a source package of Debian or Ubuntu, by port/apt.sh. The tarball's SHA-256 is pinned
# below. The distribution's patches are not applied.
#
# SOURCE_SUITES="a b" names the releases to try, in this order.
set -eu

fail()
{
    echo "quitring: cannot get $title: $1$hint" >&2
    exit 1
}

[ $# = 2 ] || { echo "usage: $0 lwip|cmocka DIR" >&2; exit 2; }
package=$1 dir=$2
case $package in
lwip)
    title='lwIP 2.2.1' hint='; or point LWIP_DIR= at a copy of your own'
    tarball=lwip_2.2.1+dfsg1.orig.tar.xz
    sha256=83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1
    debian='trixie OWN forky sid' ubuntu='OWN resolute questing plucky devel'
    ;;
cmocka)
    title='cmocka 1.1.7' hint=''
    tarball=cmocka_1.1.7.orig.tar.xz
    sha256=810570eb0b8d64804331f82b29ff47c790ce9cd6b163e98d47a4807047ecad82
    debian='trixie OWN' ubuntu='OWN noble plucky questing'
    ;;
*)
    echo "$0: $package is not known" >&2
    exit 2
    ;;
esac
stamp=$dir/.sha256

if [ "$(cat "$stamp" 2>/dev/null)" = "$sha256" ]; then
    touch "$stamp"
    exit 0
fi
command -v apt-get >/dev/null || fail "this system has no apt-get to fetch it with"
command -v xz >/dev/null || fail "xz is missing ('make deps', or the package xz-utils)"

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$(cd "$(dirname "$dir")" && pwd)/$package-fetch.XXXXXX")
log=$(dirname "$dir")/$package-fetch.log
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
: >"$log"

# shellcheck source=port/apt.sh
. "$(dirname "$0")/apt.sh"
! $is_ubuntu || debian=$ubuntu
suites=${SOURCE_SUITES:-$debian}

got=
tried=
for suite in $suites; do
    [ "$suite" != OWN ] || suite=$own_suite
    case " $tried " in *" $suite "*) continue ;; esac
    echo "$title: fetching its source with apt (release $suite)"
    tried="$tried $suite"
    # shellcheck disable=SC2116,SC2086
    apt_release "$suite" deb-src || fail \
        "no apt entry of this machine is one of its own release ($(echo $own_names)), component main"
    apt_get source --download-only --tar-only "$package" || true
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
