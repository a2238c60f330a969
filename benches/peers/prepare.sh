# Sourced by the scripts beside it: what must be there before anything is measured.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

die() { echo "$(basename "$0"): $*" >&2; exit 1; }

# want COMMAND PACKAGE: installs the package where the command is missing.
want() {
    PATH=$PATH:/usr/sbin:/sbin
    command -v "$1" > /dev/null && return
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq > /dev/null || die "apt-get update failed; install $2 by hand"
    # The packages would start servers of their own, on ports somebody else may want.
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$2" \
        > /dev/null || die "cannot install $2"
    command -v "$1" > /dev/null || die "$2 is installed, but there is no $1"
}

# build [CARGO ARGUMENTS]: the release profile, which is what is shipped. Sets `target`.
build() {
    (cd "$root" && cargo build --release --bin comptoir "$@") || die "the release build failed"
    target=${CARGO_TARGET_DIR:-$root/target}/release
    export PATH=$PATH:/usr/sbin:/sbin
}

[ "$(nproc)" -ge 2 ] || die "needs two cores: one for the server, one for the load"
