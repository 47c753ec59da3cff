#!/bin/sh
# Packs a finished release build as gstreamer1.0-fer_VERSION_ARCHITECTURE.deb, for the Debian or Ubuntu
# that it runs on. `./fer deb` sets up, builds, then calls it:
#
#   TARGET=FOLDER ONNXRUNTIME=PACKAGE|FOLDER [FEATURES='--features …'] ci/deb.sh [OUT]
#
# TARGET is cargo's target folder, FEATURES what it was built with; ONNXRUNTIME the distribution's package of ONNX Runtime, or a folder
# with the library and its licences, which go into the package then. The package is put into OUT.
# DEBFULLNAME and DEBEMAIL name the maintainer, SOURCE_DATE_EPOCH the time.
set -eu
project=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
out=${1:-$project/out}
mkdir -p "$out"
out=$(CDPATH='' cd -- "$out" && pwd)
cd "$project"

name=gstreamer1.0-fer
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
architecture=$(dpkg --print-architecture)
upstream=$(cargo pkgid --package pipelines | sed 's/.*[#@]//')
# One build a distribution, as the libraries' versions differ.
# shellcheck disable=SC1091 # the system's own
distribution=$(. /etc/os-release && printf '%s%s' "$ID" "${VERSION_ID:-0}" | sed 's/^debian/deb/')
version=$upstream-1~$distribution
maintainer="${DEBFULLNAME:-The gst-plugin-fer developers} <${DEBEMAIL:-gst-plugin-fer@users.noreply.github.com}>"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
# The SBOM's generator writes beside every Cargo.toml.
trap 'rm -rf "$work"; rm -f ./*/sbom-of-deb.json' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
umask 022
root=$work/root
doc=$root/usr/share/doc/$name

# put FILE... FOLDER: copies, readable by everyone.
put() {
    for last; do :; done
    mkdir -p "$root$last"
    while [ $# -gt 1 ]; do
        install -m 644 "$1" "$root$last/"
        shift
    done
}

# ---- What runs ---------------------------------------------------------------------------

put "$TARGET/release/libgstfer.so" "/usr/lib/$triplet/gstreamer-1.0"
put "$TARGET/release/fer" /usr/bin
chmod 755 "$root/usr/bin/fer"
put models/*.onnx models/*.yaml /usr/share/gst-plugin-fer/models
put gst-plugin-fer/schema/fer-frame-v1.schema.json /usr/share/gst-plugin-fer/schema
case $ONNXRUNTIME in
    /*)
        # The plugin looks into this folder (fer-backends/src/runtime.rs).
        put "$ONNXRUNTIME"/libonnxruntime.so.* "/usr/lib/$triplet/gst-plugin-fer"
        put "$ONNXRUNTIME/LICENSE" "$ONNXRUNTIME/ThirdPartyNotices.txt" "/usr/share/doc/$name/onnxruntime"
        runtime=''
        ;;
    *) runtime=", $ONNXRUNTIME" ;;
esac
# Ours alone: the runtime's file stays what its wheel's hash vouches for.
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/fer" \
    "$root/usr/lib/$triplet/gstreamer-1.0/libgstfer.so"

# ---- What people read --------------------------------------------------------------------

fer=$TARGET/release/fer
"$fer" man "$root/usr/share/man/man1"
mkdir -p "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions" \
    "$root/usr/share/fish/vendor_completions.d"
"$fer" completions bash >"$root/usr/share/bash-completion/completions/fer"
"$fer" completions zsh >"$root/usr/share/zsh/vendor-completions/_fer"
"$fer" completions fish >"$root/usr/share/fish/vendor_completions.d/fer.fish"
put README.md SECURITY.md "/usr/share/doc/$name"
put docs/*.md "/usr/share/doc/$name/docs"
install -m 644 models/README.md "$doc/models.md"
put pipelines/*.yaml gst-plugin-fer/examples/read_metadata.c gst-plugin-fer/examples/read_metadata.py \
    "/usr/share/doc/$name/examples"
install -m 644 CHANGELOG.md "$doc/changelog"
cat >"$doc/changelog.Debian" <<END
$name ($version) unstable; urgency=medium

  * Built for $distribution by the project's ci/deb.sh. See changelog.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
END
{
    cat ci/deb/copyright
    printf 'License: MIT\n'
    sed '1,2d; s/^$/./; s/^/ /' LICENSE-MIT
    [ -n "$runtime" ] || printf '%s\n' '' "Files: usr/lib/*/gst-plugin-fer/libonnxruntime.so.*" \
        "Copyright: Microsoft Corporation" "License: MIT" \
        "Comment: see onnxruntime/LICENSE and onnxruntime/ThirdPartyNotices.txt.gz."
} >"$doc/copyright"
mkdir -p "$root/usr/share/lintian/overrides"
{
    cat ci/deb/lintian-overrides
    [ -n "$runtime" ] || printf '%s\n' "# This distribution has no ONNX Runtime; the wheel's library is as Microsoft built it." \
        "$name: embedded-library *libonnxruntime*"
} >"$root/usr/share/lintian/overrides/$name"
python3 ci/notices.py gst-plugin-fer pipelines >"$doc/THIRD-PARTY"
# Of Rust's own library, which is linked in as well; toolchains before 1.85 have none.
standard=$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html
[ ! -e "$standard" ] || install -m 644 "$standard" "$doc/THIRD-PARTY-rust.html"

# ---- The software bill of materials ------------------------------------------------------

mkdir -p "$doc/sbom"
cargo cyclonedx --version >/dev/null 2>&1 || {
    [ "${FER_SETUP:-}" != check ] || {
        printf 'deb: FER_SETUP=check: cargo-cyclonedx is missing\n' >&2
        exit 1
    }
    cargo install --locked --quiet --root "$TARGET/tools" cargo-cyclonedx@0.5.9
    PATH=$TARGET/tools/bin:$PATH
}
cargo cyclonedx --format json --spec-version 1.5 --target "$(rustc -vV | sed -n 's/^host: //p')" \
    --override-filename sbom-of-deb --quiet ${FEATURES:-}
mv gst-plugin-fer/sbom-of-deb.json "$doc/sbom/libgstfer.cdx.json"
mv pipelines/sbom-of-deb.json "$doc/sbom/fer.cdx.json"
# Without this machine's paths, and with the library that cargo does not know of.
python3 - "$project" "$doc/sbom/libgstfer.cdx.json" "$doc/sbom/fer.cdx.json" \
    "$root/usr/lib/$triplet/gst-plugin-fer"/libonnxruntime.so.* <<'END'
import hashlib, json, pathlib, sys

project, *boms, library = sys.argv[1:]
component = None
if pathlib.Path(library).exists():
    version = library.rpartition(".so.")[2]
    component = {
        "type": "library", "name": "onnxruntime", "version": version, "scope": "required",
        "purl": f"pkg:pypi/onnxruntime@{version}", "bom-ref": f"pkg:pypi/onnxruntime@{version}",
        "licenses": [{"license": {"id": "MIT"}}],
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(open(library, "rb").read()).hexdigest()}],
    }
for path in map(pathlib.Path, boms):
    bom = json.loads(path.read_text().replace(f"file://{project}/", "file:///"))
    bom["components"] += [component] if component else []
    path.write_text(json.dumps(bom, indent=1) + "\n")
END

gzip -9n "$root"/usr/share/man/man1/* "$doc/changelog" "$doc/changelog.Debian" "$doc/THIRD-PARTY" \
    "$doc"/sbom/*
[ -n "$runtime" ] || gzip -9n "$doc/onnxruntime/ThirdPartyNotices.txt"

# ---- The package -------------------------------------------------------------------------

mkdir -p "$work/debian" "$root/DEBIAN"
printf 'Source: gst-plugin-fer\n\nPackage: %s\nArchitecture: any\n' "$name" >"$work/debian/control"
libraries=$(cd "$work" && find "$root/usr/lib" "$root/usr/bin" -type f -exec dpkg-shlibdeps -O {} + |
    sed -n 's/^shlibs:Depends=//p')
[ -n "$libraries" ] || { printf 'deb: dpkg-shlibdeps names no libraries\n' >&2; exit 1; }
cat >"$root/DEBIAN/control" <<END
Package: $name
Source: gst-plugin-fer
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(find "$root/usr" -type f -printf '%s\n' | awk '{ sum += $1 } END { print int((sum + 1023) / 1024) }')
Depends: $libraries, gstreamer1.0-plugins-base, opencv-data$runtime
Recommends: fonts-dejavu-core | fonts-freefont-ttf, gstreamer1.0-libav, gstreamer1.0-plugins-bad, gstreamer1.0-plugins-good, gstreamer1.0-plugins-ugly, gstreamer1.0-tools, gstreamer1.0-x
Suggests: graphviz
Section: video
Priority: optional
Homepage: https://github.com/gst-plugin-fer/gst-plugin-fer
Description: facial expressions in GStreamer pipelines
 Finds faces in any video that GStreamer plays, follows them, names what they
 show (anger, disgust, fear, happiness, sadness, surprise, neutral), and keeps
 the name steady.
 .
 The elements are ferdetect, which analyses and puts metadata on the frames,
 feroverlay, which draws, blurs or pixelates faces, and ferjson, which writes
 the metadata as JSON Lines. The program fer runs whole set-ups: cameras and
 recordings described in YAML, recordings annotated one by one or by the
 folder, reports as HTML pages.
END
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

dpkg-deb --root-owner-group --build "$root" "$out/${name}_${version}_$architecture.deb"
