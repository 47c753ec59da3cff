#!/bin/sh
# Checks the dependency directions that ARCHITECTURE.md promises, from cargo's own view of them.
set -eu
cd "$(dirname -- "$0")/.."

failures=0
complain() {
    printf 'layers: %s\n' "$*" >&2
    failures=$((failures + 1))
}

# names PACKAGE EDGES [DEPTH]: the packages it depends on, one a line, itself left out.
names() {
    cargo tree --locked --quiet ${flag:+"$flag"} --package "$1" --edges "$2" ${3:+--depth "$3"} --prefix none \
        --format '{p}' |
        cut -d ' ' -f 1 | grep -vx "$1" | sort -u
}

# forbid PACKAGE PATTERN [FLAG]: nothing that PACKAGE, built with FLAG, depends on, however far, matches.
forbid() {
    flag=${3:-}
    found=$(names "$1" normal | grep -E "$2" | tr '\n' ' ') || :
    [ -z "$found" ] || complain "$1${flag:+ $flag} must not depend on: $found"
    flag=
}

# allow PACKAGE OURS...: of the workspace's own packages it depends directly on these at most.
# Dependencies of builds and tests count too.
allow() {
    package=$1
    shift
    for dependency in $(names "$package" normal,build,dev 1); do
        printf '%s\n' "$ours" | grep -qx "$dependency" || continue
        case " $* " in
            *" $dependency "*) ;;
            *) complain "$package must not depend on $dependency (allowed: ${*:-none})" ;;
        esac
    done
    checked="$checked $package"
}

ours=$(cargo tree --locked --quiet --workspace --depth 0 --prefix none --format '{p}' |
    grep . | cut -d ' ' -f 1 | sort -u)
[ -n "$ours" ] || { complain "cargo tree lists no packages"; exit 1; }

checked= flag=
allow fer-core
allow fer-backends fer-core
allow gst-plugin-fer fer-core fer-backends
allow pipelines fer-core gst-plugin-fer
allow fer-train fer-core fer-backends
allow fer-tests fer-core fer-backends gst-plugin-fer pipelines fer-train

for package in $ours; do
    case " $checked " in
        *" $package "*) ;;
        *) complain "$package is new: state in this script what it may depend on" ;;
    esac
done

forbid fer-core '^(gstreamer|glib|gio|opencv|ort|tch|torch-sys|cairo|pango)'
forbid fer-backends '^(gstreamer|glib|gio|tch|torch-sys|cairo|pango)'
forbid gst-plugin-fer '^(tch|torch-sys)'
forbid pipelines '^(tch|torch-sys)'
forbid fer-train '^(gstreamer|glib|gio|opencv|cairo|pango)'
# Fuzzers run its readers.
forbid fer-train '^(tch|torch-sys)' --no-default-features

grep -q '^#!\[forbid(unsafe_code)\]' fer-core/src/lib.rs ||
    complain "fer-core/src/lib.rs lacks #![forbid(unsafe_code)]"

if [ "$failures" -gt 0 ]; then
    printf 'layers: %s broken\n' "$failures" >&2
    exit 1
fi
printf 'layers: %s packages, all as ARCHITECTURE.md states\n' "$(printf '%s\n' "$ours" | wc -l)"
