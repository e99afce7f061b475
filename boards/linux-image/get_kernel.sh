#!/bin/sh
# Gets a Linux kernel for another processor: get_kernel.sh ARCH PACKAGE DIR
#
# It is that of a Debian package, by port/apt.sh: of this machine's own release, or of the stable
# one. PACKAGE names no version (linux-image-armmp); the package that it stands for is taken.
# Nothing is installed. DIR then has what an image is made of, and so must a folder of one's own:
#
#   vmlinuz     the kernel
#   modules/    its modules, as below /lib/modules/VERSION
#   dtb/        device trees, for boards that need one
#
# KERNEL_SUITES="a b" names the releases to try, in this order.
set -eu

fail()
{
    echo "quitring: cannot get $package: $1; or point KERNEL_DIR= at a folder of your own" >&2
    exit 1
}

[ $# = 3 ] || { echo "usage: $0 ARCH PACKAGE DIR" >&2; exit 2; }
arch=$1 package=$2 dir=$3

[ ! -e "$dir/vmlinuz" ] || exit 0
command -v apt-get >/dev/null || fail "this system has no apt-get to fetch it with"

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$(cd "$(dirname "$dir")" && pwd)/$(basename "$dir")-fetch.XXXXXX")
log=$dir-fetch.log
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
: >"$log"

# shellcheck source=port/apt.sh
. "$(dirname "$0")/../../port/apt.sh"

# Downloads PACKAGE, or the one with a version in its name that it depends on. Prints the file.
download() # PACKAGE
{
    apt_get download "$1" || return
    deb=$(ls "$work/got/$1"_*.deb)
    versioned=$(dpkg-deb -f "$deb" Depends | tr ',' '\n' |
        sed -n 's/^ *\(linux-image-[0-9][^ ]*\).*/\1/p')
    if [ -n "$versioned" ]; then
        apt_get download "$versioned" || return
        deb=$(ls "$work/got/$versioned"_*.deb)
    fi
    echo "$deb"
}

deb=
for suite in ${KERNEL_SUITES:-$own_suite stable}; do
    echo "$package: fetching it with apt (release $suite)"
    # shellcheck disable=SC2116,SC2086,SC2154
    apt_release "$suite" deb "$arch" || fail \
        "no apt entry of this machine is one of its own release ($(echo $own_names)), component main"
    ! deb=$(download "$package") || break
done
[ -n "$deb" ] || fail "no release gave it (see $log)"

dpkg-deb -x "$deb" "$work/all" 2>>"$log" || fail "it does not unpack (see $log)"
mkdir "$work/new"
mv "$work"/all/boot/vmlinuz-* "$work/new/vmlinuz"
for part in "$work"/all/lib/modules/* "$work"/all/usr/lib/modules/*; do
    [ ! -d "$part" ] || mv "$part" "$work/new/modules"
done
for part in "$work"/all/usr/lib/linux-image-*; do
    [ ! -d "$part" ] || mv "$part" "$work/new/dtb"
done
chmod 755 "$work/new"
rm -rf "$dir"
if ! mv -T "$work/new" "$dir" 2>>"$log"; then # another make may have been faster
    [ -e "$dir/vmlinuz" ] || fail "$dir cannot be written (see $log)"
fi
rm -f "$log"
