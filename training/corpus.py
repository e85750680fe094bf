"""Builds the training text from the packages named in packages.toml (or in another --manifest).

    python3 -m training.corpus fetch FOLDER      download the archives
    python3 -m training.corpus licences FOLDER   compare the manifest's licences with what the packages say
    python3 -m training.corpus build FOLDER      clean, remove duplicates, apply the mix; leaves out packages
                                                 whose own licence is not the manifest's
                                                 --decontaminate FILE... drops what benchmarks hold

With --held-out each looks at the held-out packages alone: held_out.jsonl is the same, train.jsonl empty.

`build` writes train.jsonl and held_out.jsonl (one file a line: language, package, path, text) and
DATA.txt, the list of packages, versions, licences and kept bytes that is shipped with the model.
The text itself stays in FOLDER and is never part of the repository.
Files of held-out packages are looked at first, so a training file that repeats one is dropped.
The result depends only on the archives: files are ordered by a hash of their name.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import lzma
import re
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import Pool
from pathlib import Path

from training import dedupe, filters, licences, sources
from training.common import MANIFEST, Manifest, Package, Progress, fail, guarded, read_manifest
from training.decontaminate import Benchmarks

# Longest text taken from one package and language before duplicates are removed: enough to choose from.
CANDIDATE_BYTES = 40_000_000


@dataclass
class Document:
    language: str
    package: str
    path: str
    text: str

    @property
    def order(self) -> bytes:
        return hashlib.md5(f"{self.package}/{self.path}".encode(), usedforsecurity=False).digest()


def archives_of(folder: Path) -> list[Path]:
    wanted = re.compile(r"\.(deb|tgz)$|\.orig[^/]*\.tar\.\w+$|(?<!\.debian)\.tar\.\w+$")
    return sorted(p for p in folder.glob("*") if wanted.search(p.name) and ".debian." not in p.name)


def version_of(folder: Path) -> str:
    for path in archives_of(folder):
        if path.suffix == ".deb":
            return path.name.split("_")[1].replace("%3a", ":")
        if path.suffix == ".tgz":
            return re.sub(r"^.*?-(\d)", r"\1", path.name.removesuffix(".tgz"))
        if match := re.search(r"_([^_]+?)\.orig", path.name):
            return match[1]
    return "unknown"


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each regular file whose name says that it is source text."""
    unpack = None
    if archive.suffix == ".deb":
        unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
        tar = tarfile.open(fileobj=unpack.stdout, mode="r|")
    else:
        tar = tarfile.open(archive, "r|*")
    with tar:
        for member in tar:
            if member.isfile() and member.size <= filters.MAX_BYTES and filters.language_of("/" + member.name):
                yield member.name, tar.extractfile(member).read()
    if unpack:
        unpack.wait()


def readable_members(archive: Path) -> Iterator[tuple[str, bytes]]:
    try:
        yield from members(archive)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise OSError(0, f"cannot be unpacked ({error}); remove it and fetch again", str(archive)) from None


def clean_package(job: tuple[Package, Path]) -> tuple[Package, list[Document], collections.Counter]:
    package, folder = job
    reasons: collections.Counter = collections.Counter()
    size: collections.Counter = collections.Counter()
    kept: list[Document] = []
    for archive in archives_of(folder):
        for path, raw in readable_members(archive):
            language = filters.language_of("/" + path)
            text, reason = filters.clean(raw, language)
            reasons[reason] += len(raw)
            if text is None:
                continue
            language = filters.refine_language(language, path, text)
            if size[language] < CANDIDATE_BYTES:
                size[language] += len(text)
                kept.append(Document(language, package.name, path, text))
    if package.kind == "npm" and any(d.language == "typescript" for d in kept):
        # Beside TypeScript sources, JavaScript in the same package is what the compiler wrote.
        kept = [d for d in kept if d.language != "javascript"]
    return package, kept, reasons


def agreeing(manifest: Manifest, archives: Path) -> list[tuple[Package, Path]]:
    """The packages that were fetched and are under the licence that the manifest names; the others are said."""
    kept, refused = [], 0
    for package in manifest.packages:
        folder = archives / package.kind / package.folder
        if not archives_of(folder):
            continue
        verdict = licences.judge(package, folder)
        if verdict.agrees:
            kept.append((package, folder))
        else:
            refused += 1
            print(f"  licence refused: {package.name}: the manifest says {package.licence}, the package {verdict.found}", flush=True)
    if not kept:
        fail(f"{archives}: no archives here whose licence agrees with the manifest; run `fetch` first")
    print(f"licences of {len(kept)} packages agree with the manifest, {refused} are left out")
    return kept


def clean_all(manifest: Manifest, archives: Path) -> tuple[list[Document], collections.Counter]:
    jobs = agreeing(manifest, archives)
    jobs.sort(key=lambda job: -sum(a.stat().st_size for a in archives_of(job[1])))
    documents: list[Document] = []
    reasons: collections.Counter = collections.Counter()
    progress = Progress("cleaned", len(jobs))
    with Pool(2) as pool:
        for package, kept, why in pool.imap_unordered(clean_package, jobs):
            documents += kept
            reasons += why
            progress.step(package.name)
    return documents, reasons


def say_what_is_missing(manifest: Manifest, archives: Path) -> None:
    """A package that could not be fetched makes the corpus smaller, not wrong."""
    missing = [p.name for p in manifest.packages if not archives_of(archives / p.kind / p.folder)]
    if missing:
        print(f"left out, not fetched: {', '.join(missing)}", flush=True)
    if manifest.held_out and manifest.held_out <= set(missing):
        fail(f"{archives}: no held-out package is here, so nothing could be measured; run `fetch` first")


def drop_contaminated(documents: list[Document], held_out: frozenset[str], files: list[Path]) -> list[Document]:
    """Held-out packages keep theirs: they are measured on, not trained on."""
    benchmarks = Benchmarks(files)
    kept = [d for d in documents if d.package in held_out or not benchmarks.share_text_with(d.text)]
    print(f"dropped {len(documents) - len(kept)} of {len(documents)} documents that share text with a benchmark")
    return kept


def choose(documents: list[Document], manifest: Manifest) -> tuple[list[Document], list[Document]]:
    """Held-out and training documents, without duplicates, within the limits of the manifest."""
    seen = dedupe.Seen()
    by_language: collections.Counter = collections.Counter()
    by_package: collections.Counter = collections.Counter()
    held_out: list[Document] = []
    train: list[Document] = []
    documents.sort(key=lambda d: (d.package not in manifest.held_out, d.order))
    for document in documents:
        size = len(document.text.encode())
        if document.package in manifest.held_out:
            # Remember all of a held-out package, keep some of it.
            new = seen.add(*dedupe.sketch(document.text))
            if new and by_package[document.package] + size <= manifest.held_out_bytes / len(manifest.held_out):
                by_package[document.package] += size
                held_out.append(document)
            continue
        limit = manifest.mix[document.language] * manifest.corpus_bytes
        key = (document.package, document.language)
        if by_language[document.language] + size > limit or by_package[key] + size > manifest.package_share * limit:
            continue
        if seen.add(*dedupe.sketch(document.text)):
            by_language[document.language] += size
            by_package[key] += size
            train.append(document)
    return held_out, train


def write_documents(path: Path, documents: list[Document]) -> None:
    documents.sort(key=lambda d: d.order)
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as out:
        for d in documents:
            out.write(json.dumps([d.language, d.package, d.path, d.text], ensure_ascii=False) + "\n")
    temporary.replace(path)


def read_documents(path: Path) -> Iterator[Document]:
    try:
        with path.open() as lines:
            for line in lines:
                yield Document(*json.loads(line))
    except (OSError, ValueError, TypeError) as error:
        fail(f"{path}: not a corpus file ({error})")


def write_provenance(
    path: Path, manifest: Manifest, archives: Path, train: list[Document], held_out: list[Document]
) -> None:
    size: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for d in train + held_out:
        size[d.package][d.language] += len(d.text.encode())
    lines = [
        "Text the model was trained on: package, version, licence, kept bytes by language.",
        "Lines marked * are held out: used for the figures in the model card, never for training.",
        "",
    ]
    for p in sorted(manifest.packages, key=lambda p: (p.kind, p.name)):
        if not size[p.name]:
            continue
        mark = "*" if p.name in manifest.held_out else " "
        languages = ", ".join(f"{language} {n}" for language, n in size[p.name].most_common())
        version = version_of(archives / p.kind / p.folder)
        lines.append(f"{mark} {p.kind:13} {p.name:32} {version:24} {p.licence:42} {languages}")
    total = collections.Counter()
    for d in train:
        total[d.language] += len(d.text.encode())
    lines += ["", "training bytes: " + ", ".join(f"{k} {v}" for k, v in total.most_common()) + f"; all {total.total()}"]
    path.write_text("\n".join(lines) + "\n")


def build(folder: Path, manifest: Manifest, benchmarks: list[Path]) -> None:
    say_what_is_missing(manifest, folder / "archives")
    documents, reasons = clean_all(manifest, folder / "archives")
    print("MB by outcome:", {k: round(v / 1e6, 1) for k, v in reasons.most_common()})
    if benchmarks:
        documents = drop_contaminated(documents, manifest.held_out, benchmarks)
    held_out, train = choose(documents, manifest)
    write_documents(folder / "train.jsonl", train)
    write_documents(folder / "held_out.jsonl", held_out)
    write_provenance(folder / "DATA.txt", manifest, folder / "archives", train, held_out)
    print((folder / "DATA.txt").read_text().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=("fetch", "licences", "build"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help="package list, e.g. training/packages_38m.toml")
    parser.add_argument("--decontaminate", type=Path, nargs="+", default=[], metavar="FILE", help="benchmarks, .jsonl(.gz)")
    parser.add_argument("--held-out", action="store_true", help="only what models are measured on")
    arguments = parser.parse_args()
    manifest = read_manifest(arguments.manifest)
    if arguments.held_out:
        manifest = replace(manifest, packages=tuple(p for p in manifest.packages if p.name in manifest.held_out))
    if arguments.command == "fetch":
        sources.fetch(manifest.packages, arguments.folder / "archives")
    elif arguments.command == "licences":
        agreeing(manifest, arguments.folder / "archives")
    else:
        build(arguments.folder, manifest, arguments.decontaminate)


if __name__ == "__main__":
    guarded(main)
