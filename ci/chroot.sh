#!/bin/sh
# Runs a command, `./fer test` unless another is given, in a root of another distribution:
#   ci/chroot.sh debian13 [COMMAND [ARGUMENT...]]
# The root is made by debootstrap in the user's cache folder, or is the folder FER_CHROOT; what the
# launcher needs it installs there. Toolchain, crates and wheels are this machine's own, the checkout is
# bound in and not written to, and what is built goes to debian13/ in the target folder.
# All is mounted in a namespace of its own, which ends with the command, however that ends.
set -eu

say() { printf 'chroot: %s\n' "$*" >&2; }
die() { printf 'chroot: error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
release=${1:-}
[ $# -eq 0 ] || shift
case $release in
    debian13) suite=trixie ;;
    *) die "the release is '$release', accepted: debian13" ;;
esac

cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/gst-plugin-fer
root=${FER_CHROOT:-$cache/chroot/$release}
target=${CARGO_TARGET_DIR:-$checkout/target}
case $target in /*) ;; *) target=$checkout/$target ;; esac
target=$target/$release
crates=${CARGO_HOME:-$HOME/.cargo}

# bind FROM TO [OPTIONS]: FROM is seen as TO in the root.
bind() {
    if [ -d "$1" ]; then mkdir -p "$root$2"; else : >>"$root$2"; fi
    mount --bind "$1" "$root$2"
    [ -z "${3:-}" ] || mount -o "remount,bind,$3" "$root$2"
}

# In the namespaces: mounts, then becomes the command.
enter() {
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    bind "$(readlink -f /etc/resolv.conf)" /etc/resolv.conf
    bind "$(rustc --print sysroot)" /opt/rust ro
    bind "$crates" /root/.cargo
    bind "$cache" /root/.cache/gst-plugin-fer
    bind "$target" /build/target
    bind "$checkout" /build/fer ro
    # Where nextest writes its results, wherever cargo's are.
    bind "$target" /build/fer/target
    [ ! -d "$checkout/../shared" ] || bind "$(readlink -f "$checkout/../shared")" /build/shared ro
    [ $# -gt 0 ] || set -- ./fer test
    # Nothing of this machine's: its paths and libraries are others.
    set -- HOME=/root LANG=C.UTF-8 CARGO_TARGET_DIR=/build/target \
        PATH=/opt/rust/bin:/root/.cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    # What fetches trusts whom this machine trusts. Not in the usual place, which a package writes.
    authorities=/etc/ssl/certs/ca-certificates.crt
    if [ -e "$authorities" ]; then
        bind "$authorities" /opt/authorities.crt ro
        set -- CARGO_HTTP_CAINFO=/opt/authorities.crt PIP_CERT=/opt/authorities.crt "$@"
    fi
    for name in CI TERM http_proxy https_proxy no_proxy PROPTEST_CASES PROPTEST_RNG_SEED; do
        eval "value=\${$name:-}"
        [ -z "$value" ] || set -- "$name=$value" "$@"
    done
    exec chroot "$root" /usr/bin/env -i -C /build/fer "$@"
}

make_root() {
    have debootstrap || die "debootstrap is missing, and there is no root at $root yet (apt-get install debootstrap)"
    part=$root.part-$$
    trap 'rm -rf --one-file-system "$part" "$part.log"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkdir -p "$part"
    say "making a root of $suite in $root (some minutes)"
    debootstrap --variant=minbase "$suite" "$part" >"$part.log" 2>&1 || {
        tail -n 20 "$part.log" >&2
        die "debootstrap failed: see its message above"
    }
    # No package's installation starts a service.
    printf '#!/bin/sh\nexit 101\n' >"$part/usr/sbin/policy-rc.d"
    chmod +x "$part/usr/sbin/policy-rc.d"
    # Another one may have been quicker: then ours goes.
    mv -T "$part" "$root" 2>/dev/null || [ -d "$root" ] || die "$root cannot be made of $part"
    rm -rf --one-file-system "$part" "$part.log"
    trap - EXIT INT TERM HUP
}

if [ -n "${FER_CHROOT_ENTER:-}" ]; then
    unset FER_CHROOT_ENTER
    enter "$@"
fi

[ "$(id -u)" -eq 0 ] || die "only root may change the root: sudo -E env \"PATH=\$PATH\" $0 $release"
for tool in unshare chroot mount rustc; do
    have "$tool" || die "$tool is missing"
done
case $(rustc --print sysroot) in
    /usr) die "rustc is the distribution's, which does not run in another's root: one of rustup's is needed (https://rustup.rs)" ;;
esac
unshare --mount --pid --fork true 2>/dev/null ||
    die "this machine lets nobody mount in a namespace of his own (unshare --mount failed), as in a container without privileges"
[ -z "${FER_CHROOT:-}" ] || [ -d "$root" ] || die "FER_CHROOT=$root: there is no such folder"
[ -d "$root" ] || make_root
grep -q "^VERSION_CODENAME=$suite\$" "$root/etc/os-release" 2>/dev/null ||
    die "$root is no root of $suite: its etc/os-release says otherwise"
mkdir -p "$target" "$checkout/target" "$cache" "$crates"

# In the background, as a shell that waits hears signals at once. Nobody is asked anything there.
FER_CHROOT_ENTER=1 unshare --mount --pid --fork --kill-child \
    sh "$checkout/ci/chroot.sh" "$release" "$@" </dev/null &
child=$!
trap 'kill -KILL "$child" 2>/dev/null; wait "$child" || :; exit 130' INT
trap 'kill -KILL "$child" 2>/dev/null; wait "$child" || :; exit 143' TERM HUP
status=0
wait "$child" || status=$?
exit "$status"
