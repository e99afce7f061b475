#!/bin/sh
# Fuzzes with the targets that `make build-fuzz` has built.
#
#   tests/fuzz/run.sh fuzz SECONDS NAME…   so long with each; new inputs stay in build/fuzz/corpus/
#   tests/fuzz/run.sh test NAME            in short, the same in each run, and nothing stays
#
# Both begin with what is kept: inputs that reach much (corpus/NAME), and those that once failed
# (crashes/NAME); and with what seeds.py makes. An input that fails stays in build/fuzz/crashes/NAME/.
set -eu
cd "$(dirname "$0")/../.."
here=tests/fuzz
built=build/fuzz

folders() # NAME: those with inputs that are there
{
    for folder in $here/corpus/"$1" $here/crashes/"$1" $built/seeds/"$1"; do
        [ ! -d "$folder" ] || echo "$folder"
    done
}

# Its log stands in build/fuzz/NAME.log; of a failure, all of it but its progress is shown.
run() # NAME NEW OPTION…
{
    name=$1 new=$2 log=$built/$1.log
    shift 2
    mkdir -p $built/crashes/"$name" "$new"
    # shellcheck disable=SC2046
    $built/fuzz_"$name" "$@" -dict=$here/words.dict -timeout=60 -artifact_prefix=$built/crashes/"$name"/ "$new" \
        $(folders "$name") >"$log" 2>&1 && return
    grep -a -v -e '^#[0-9]' -e 'NEW_FUNC' -e '^INFO:' "$log"
    file=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    echo "quitring: fuzz_$name failed with the input ${file:-that stands above}; once more with it alone:"
    echo "    $built/fuzz_$name $file"
    echo "to keep it as a test, copy it to $here/crashes/$name/"
    return 1
}

fuzz() # SECONDS NAME…
{
    seconds=$1 status=0
    shift
    for name; do
        echo "== $name: $seconds s"
        run "$name" $built/corpus/"$name" -max_total_time="$seconds" || status=1
        grep -a 'DONE  ' $built/"$name".log || true
    done
    echo "what is new is in $built/corpus/; what of it reaches more than is kept already, keeps"
    echo "    $built/fuzz_NAME -merge=1 $here/corpus/NAME $built/corpus/NAME"
    return $status
}

test_one() # NAME
{
    new=$(mktemp -d)
    trap 'rm -rf "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    run "$1" "$new" -max_total_time=3 -seed=1
    grep -a 'DONE  ' $built/"$1".log
}

case ${1:-} in
fuzz)
    shift
    fuzz "$@"
    ;;
test) test_one "$2" ;;
*)
    echo "usage: $0 fuzz SECONDS NAME... | test NAME" >&2
    exit 2
    ;;
esac
