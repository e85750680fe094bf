"""Finds files that are the same, or nearly the same, as one already kept.

Exact: equal after white space at line ends and starts is ignored.
Near: MinHash over shingles of five lines (Broder 1997): two files whose 32 minima agree in at least
70 % are one file. Candidates are found by banding (8 bands of 4 minima), so a pair just above the
threshold is sometimes missed; the first file seen wins.
"""

from __future__ import annotations

import hashlib
import zlib

import numpy as np

MINIMA, BANDS, SHINGLE = 32, 8, 5
ROWS = MINIMA // BANDS
NEAR = 0.7

_rng = np.random.RandomState(1)
_MULTIPLY = _rng.randint(1, 2**31 - 1, MINIMA).astype(np.uint64) << np.uint64(1) | np.uint64(1)
_ADD = _rng.randint(0, 2**31 - 1, MINIMA).astype(np.uint64)
_MIX = np.array([1000003, 69069, 2654435761, 97, 1], np.uint64)


def sketch(text: str) -> tuple[bytes, np.ndarray | None]:
    """Digest for exact comparison, and minima for near comparison (None for very short files)."""
    lines = [line for line in map(str.strip, text.split("\n")) if len(line) > 2]
    digest = hashlib.md5("\n".join(lines).encode(), usedforsecurity=False).digest()
    if len(lines) < SHINGLE:
        return digest, None
    hashes = np.array([zlib.crc32(line.encode()) for line in lines], np.uint64)
    count = len(hashes) - SHINGLE + 1
    shingles = np.zeros(count, np.uint64)
    for i in range(SHINGLE):
        shingles ^= hashes[i : i + count] * _MIX[i]
    shingles = np.unique(shingles & np.uint64(0xFFFFFFFF))
    # The middle bits of a multiply-shift hash are the well mixed ones.
    mixed = (shingles[:, None] * _MULTIPLY + _ADD) >> np.uint64(20)
    return digest, mixed.astype(np.uint32).min(axis=0)


class Seen:
    """Remembers what was kept; `add` says whether a text is new."""

    def __init__(self) -> None:
        self.digests: set[bytes] = set()
        self.bands: dict[tuple[int, bytes], np.ndarray] = {}

    def add(self, digest: bytes, minima: np.ndarray | None) -> bool:
        if digest in self.digests:
            return False
        self.digests.add(digest)
        if minima is None:
            return True
        keys = [(band, minima[band * ROWS : (band + 1) * ROWS].tobytes()) for band in range(BANDS)]
        for key in keys:
            other = self.bands.get(key)
            if other is not None and (other == minima).mean() >= NEAR:
                return False
        for key in keys:
            self.bands.setdefault(key, minima)
        return True
