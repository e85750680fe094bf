"""Small things every command here needs: clear failure, progress lines, the package manifest.

A command that meets bad input says so in one line and exits with 1; everything else is a bug and
may show a traceback.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

MANIFEST = Path(__file__).with_name("packages.toml")
KINDS = ("debian-source", "debian-binary", "npm")


def fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(1)


def guarded(main: Callable[[], None]) -> None:
    """Runs a command; a full disk, a missing program or too little memory is one line as well."""
    try:
        main()
    except MemoryError:
        fail("not enough memory; what was finished before is kept")
    except OSError as error:
        fail(f"{error.filename or 'file'}: {error.strerror or error}; what was finished before is kept")
    except KeyboardInterrupt:
        fail("stopped")


class Progress:
    """One line that is redrawn on a terminal, or a line every few seconds in a log."""

    def __init__(self, label: str, total: int, quiet_seconds: float = 5.0) -> None:
        self.label, self.total, self.done = label, total, 0
        self.terminal = sys.stderr.isatty()
        self.every = 0.2 if self.terminal else quiet_seconds
        self.last = 0.0

    def step(self, note: str = "", amount: int = 1) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.last < self.every and self.done < self.total:
            return
        self.last = now
        end = "\r" if self.terminal and self.done < self.total else "\n"
        print(f"{self.label} {self.done}/{self.total} {note:<50.50}", end=end, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Package:
    name: str
    kind: str
    licence: str

    @property
    def folder(self) -> str:
        """A name without the slash and the @ of scoped npm packages."""
        return self.name.replace("@", "").replace("/", "-")


@dataclass(frozen=True)
class Manifest:
    packages: tuple[Package, ...]
    held_out: frozenset[str]
    mix: dict[str, float]
    corpus_bytes: int
    package_share: float
    held_out_bytes: int


def read_toml(path: Path) -> dict:
    """A manifest; one that says `extends = "OTHER"` has all of OTHER's keys, with its own ones over them."""
    data = tomllib.loads(path.read_text())
    if "extends" not in data:
        return data
    base = read_toml(path.with_name(data.pop("extends")))
    for name, table in data.items():
        base[name] = base.get(name, {}) | table
    return base


def read_manifest(path: Path = MANIFEST) -> Manifest:
    try:
        data = read_toml(path)
        packages = tuple(
            Package(name, kind, licence) for kind in KINDS for name, licence in data[kind].items()
        )
        limits = data["limits"]
        manifest = Manifest(
            packages=packages,
            held_out=frozenset(data["held_out"]["names"]),
            mix=dict(data["mix"]),
            corpus_bytes=int(limits["corpus_mb"] * 1e6),
            package_share=float(limits["package_share"]),
            held_out_bytes=int(limits["held_out_mb"] * 1e6),
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        fail(f"{path}: not a package manifest ({error})")
    unknown = manifest.held_out - {p.name for p in packages}
    if unknown:
        fail(f"{path}: held out but not listed: {', '.join(sorted(unknown))}")
    return manifest
