#!/bin/sh
# What quitring is built and tested with: looks for it, and gets what is missing.
#
#   port/deps.sh check build|test|bench     one line, and exit status 1, when something is missing
#   port/deps.sh install build|test|bench   gets what is missing with apt-get (by sudo where not root)
#
# CC, JSMN_DIR, LWIP_DIR and PYTHON are the Makefile's, and so is BOARD_NEEDS: words package or
# package:command, what the boards need besides. What is there, from a package or not, is left alone.
set -eu

cc=${CC:-gcc}
python=${PYTHON:-python3}
PATH=$PATH:/usr/sbin:/sbin

fail()
{
    echo "quitring: $1" >&2
    exit 1
}

# Is it there? Asked only where dpkg does not have the package.
has_command() { command -v "$1" >/dev/null; }
has_header() { echo "#include <$1>" | $cc -I/usr/include/slirp -E -o /dev/null - 2>/dev/null; }
has_module() { "$python" -c "import $1" 2>/dev/null; }

has_cmocka()
{
    printf '#include <%s.h>\n' stdarg stddef setjmp stdint cmocka |
        $cc -E -o /dev/null - 2>/dev/null
}

# And its fuzzer, which has the main function.
has_clang_sanitizers()
{
    out=$(mktemp) || return
    echo 'int LLVMFuzzerTestOneInput(void){return 0;}' |
        clang -fsanitize=fuzzer,address,undefined -x c -o "$out" - 2>/dev/null
    status=$?
    rm -f "$out"
    return $status
}

# Version 14 wrote the repository's format; others will do where it is not to be had.
has_clang_format()
{
    has_command clang-format-14 && return
    has_command clang-format || return
    case $(clang-format --version) in *' 14.'*) return ;; esac
    ! has_candidate clang-format-14
}

# Ubuntu has no browser that is a package: tests that need one are skipped there.
has_if_any() # PACKAGE COMMAND
{
    has_command "$2" || { has_candidate gcc && ! has_candidate "$1"; }
}

has_candidate() # PACKAGE: could apt-get install it?
{
    case $(apt-cache policy "$1" 2>/dev/null) in
    '' | *'Candidate: (none)'*) return 1 ;;
    esac
}

board_needs() # WORDS
{
    for word in $1; do
        case $word in
        libslirp-dev) echo 'libslirp-dev has_header libslirp.h' ;;
        *:*) echo "${word%%:*} has_command ${word#*:}" ;;
        *) echo "$word false" ;;
        esac
    done
}

# Each line: a package, and how to look for what it brings.
build_needs()
{
    [ "${cc%% *}" != clang ] || echo 'clang has_command clang'
    [ "${cc%% *}" = clang ] || echo 'gcc has_command gcc'
    echo 'libc6-dev has_header stdlib.h'
    echo 'python3 has_command python3'
    board_needs "${BOARD_NEEDS:-}"
    [ -n "${JSMN_DIR:-}" ] || echo 'libjsmn-dev has_header jsmn.h'
    [ -n "${LWIP_DIR:-}" ] || echo 'xz-utils has_command xz'
    [ -n "${LWIP_DIR:-}" ] || echo 'ca-certificates test -f /etc/ssl/certs/ca-certificates.crt'
}

test_needs()
{
    build_needs | grep -v -e '^gcc ' -e '^clang '
    echo 'gcc has_command gcc'
    echo 'clang has_command clang'
    echo 'libclang-rt-dev has_clang_sanitizers'
    echo 'clang-format-14 has_clang_format'
    echo 'clang-tidy has_command clang-tidy'
    echo 'cppcheck has_command cppcheck'
    echo 'libcmocka-dev has_cmocka'
    echo 'python3-pytest has_module pytest'
    echo 'python3-selenium has_module selenium'
    echo 'chromium has_if_any chromium chromium'
    echo 'chromium-driver has_if_any chromium-driver chromedriver'
    echo 'golang-go has_command go'
    echo 'nodejs has_command node'
    echo 'curl has_command curl'
    echo 'iproute2 has_command ip'
    echo 'dnsmasq-base has_command dnsmasq'
    echo 'procps has_command ps'
    echo 'valgrind has_command valgrind'
}

# For whom make bench compares with; servers that would start on this machine are get_tools.sh's.
bench_needs()
{
    build_needs
    echo 'iproute2 has_command ip'
    echo 'procps has_command sysctl'
    echo 'libmicrohttpd-dev has_header microhttpd.h'
    echo 'golang-go has_command go'
    echo 'nodejs has_command node'
}

missing() # NEEDS: the packages of what is missing
{
    # shellcheck disable=SC2046
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $("$1" | cut -d' ' -f1) \
        2>/dev/null | sed -n 's/^installed //p')
    "$1" | sort -u | while read -r package look; do
        echo "$installed" | grep -qxF -e "$package" || $look </dev/null || printf ' %s' "$package"
    done
}

without() # PACKAGE: what is in $packages besides
{
    for other in $packages; do
        [ "$other" = "$1" ] || printf ' %s' "$other"
    done
}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt() # apt-get, silent unless it fails
{
    echo "apt-get $*"
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" \
        >"$log" 2>&1 </dev/null && return
    grep '^E: ' "$log" >&2 || tail -n 5 "$log" >&2
    return 1
}

[ $# = 2 ] || fail "usage: $0 check|install build|test|bench"
has_command "${cc%% *}" || [ "${cc%% *}" = gcc ] || [ "${cc%% *}" = clang ] ||
    fail "CC=$cc: there is no such command; without CC=, gcc is taken"
packages=$(missing "$2_needs")
[ -n "$packages" ] || exit 0

copies='JSMN_DIR= and LWIP_DIR= take folders with your own copies'
has_command apt-get || fail "please install (Debian's names):$packages; $copies"
[ "$1" = install ] || fail "missing:$packages; 'make deps' gets it, or: apt-get install$packages"
[ "$(id -u)" = 0 ] || has_command sudo ||
    fail "neither root nor sudo here; as root, please: apt-get install$packages"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM
echo "missing:$packages"
apt update || echo "quitring: trying with the package lists that are there" >&2
case $packages in *clang-format-14*)
    has_candidate clang-format-14 || packages="${packages%%-14*}${packages#*format-14}"
    ;;
esac
# In older releases clang itself brings libclang-rt-dev along.
for package in libclang-rt-dev chromium chromium-driver; do
    has_candidate $package || packages=$(without $package)
done
# shellcheck disable=SC2086
[ -z "${packages# }" ] || apt install $packages || fail "apt-get install failed:$packages"
