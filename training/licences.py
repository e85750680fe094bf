"""Whether a fetched package says of itself what the manifest says its licence is.

Debian packages have debian/copyright (in the .debian.tar of a source package, in /usr/share/doc of a
binary one), npm packages a field of package.json. Debian's machine-readable form names the licence of
`Files: *`; where a copyright file has no such form, or groups files in another way, the licence that
the manifest names must occur in it. A package that does not agree, or says nothing, is left out of a
corpus. Files inside a package that carry another licence in their head are dropped by filters.py.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from training.common import Package

# Debian's and old npm names for SPDX identifiers, compared in lower case.
OTHER_NAMES = {
    "expat": "mit",
    "x11": "mit",
    "apache-2": "apache-2.0",
    "apache2": "apache-2.0",
    "apache 2.0": "apache-2.0",
    "asl-2.0": "apache-2.0",
    "bsd-2": "bsd-2-clause",
    "bsd-3": "bsd-3-clause",
    "bsd": "bsd-3-clause",
    "bsl-1": "bsl-1.0",
    "boost-1.0": "bsl-1.0",
    "psf": "psf-2.0",
    "psf-2": "psf-2.0",
    "python": "psf-2.0",
    "python-2.0": "psf-2.0",
    "zlib": "zlib",
    "public-domain": "blessing",
    "unlicense": "unlicense",
    "apache-2.0 with llvm exception": "apache-2.0 with llvm-exception",
    "apache-2-llvm-exceptions": "apache-2.0 with llvm-exception",
    "apache-2.0-with-llvm-exception": "apache-2.0 with llvm-exception",
}
COPYLEFT = re.compile(r"gpl|^mpl|^epl|^cddl|affero", re.I)
# A phrase of each licence's text, for copyright files without named licences; white space is one blank.
PHRASES = {
    "mit": "permission is hereby granted, free of charge",
    "apache-2.0": "apache license",
    "apache-2.0 with llvm-exception": "llvm exception",
    "bsd-2-clause": "redistribution and use in source and binary forms",
    "bsd-3-clause": "redistribution and use in source and binary forms",
    "bsl-1.0": "boost software license",
    "isc": "permission to use, copy, modify, and/or distribute",
    "psf-2.0": "python software foundation",
    "curl": "permission to use, copy, modify, and distribute this software for any purpose",
    "ftl": "freetype",
    "postgresql": "permission to use, copy, modify, and distribute this software and its documentation",
    "zlib": "this software is provided 'as-is'",
    "blessing": "public domain",
    "unlicense": "public domain",
    "biopython": "biopython",
}


@dataclass(frozen=True)
class Verdict:
    agrees: bool
    found: str  # what the package says, for people


def normal(name: str) -> str:
    name = re.sub(r"\s+", " ", name).strip().strip("()").lower()
    return OTHER_NAMES.get(name, name)


def choices(expression: str) -> set[str]:
    """The licences one may choose from; what a note in brackets says is left out."""
    plain = re.sub(r"\(offered [^)]*\)|\(public domain\)", "", expression)
    return {normal(part) for part in re.split(r"\s+or\s+|\s*[|/]\s*", plain.strip().strip("()"), flags=re.I)}


def files_licences(text: str) -> list[str] | None:
    """The licences of `Files: *` in a machine-readable copyright file, else those of all its stanzas; None in other files."""
    if not re.search(r"^Format(-Specification)?:\s*\S*(copyright-format|dep-?5|DEP-?5)", text, re.M | re.I):
        return None
    general, named = [], []
    for stanza in re.split(r"\n\s*\n", text):
        licence = re.search(r"^Licen[sc]e:[ \t]*(.+)$", stanza, re.M)
        files = re.search(r"^Files:(.*(?:\n[ \t]+.*)*)", stanza, re.M)
        if licence and files:
            named.append(licence[1])
            general += [licence[1]] if "*" in re.split(r"[\s,]+", files[1]) else []
    return general or named or None


def stanzas_of(text: str, name: str) -> str:
    """The text that a machine-readable file gives for a licence under a name of its own ("Go", "BSD-C3")."""
    stanzas = re.split(r"\n\s*\n", text)
    return "\n".join(s for s in stanzas if re.search(rf"^Licen[sc]e:[ \t]*{re.escape(name)}[ \t]*$", s, re.M))


def has_text(text: str, wanted: set[str]) -> bool:
    plain = re.sub(r"[\s.]+", " ", text).lower()
    return any(re.sub(r"[\s.]+", " ", PHRASES[name]) in plain for name in wanted if name in PHRASES)


def covers(said: str, wanted: set[str]) -> bool:
    """`said` may be "A and B", of which one is wanted and none is a copyleft; exceptions only add permissions."""
    parts = [normal(part) for part in re.split(r"\s+and\s+|,", said)]
    if any(COPYLEFT.search(part) for part in parts):
        return False
    plain = {normal(re.sub(r"\s+with .*", "", part)) for part in parts}
    longer = {p for p in parts if any(p.startswith(f"{w}-") for w in wanted)}  # "bsd-3-clause-google"
    return said in wanted or bool(wanted & (set(parts) | plain) or longer)


def judge_copyright(licence: str, text: str) -> Verdict:
    wanted, named = choices(licence), files_licences(text)
    if named is not None:
        agrees = any(
            covers(choice, wanted) or (not COPYLEFT.search(choice) and has_text(stanzas_of(text, said), wanted))
            for said in named
            for choice in choices(said)
        )
        return Verdict(agrees, "; ".join(dict.fromkeys(named))[:120])
    if has_text(text, wanted):
        return Verdict(True, f"the text of {' or '.join(sorted(wanted))}")
    return Verdict(False, "no licence that it names")


def judge_npm(licence: str, field: object) -> Verdict:
    if isinstance(field, list):  # the old `licenses`
        field = " OR ".join(str(f.get("type", f) if isinstance(f, dict) else f) for f in field)
    elif isinstance(field, dict):
        field = field.get("type")
    if not isinstance(field, str) or not field:
        return Verdict(False, "no licence")
    return Verdict(bool(choices(licence) & choices(field)), field)


def copyright_of(archive: Path) -> str | None:
    """debian/copyright, or /usr/share/doc/*/copyright; None if it has none.

    A binary package may share the documents of another of its source: that one is looked for among those fetched.
    """
    unpack = None
    if archive.suffix == ".deb":
        unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        tar = tarfile.open(fileobj=unpack.stdout, mode="r|")
    else:
        tar = tarfile.open(archive, "r|*")
    wanted = re.compile(r"^(\./)?(debian/copyright|usr/share/doc/[^/]+/copyright)$")
    shared = re.compile(r"^(\./)?usr/share/doc/[^/]+$")
    try:
        with tar:
            for member in tar:
                if member.isfile() and wanted.match(member.name):
                    return tar.extractfile(member).read().decode("utf-8", "replace")
                if member.issym() and shared.match(member.name):
                    others = sorted((archive.parent.parent / Path(member.linkname).name).glob("*.deb"))
                    return copyright_of(others[0]) if others else None
    finally:
        if unpack:
            unpack.stdout.close()
            unpack.wait()
    return None


def npm_field(archive: Path) -> object:
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            if member.isfile() and member.name.count("/") == 1 and member.name.endswith("/package.json"):
                found = json.loads(tar.extractfile(member).read())
                return found.get("license") or found.get("licenses")
    return None


def judge(package: Package, folder: Path) -> Verdict:
    """Of the archives that were fetched into `folder`."""
    try:
        for archive in sorted(folder.glob("*")):
            if package.kind == "npm" and archive.suffix == ".tgz":
                return judge_npm(package.licence, npm_field(archive))
            if package.kind != "npm" and (archive.suffix == ".deb" or ".debian.tar." in archive.name):
                text = copyright_of(archive)
                if text is not None:
                    return judge_copyright(package.licence, text)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        return Verdict(False, f"unreadable ({error})")
    return Verdict(False, "no copyright file")
