#!/bin/sh
# Installs a package of ours in a bare Debian, uses it as a user would, and removes it.
#
#   ci/deb-test.sh DEB           in this system, which may be thrown away (a container, but none of
#                                the -slim ones, which leave out documents), as root
#   ci/deb-test.sh DEB SUITE     in a fresh system by debootstrap (bookworm, trixie), as root
#   ci/deb-test.sh DEB FOLDER    in a copy of the system in that folder
set -eu

say() { printf 'deb-test: %s\n' "$*" >&2; }
die() { printf 'deb-test: error: %s\n' "$*" >&2; exit 1; }
[ $# -ge 1 ] && [ -f "$1" ] || die "usage: $0 DEB [SUITE|FOLDER]"
[ "$(id -u)" -eq 0 ] || die "it installs packages: run it as root, in a system that may be thrown away"

# elsewhere DEB SYSTEM: the same in a root folder of its own, which goes afterwards.
elsewhere() {
    root=$(mktemp -d)
    trap 'umount "$root/proc" 2>/dev/null || :; rm -rf --one-file-system "$root"' EXIT
    trap 'exit 130' INT TERM HUP
    if [ -d "$2" ]; then
        cp -a "$2/." "$root"
    else
        debootstrap --variant=minbase "$2" "$root" >/dev/null
        # Beside the archive that debootstrap took it from lie its security updates.
        sed "s|/debian/\{0,1\} $2 |/debian-security $2-security |" "$root/etc/apt/sources.list" \
            >"$root/etc/apt/sources.list.d/security.list"
    fi
    cp "$1" "$0" "$root/tmp"
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        sh "/tmp/$(basename "$0")" "/tmp/$(basename "$1")"
}

if [ $# -gt 1 ]; then
    elsewhere "$@"
    exit
fi

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
name=$(dpkg-deb --field "$1" Package)
quietly() { "$@" >/tmp/deb-test.log 2>&1 </dev/null || { tail -n 30 /tmp/deb-test.log >&2; die "failed: $*"; }; }
# A user without a home's leftovers: no cache, no library of their own.
as_user() { timeout 600 setpriv --reuid=1234 --regid=1234 --clear-groups env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 HOME=/tmp/user "$@"; }
user() { as_user "$@" >/tmp/deb-test.log 2>&1 </dev/null || { tail -n 30 /tmp/deb-test.log >&2; die "as a user: $*"; }; }
# heard TEXT: what the last command of `user` said.
heard() { grep -q -- "$1" /tmp/deb-test.log || { cat /tmp/deb-test.log >&2; die "expected: $1"; }; }
# faces FILE: JSON Lines, and at least one says what a face shows.
faces() { grep -q '"emotion"' "$1" || die "$1: no line has a face"; }

say "installing"
# Nothing here outlives a power cut: dpkg need not wait for the disk.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/deb-test
echo 'APT::Keep-Downloaded-Packages "false";' >/etc/apt/apt.conf.d/99deb-test
quietly apt-get update
quietly apt-get install -y man-db
find / -xdev -not -path '/proc/*' -not -path '/tmp/*' | sort >/tmp/before
quietly apt-get install -y "$(realpath "$1")"
rm -rf /tmp/user && mkdir /tmp/user && chown 1234:1234 /tmp/user

say "the elements"
for element in ferdetect feroverlay ferjson; do user gst-inspect-1.0 "$element"; done
heard "Filename.*/lib/.*/gstreamer-1.0/libgstfer.so"

say "the program"
user fer --version
user fer demo --out /tmp/user/demo
faces /tmp/user/demo/faces.jsonl
user fer annotate /tmp/user/demo/annotated.mp4 -o /tmp/user/again.jsonl
faces /tmp/user/again.jsonl
user gst-launch-1.0 filesrc location=/tmp/user/demo/annotated.mp4 ! decodebin ! videoconvert ! \
    ferdetect model-file=/usr/share/gst-plugin-fer/models/fer-tiny.yaml ! ferjson ! \
    filesink location=/tmp/user/plugin.jsonl
faces /tmp/user/plugin.jsonl
user fer check "/usr/share/doc/$name/examples/headless-json.yaml"
# It may warn of cameras and displays.
as_user fer doctor >/tmp/deb-test.log 2>&1 || { cat /tmp/deb-test.log >&2; die "fer doctor"; }
heard "ONNX Runtime.*(/usr/lib/"

say "manual and completions"
user man -P cat fer
heard "fer annotate\|fer-annotate"
user man -P cat fer-batch
user bash -c '. /usr/share/bash-completion/completions/fer && complete -p fer'
for file in /usr/share/zsh/vendor-completions/_fer /usr/share/fish/vendor_completions.d/fer.fish; do
    grep -q annotate "$file" || die "$file does not know fer annotate"
done

say "papers"
for file in copyright changelog.gz THIRD-PARTY.gz sbom/fer.cdx.json.gz sbom/libgstfer.cdx.json.gz; do
    [ -s "/usr/share/doc/$name/$file" ] || die "/usr/share/doc/$name/$file is missing"
done
zcat "/usr/share/doc/$name/sbom/fer.cdx.json.gz" | grep -q 'pkg:cargo/gstreamer@' || die "the SBOM does not name gstreamer"
quietly dpkg --verify "$name"

say "removing"
dpkg -L "$name" | while read -r path; do [ -d "$path" ] || echo "$path"; done >/tmp/files
[ "$(wc -l </tmp/files)" -gt 20 ] || die "the package has next to nothing in it"
quietly apt-get purge -y "$name"
while read -r path; do [ ! -e "$path" ] || die "$path is left"; done </tmp/files
[ -z "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" ] || die "dpkg still knows $name"
quietly apt-get autoremove -y --purge
find / -xdev -not -path '/proc/*' -not -path '/tmp/*' | sort | comm -13 /tmp/before - |
    grep -E '/(gst-plugin-fer|gstreamer1.0-fer)|/libgstfer|/fer(\.|-|$)|/_fer$' && die "these are left"
# shellcheck disable=SC1091 # the system's own
say "all is well: $(basename "$1") on $(. /etc/os-release && echo "$PRETTY_NAME")"
