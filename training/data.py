"""Windows of token ids from the encoded corpus.

A window never crosses a document. It is laid out as the engine lays out its canvas:
`<bof>` if the document begins in it, always a language mark, the tokens, `<eof>` if it ends in it.
Documents are drawn in proportion to their length, but none counts for more than a few windows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.common import fail
from training.tokenizer import BOF, LANG_ANY

NO_SPANS = np.zeros((3, 0), np.int64)

WINDOWS_THAT_COUNT = 8  # a longer document is drawn no more often
MIN_TOKENS = 24
ANY_LANGUAGE_SHARE = 0.1
AT_START_SHARE, AT_END_SHARE = 0.12, 0.08


@dataclass(frozen=True)
class Window:
    ids: np.ndarray  # int64, canvas layout
    first: int  # first position that may be masked
    end: int  # one past the last such position: <eof> is always shown
    # What the grammar would mask (syntax.py), as positions of the window: [first, one past the last, cuts].
    spans: np.ndarray = field(default_factory=lambda: NO_SPANS, repr=False, compare=False)


class Corpus:
    def __init__(self, folder: Path, name: str, window: int) -> None:
        try:
            self.ids = np.memmap(folder / f"{name}.u16", np.uint16, "r")
            self.offsets = np.load(folder / f"{name}.offsets.npy")
        except (OSError, ValueError) as error:
            fail(f"{folder}: no encoded corpus called {name} ({error})")
        if self.offsets[-1] != len(self.ids):
            fail(f"{folder}/{name}.u16: has {len(self.ids)} ids, expected {self.offsets[-1]}")
        self.spans = read_spans(folder / f"{name}.spans.npy", len(self.ids))
        lengths = np.diff(self.offsets)
        self.usable = np.flatnonzero(lengths >= MIN_TOKENS)
        weight = np.minimum(lengths[self.usable], WINDOWS_THAT_COUNT * window).astype(np.float64)
        self.cumulative = np.cumsum(weight / weight.sum())

    def document(self, index: int) -> np.ndarray:
        return self.ids[self.offsets[index] : self.offsets[index + 1]].astype(np.int64)

    def draw(self, rng: np.random.Generator, length: int) -> Window:
        place = min(np.searchsorted(self.cumulative, rng.random()), len(self.usable) - 1)
        index = self.usable[place]
        return window_of(self.document(index), length, rng, self.spans_of(index))

    def spans_of(self, index: int) -> np.ndarray:
        """Of one document, from its <bof> on."""
        return spans_between(self.spans, int(self.offsets[index]), int(self.offsets[index + 1]))


def spans_between(spans: np.ndarray, first: int, end: int) -> np.ndarray:
    """Those that begin in [first, end), counted from `first` on."""
    # Of the same type, or searchsorted() would copy all of them.
    low, high = np.searchsorted(spans[0], np.array((first, end), spans.dtype))
    return spans[:, low:high].astype(np.int64) - [[first], [first], [0]]


def read_spans(path: Path, ids: int) -> np.ndarray:
    """Spans are optional: `training.syntax` makes them."""
    if not path.exists():
        return NO_SPANS
    try:
        spans = np.load(path, "r")
    except (OSError, ValueError) as error:
        fail(f"{path}: not spans ({error}); remove it, or run `training.syntax` again")
    if spans.ndim != 2 or len(spans) != 3 or (spans.size and spans[1].max() > ids):
        fail(f"{path}: belongs to another corpus; remove it, or run `training.syntax` again")
    return spans


def window_of(
    document: np.ndarray, length: int, rng: np.random.Generator, spans: np.ndarray = NO_SPANS
) -> Window:
    """document is `<bof> <lang> tokens <eof>`; the window has at most `length` ids. `spans` count from the <bof>."""
    language = LANG_ANY if rng.random() < ANY_LANGUAGE_SHARE else document[1]
    body = document[2:]
    room = len(body) - (length - 1)
    choice = rng.random()
    if room < 1 or choice < AT_START_SHARE:
        ids, first, at = np.concatenate([[BOF, language], body[: length - 2]]), 2, 0
        ends = len(body) <= length - 2
    else:
        at = room if choice > 1 - AT_END_SHARE else int(rng.integers(1, room + 1))
        ids, first = np.concatenate([[language], body[at : at + length - 1]]), 1
        ends = at == room
    end = len(ids) - int(ends)
    moved = spans - [[2 + at - first], [2 + at - first], [0]]
    return Window(ids, first, end, moved[:, (moved[0] >= first) & (moved[1] <= end)])
