# shellcheck shell=sh disable=SC2034,SC2154
# Sourced by what gets packages: packages of another release or processor, by the machine's own apt.
# The mirror and the keys are those of the machine's own apt entries, copied into a folder of ours,
# so the machine's apt set-up stays as it is and no privilege is needed. apt verifies signatures.
#
#   work=DIR log=FILE     set by who sources this: a folder of its own with an absolute path, and
#                         where apt's output goes
#   $own_suite            this machine's release, or '' if unknown; $is_ubuntu: whether Ubuntu's
#   apt_release SUITE deb|deb-src [ARCH]
#                         from here on a release's packages, or their sources, are what apt_get
#                         sees (those for processor ARCH); fails where the machine has no entry for
#                         its own release to copy
#   apt_get ARG...        apt-get with what apt_release chose, working in $work/got

ID='' VERSION_CODENAME='' UBUNTU_CODENAME='' DEBIAN_CODENAME=''
# shellcheck disable=SC1090
[ ! -r "${OS_RELEASE:-/etc/os-release}" ] || . "${OS_RELEASE:-/etc/os-release}"
own_names="$VERSION_CODENAME $UBUNTU_CODENAME $DEBIAN_CODENAME"
if [ "$ID" = ubuntu ] || [ -n "$UBUNTU_CODENAME" ]; then
    is_ubuntu=true
    own_suite=${UBUNTU_CODENAME:-$VERSION_CODENAME}
    own_names="$own_names devel"
else
    is_ubuntu=false
    own_suite=${DEBIAN_CODENAME:-$VERSION_CODENAME}
    own_names="$own_names stable oldstable oldoldstable testing unstable sid"
fi

# The distribution's own entries among the machine's apt entries (those whose suite is this very
# release, with a component main), as entries of a type for another suite and any processor.
copy_entries() # SUITE deb|deb-src: fills $work/parts
{
    rm -rf "$work/parts"
    mkdir "$work/parts"
    list='' parts=''
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    for file in "$list" "$parts"/*.list; do
        [ -r "$file" ] || continue
        awk -v suite="$1" -v type="$2" -v own=" $own_names " '
            $1 != "deb" && $1 != "deb-src" { next }
            {
                sub(/#.*/, "")
                options = ""
                i = 2
                if ($i ~ /^\[/) {
                    while (i <= NF && $i !~ /\]$/)
                        options = options $(i++) " "
                    options = options $(i++) " "
                    gsub(/(arch|lang|target)[-+]?=[^] ]*/, "", options)
                    if (options ~ /^[[ ]+\] $/)
                        options = ""
                }
                uri = $(i++)
                if (uri ~ /^cdrom:/ || index(own, " " $(i++) " ") == 0)
                    next
                components = ""
                for (; i <= NF; i++)
                    if ($i == "main" || $i == "universe")
                        components = components " " $i
                if (components ~ / main/ && !seen[uri]++)
                    print type " " options uri " " suite components
            }' "$file" >"$work/one"
        [ ! -s "$work/one" ] || mv "$work/one" "$work/parts/$(basename "$file" .list).list"
    done
    for file in "$parts"/*.sources; do
        [ -r "$file" ] || continue
        awk -v suite="$1" -v type="$2" -v own=" $own_names " '
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
                    printf "Types: %s\nSuites: %s\nComponents:%s\n%s\n", type, suite, components,
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

apt_release()
{
    copy_entries "$1" "$2"
    [ -n "$(ls "$work/parts")" ] || return 1
    apt_arch=${3:-$(dpkg --print-architecture)}
    rm -rf "$work/got" "$work/lists" "$work/cache"
    mkdir -p "$work/got" "$work/lists/partial" "$work/cache/archives/partial"
    echo "== $*" >>"$log"
    apt_get update || true # what it got may be enough
}

# APT::Sandbox: nothing here is worth root handing it to _apt. Dir::State::status: what is installed
# here says nothing about packages for another processor.
apt_get()
{
    (cd "$work/got" && DEBIAN_FRONTEND=noninteractive apt-get -q \
        -o Dir::Etc::SourceParts="$work/parts" -o Dir::Etc::SourceList=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o Dir::State::status=/dev/null \
        -o APT::Architecture="$apt_arch" -o APT::Architectures="$apt_arch" \
        -o APT::Sandbox::User="$(id -un)" -o APT::Default-Release= -o Acquire::Retries=2 \
        -o Acquire::Languages=none "$@") >>"$log" 2>&1 </dev/null
}
