#!/bin/sh
# Is every C file of ours as clang-format writes it (.clang-format)? With --write: writes them anew.
#
# clang-format's versions differ in what they write, and the files are as version 14 writes them.
# Another version that agrees will do; where it does not agree, the check is skipped, aloud.
set -eu
cd "$(dirname "$0")/../.."

format=$(command -v clang-format-14 || command -v clang-format) || {
    echo 'skip format: no clang-format (make deps)'
    exit 0
}
version=$("$format" --version | sed 's/.*version \([0-9]*\).*/\1/')

# shellcheck disable=SC2046
set -- "${1:-}" $(find boards firmware port src tests -name '*.[ch]' | sort)
if [ "$1" = --write ]; then
    shift
    [ "$version" = 14 ] || {
        echo "quitring: format: this is clang-format $version, the files are in version 14's" >&2
        exit 1
    }
    exec "$format" -i "$@"
fi
shift

bad=
for file; do
    "$format" "$file" | cmp -s - "$file" || bad="$bad $file"
done
if [ -z "$bad" ]; then
    echo 'ok format'
elif [ "$version" != 14 ]; then
    echo "skip format: clang-format $version would write $(echo "$bad" | wc -w) files otherwise than 14 does"
else
    echo "FAIL format:$bad (make format)"
    exit 1
fi
