#!/bin/sh
# Gets CBMC, the model checker that make prove takes, where this machine has none of version 6: as a
# package of a newer release, unpacked into build/cbmc with the C and C++ libraries that it was built
# for, which run beside this machine's own. build/cbmc/cbmc starts it. port/apt.sh tells how.
set -eu
cd "$(dirname "$0")/../.."
dir=build/cbmc

fail()
{
    echo "quitring: cannot get CBMC 6: $1" >&2
    exit 1
}

case $(cbmc --version 2>/dev/null) in 6.*) exit 0 ;; esac
[ ! -x $dir/cbmc ] || exit 0
command -v apt-get >/dev/null || fail 'this system has no apt-get; the command cbmc would do'

mkdir -p build
work=$(mktemp -d "$(pwd)/$dir-fetch.XXXXXX")
log=$(pwd)/$dir-fetch.log
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
: >"$log"

# shellcheck source=port/apt.sh
. port/apt.sh
suites='trixie forky sid'
! $is_ubuntu || suites='plucky questing resolute'
for suite in $suites; do
    echo "CBMC: fetching it with apt (release $suite)"
    apt_release "$suite" deb || fail "no apt entry of this machine is one of its own release"
    apt_get download cbmc minisat libc6 libgcc-s1 libstdc++6 || continue
    for deb in "$work"/got/*.deb; do
        dpkg-deb -x "$deb" "$work/new" 2>>"$log" || fail "it does not unpack (see $log)"
    done
    loader=$(cd "$work/new" && find usr/lib* lib* -name 'ld-linux*.so.*' 2>/dev/null | head -n 1)
    cat >"$work/new/cbmc" <<END
#!/bin/sh
here=\$(dirname "\$0")
libraries=\$(echo "\$here"/usr/lib/*-linux-gnu*):\$here/usr/lib
exec "\$here/$loader" --library-path "\$libraries" "\$here/usr/bin/cbmc" "\$@"
END
    chmod +x "$work/new/cbmc"
    case $("$work/new/cbmc" --version 2>>"$log") in
    6.*)
        chmod 755 "$work/new"
        rm -rf $dir "$log"
        mv "$work/new" $dir
        exit 0
        ;;
    esac
    rm -rf "$work/new"
done
fail "none of these releases gave it: $suites (see $log)"
