#!/bin/sh
# cppcheck on our C files: tests/check/cppcheck.sh LWIP_INCLUDE_DIR [-DNAME=VALUE…]
set -eu
cd "$(dirname "$0")/../.."

command -v cppcheck >/dev/null || {
    echo 'FAIL cppcheck: no cppcheck (make deps)'
    exit 1
}
lwip=$1
shift

# lwIP's headers are read, so that its macros are known, but what is in them is not ours to answer
# for. missingInclude: the system's headers are not read on purpose.
if found=$(cppcheck --quiet --inline-suppr --std=c11 --platform=unix64 --error-exitcode=1 \
    --enable=warning,performance,portability -j 2 --suppress="*:$lwip/*" \
    --suppress=missingInclude --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    --template='{file}:{line}: {severity}: {message} [{id}]' \
    -I. -Iport -I"$lwip" "$@" src port firmware boards 2>&1); then
    echo 'ok cppcheck'
else
    echo "$found"
    echo "FAIL cppcheck: $(echo "$found" | grep -c ':') findings, above"
    exit 1
fi
