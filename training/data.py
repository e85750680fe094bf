"""Windows of token ids from the encoded corpus.

A window never crosses a document. It is laid out as the engine lays out its canvas:
`<bof>` if the document begins in it, always a language mark, the tokens, `<eof>` if it ends in it.
Documents are drawn in proportion to their length, but none counts for more than a few windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.common import fail
from training.tokenizer import BOF, LANG_ANY

WINDOWS_THAT_COUNT = 8  # a longer document is drawn no more often
MIN_TOKENS = 24
ANY_LANGUAGE_SHARE = 0.1
AT_START_SHARE, AT_END_SHARE = 0.12, 0.08


@dataclass(frozen=True)
class Window:
    ids: np.ndarray  # int64, canvas layout
    first: int  # first position that may be masked
    end: int  # one past the last such position: <eof> is always shown


class Corpus:
    def __init__(self, folder: Path, name: str, window: int) -> None:
        try:
            self.ids = np.memmap(folder / f"{name}.u16", np.uint16, "r")
            self.offsets = np.load(folder / f"{name}.offsets.npy")
        except (OSError, ValueError) as error:
            fail(f"{folder}: no encoded corpus called {name} ({error})")
        if self.offsets[-1] != len(self.ids):
            fail(f"{folder}/{name}.u16: has {len(self.ids)} ids, expected {self.offsets[-1]}")
        lengths = np.diff(self.offsets)
        self.usable = np.flatnonzero(lengths >= MIN_TOKENS)
        weight = np.minimum(lengths[self.usable], WINDOWS_THAT_COUNT * window).astype(np.float64)
        self.cumulative = np.cumsum(weight / weight.sum())

    def document(self, index: int) -> np.ndarray:
        return self.ids[self.offsets[index] : self.offsets[index + 1]].astype(np.int64)

    def draw(self, rng: np.random.Generator, length: int) -> Window:
        place = min(np.searchsorted(self.cumulative, rng.random()), len(self.usable) - 1)
        return window_of(self.document(self.usable[place]), length, rng)


def window_of(document: np.ndarray, length: int, rng: np.random.Generator) -> Window:
    """document is `<bof> <lang> tokens <eof>`; the window has at most `length` ids."""
    language = LANG_ANY if rng.random() < ANY_LANGUAGE_SHARE else document[1]
    body = document[2:]
    room = len(body) - (length - 1)
    choice = rng.random()
    if room < 1 or choice < AT_START_SHARE:
        ids, first = np.concatenate([[BOF, language], body[: length - 2]]), 2
        ends = len(body) <= length - 2
    else:
        at = room if choice > 1 - AT_END_SHARE else int(rng.integers(1, room + 1))
        ids, first = np.concatenate([[language], body[at : at + length - 1]]), 1
        ends = at == room
    return Window(ids, first, len(ids) - int(ends))
