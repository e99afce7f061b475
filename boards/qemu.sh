# What the scripts that boot a board in QEMU have in common; they source it. The environment may set
#
#   PUBLISH=127.0.0.1:8080        where the board's server appears on this machine
#   SETTINGS="ring=64K verbose"   quitring's settings
#   NETDEV="tap,ifname=qr0,..."   another network of QEMU's than that with the forwarded port
#
# It completes NETDEV, and SETTINGS by what the board says of where it is found.

fail()
{
    echo "quitring: $*" >&2
    exit 1
}

publish()
{
    case ${PUBLISH:=8080} in
    *:*) ;;
    *) PUBLISH=127.0.0.1:$PUBLISH ;;
    esac
    echo "$PUBLISH" | grep -qE '^[0-9]+(\.[0-9]+){3}:[0-9]+$' ||
        fail "PUBLISH=$PUBLISH: takes [A.B.C.D:]PORT"

    # Where the board's network has the server.
    address='' port=80
    for setting in ${SETTINGS:=}; do
        case $setting in
        addr=[0-9]*) address=${setting#addr=} address=${address%%/*} ;;
        port=*) port=${setting#port=} ;;
        esac
    done
    NETDEV=user,hostfwd=tcp:$PUBLISH-$address:$port
    SETTINGS="publish=$PUBLISH $SETTINGS"
}

[ -n "${NETDEV:-}" ] || publish
