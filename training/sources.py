"""Fetches the archives of the packages named in packages.toml with the machine's own package managers.

Debian packages come through apt with a private configuration: the machine's Debian entries with
"deb-src" added, private lists and a private cache, so nothing outside the target folder changes.
npm packages come through `npm pack --ignore-scripts`, which downloads but runs nothing.
A package that the mirrors no longer carry is reported and left out; the manifest that is written
after cleaning lists only what was really used.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from training.common import Package, Progress, fail

APT_SOURCES = Path("/etc/apt")


def deb822_with_sources(text: str) -> str:
    """The Debian stanzas of a .sources file, each asking for deb and deb-src."""
    stanzas = [s.strip() for s in re.split(r"\n\s*\n", text) if re.search(r"^Types:.*\bdeb\b", s, re.M)]
    return "\n\n".join(re.sub(r"^Types:.*$", "Types: deb deb-src", s, flags=re.M) for s in stanzas) + "\n"


def one_line_with_sources(text: str) -> str:
    """The same for the older one-line format."""
    lines = [line for line in text.splitlines() if line.startswith("deb ")]
    return "".join(f"{line}\n{line.replace('deb ', 'deb-src ', 1)}\n" for line in lines)


def private_apt(folder: Path) -> list[str]:
    """Writes the private configuration and returns the options every apt-get call needs."""
    parts = folder / "sources.list.d"
    for path in (parts, folder / "lists" / "partial", folder / "cache" / "archives" / "partial"):
        path.mkdir(parents=True, exist_ok=True)
    found = 0
    for path in sorted(APT_SOURCES.glob("sources.list.d/*")) + [APT_SOURCES / "sources.list"]:
        convert = {".sources": deb822_with_sources, ".list": one_line_with_sources}.get(path.suffix)
        if convert is None or not path.is_file() or not (text := convert(path.read_text())).strip():
            continue
        (parts / path.name).write_text(text)
        found += 1
    if not found:
        fail("no apt sources on this machine: the Debian packages cannot be fetched")
    settings = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": parts,
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def fetch_command(package: Package, apt_options: list[str]) -> list[str]:
    match package.kind:
        case "debian-source":
            return ["apt-get", "-qq", *apt_options, "source", "--download-only", package.name]
        case "debian-binary":
            return ["apt-get", "-qq", *apt_options, "download", package.name]
        case _:
            return ["npm", "pack", "--silent", "--ignore-scripts", package.name]


def fetch_one(package: Package, apt_options: list[str], target: Path) -> str | None:
    """Fetches into target/<kind>/<folder>; returns the last line of the complaint on failure."""
    folder = target / package.kind / package.folder
    if folder.is_dir() and any(folder.iterdir()):
        return None
    # Renamed when complete: a fetch that was stopped half way starts that package anew.
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    run = subprocess.run(fetch_command(package, apt_options), cwd=partial, capture_output=True, text=True)
    if run.returncode == 0:
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        return None
    shutil.rmtree(partial)
    return (run.stderr.strip().splitlines() or ["no message"])[-1][:100]


def fetch(packages: tuple[Package, ...], target: Path) -> None:
    apt_options = private_apt(target / "apt")
    update = subprocess.run(["apt-get", "-qq", *apt_options, "update"], capture_output=True, text=True)
    if update.returncode != 0:
        fail(f"apt-get update: {update.stderr.strip().splitlines()[-1:]}")
    progress = Progress("fetched", len(packages))
    with ThreadPoolExecutor(3) as pool:
        jobs = [(p, pool.submit(fetch_one, p, apt_options, target)) for p in packages]
        for package, job in jobs:
            complaint = job.result()
            progress.step(package.name)
            if complaint:
                print(f"  not available: {package.name}: {complaint}", flush=True)
