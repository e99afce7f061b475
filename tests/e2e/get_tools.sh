#!/bin/sh
# Gets the servers and clients that tests need besides: chrony, avahi, D-Bus; with the argument bench
# those that make bench compares with: nginx, lighttpd. As packages they would take over the machine's
# clock or its port 80, and start on it; so what is not there is unpacked into build/tools, or
# build/tools-bench, with the libraries that it needs, and is started from there.
#
# This machine's apt finds, fetches and verifies the packages, with lists of its own, so that it needs
# no privilege. Where that does not go, tests that need them are skipped.
set -eu
tools=build/tools${1:+-$1}

give_up()
{
    echo "quitring: cannot get$packages: $1; what needs them is skipped" >&2
    exit 0
}

wanted() # lines: command package
{
    if [ "$tools" = build/tools-bench ]; then
        echo 'nginx nginx-light'
        echo 'lighttpd lighttpd'
        return
    fi
    cat <<END
chronyd chrony
avahi-daemon avahi-daemon
avahi-browse avahi-utils
dbus-daemon dbus
prometheus prometheus
END
}

missing() # PATH: packages of what is not there
{
    wanted | while read -r command package; do
        PATH=$1 command -v "$command" >/dev/null || printf ' %s' "$package"
    done
}

cd "$(dirname "$0")/../.."
here=$PATH:/usr/sbin:/sbin
packages=$(missing "$here")
[ -n "$(missing "$here:$tools/usr/sbin:$tools/usr/bin")" ] || exit 0
command -v apt-get >/dev/null || give_up 'this system has no apt-get'

mkdir -p build
log=$(pwd)/$tools-fetch.log
work=$(mktemp -d "$(pwd)/$tools-fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/got" "$work/new"
: >"$log"

# APT::Sandbox: nothing here is worth root handing it to _apt.
apt()
{
    (cd "$work/got" && LC_ALL=C apt-get -q -o Dir::State::Lists="$work/lists" \
        -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=2 \
        -o Acquire::Languages=none "$@") 2>>"$log" </dev/null
}

echo "fetching with apt, into $tools:$packages"
apt update >>"$log" || true # what it got may be enough
# shellcheck disable=SC2086
apt -s install --no-install-recommends $packages >"$work/plan" || give_up "see $log"
# shellcheck disable=SC2046
apt download $(sed -n 's/^Inst \([^ ]*\) .*/\1/p' "$work/plan") >>"$log" || give_up "see $log"
for deb in "$work"/got/*.deb; do
    dpkg-deb -x "$deb" "$work/new" 2>>"$log" || give_up "see $log"
done
rm -rf "$tools" "$log"
mv "$work/new" "$tools"
