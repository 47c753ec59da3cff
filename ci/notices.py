#!/usr/bin/env python3
"""Prints the licences of the crates that are linked into packages of the workspace.

usage: ci/notices.py PACKAGE...

Crates under the same text share one section. A crate without a text of its own is named with its
authors and the SPDX expression that it states. FEATURES holds options of cargo, as `--features v1_24`.
"""

import json
import os
import pathlib
import subprocess
import sys

NAMES = ("license", "licence", "copying", "notice", "copyright", "unlicense")
RULE = "=" * 100


def linked(package):
    """(name, version) of everything linked in: no tests, no build scripts, no procedural macros."""
    command = ["cargo", "tree", "--locked", "--package", package, "--prefix", "none"]
    command += ["--edges", "normal,no-proc-macro", "--format", "{p}", *os.environ.get("FEATURES", "").split()]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        if line.strip():
            name, version = line.split()[:2]
            yield name, version.removeprefix("v")


def texts(folder):
    """The files with licences in a crate's folder, by name."""
    files = [path for path in sorted(folder.iterdir()) if path.name.lower().startswith(NAMES)]
    for path in files:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file.suffix != ".rs":
                yield file.read_text(encoding="utf-8", errors="replace").strip()


def main(packages):
    wanted = {crate for package in packages for crate in linked(package)}
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    sections, without = {}, []
    for crate in metadata["packages"]:
        if (crate["name"], crate["version"]) not in wanted or crate["source"] is None:
            continue
        title = f"{crate['name']} {crate['version']} ({crate['license']})"
        found = set(texts(pathlib.Path(crate["manifest_path"]).parent))
        for text in found:
            sections.setdefault(text, []).append(title)
        if not found:
            authors = ", ".join(crate["authors"]) or "its authors"
            without.append(f"{title}: by {authors}, {crate['repository']}")
    if not sections:
        sys.exit("notices: no licences found, are the crates fetched?")
    print(f"Libraries of others that are linked into {' and '.join(packages)}.")
    for text, titles in sorted(sections.items(), key=lambda section: (sorted(section[1]), section[0])):
        print(f"\n{RULE}", *sorted(titles), RULE, text, sep="\n")
    if without:
        print(f"\n{RULE}\nWithout a licence text in the crate\n{RULE}", *sorted(without), sep="\n")


main(sys.argv[1:] or sys.exit(__doc__))
