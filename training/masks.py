"""Turns windows into training rows: which positions are masked, and what is to be said there.

The mixture (shares are in `Mixture`):
  random   each position masked with a probability drawn from a bell (logit-normal, arXiv:2605.13026
           reports faster training than a uniform one); every such row brings its complement, so each
           token of the window is predicted exactly once by the pair (arXiv:2506.20639).
  uniform  the same with a uniform probability and no twin.
  holes    what the daemon asks for: what its grammar picks at a cursor and as a body, where the corpus has
           that (syntax.py), line ends, lines, several lines, identifiers, whole blocks.

A hole of n tokens is shown on a canvas that may be too long or too short (DreamOn, arXiv:2602.01326):
spare positions at its end have the target <pad>, "delete me"; two tokens squeezed into one position
have the target <expand>. All <pad> of one hole weigh as much as one token together, or a model that
has learnt little would do best by answering <pad> everywhere.
Inside a hole either everything is masked or a random part: the states a sampler goes through.

Limits: holes that are not the grammar's are found in the token stream (line ends, indentation), so "block"
means "deeper indented lines below". They stay in the mixture, as real cursors are not at borders of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.data import Window
from training.pieces import Pieces
from training.tokenizer import EXPAND, MASK, PAD

NOTHING = -1  # target of a position that is not predicted


@dataclass(frozen=True)
class Row:
    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    counted: float | None = None  # what the weights are divided by, if not their sum

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def norm(self) -> float:
        return float(self.weights.sum()) if self.counted is None else self.counted


@dataclass(frozen=True)
class Mixture:
    """Shares of rows. Holes gain over the run: at first the model must learn what text is."""

    uniform: float = 0.10
    holes_first: float = 0.10
    holes_last: float = 0.45
    ramp: float = 0.5  # part of the run after which the last share is reached

    def holes(self, progress: float) -> float:
        return self.holes_first + (self.holes_last - self.holes_first) * min(1.0, progress / self.ramp)


@dataclass(frozen=True)
class BoundRules:
    """DiffuCoder's adaptation (arXiv:2506.20639): a few windows are cut short, a few begin with clean text."""

    short: float = 0.01
    clean_prefix: float = 0.01


SMALLEST_SHARE = 1e-3  # masked share of `bound_row`: 1/t is finite


@dataclass(frozen=True)
class Hole:
    """Tokens [start, end) of a window; `head` and `tail` are ids that stay visible when a piece is cut."""

    start: int
    end: int
    target: tuple[int, ...]
    head: tuple[int, ...] = ()
    tail: tuple[int, ...] = ()


MAX_HOLES, MAX_HOLE = 8, 96
WHOLE_CANVASES = (8, 16, 32)  # the canvas sizes a daemon tries
EXPAND_SHARE = 0.15
EXACT_SHARE, NEAR_SHARE = 0.40, 0.35  # canvas as long as the text, a little longer; the rest: WHOLE_CANVASES
ALL_MASKED_SHARE = 0.5


def masked_row(window: Window, mask: np.ndarray) -> Row:
    return Row(
        np.where(mask, MASK, window.ids),
        np.where(mask, window.ids, NOTHING),
        mask.astype(np.float32),
    )


def random_mask(window: Window, probability: float, rng: np.random.Generator) -> np.ndarray:
    mask = rng.random(len(window.ids)) < probability
    mask[: window.first] = False
    mask[window.end :] = False
    return mask


def bell(rng: np.random.Generator) -> float:
    return float(np.clip(1 / (1 + np.exp(-rng.normal())), 0.03, 0.97))


def random_rows(window: Window, rng: np.random.Generator) -> list[Row]:
    """A row and its complement."""
    mask = random_mask(window, bell(rng), rng)
    twin = ~mask
    twin[: window.first] = False
    twin[window.end :] = False
    return [masked_row(window, mask), masked_row(window, twin)]


def uniform_row(window: Window, rng: np.random.Generator) -> Row:
    return masked_row(window, random_mask(window, rng.uniform(0.02, 1.0), rng))


def bound_row(window: Window, rng: np.random.Generator, rules: BoundRules) -> Row:
    """Masked with a uniform probability t, each target weighted 1/t: the bound on the likelihood (arXiv:2502.09992).

    The sum is divided by the number of masked tokens, as in the adaptation of autoregressive models (arXiv:2410.17891).
    """
    first = window.first
    if rng.random() < rules.clean_prefix:
        first = int(rng.integers(first, window.end))
    t = (1 - SMALLEST_SHARE) * rng.random() + SMALLEST_SHARE
    mask = random_mask(replace(window, first=first), t, rng)
    row = masked_row(window, mask)
    return replace(row, weights=row.weights / np.float32(t), counted=float(mask.sum()))


class SpanFinder:
    """Spans [start, end) in a window that a person might want filled."""

    def __init__(self, pieces: Pieces, syntax: float = 0.0) -> None:
        """`syntax` is the share of holes that are the grammar's, in windows that have some."""
        self.pieces, self.syntax = pieces, syntax

    def lines(self, window: Window) -> list[tuple[int, int, int]]:
        """(start after the indentation, end before the newline, indentation) of each line with text."""
        ids, found, at = window.ids, [], window.first
        breaks = np.flatnonzero(ids[window.first : window.end] == self.pieces.newline) + window.first
        for end in [*breaks.tolist(), window.end]:
            start, columns = at, 0
            while start < end and self.pieces.indent[ids[start]]:
                columns += int(self.pieces.indent[ids[start]])
                start += 1
            if start < end:
                found.append((start, end, columns))
            at = end + 1
        return found

    def line(self, window: Window, rng: np.random.Generator) -> tuple[int, int] | None:
        lines = self.lines(window)
        if not lines:
            return None
        first = int(rng.integers(len(lines)))
        start, end, _ = lines[first]
        kind = rng.random()
        if kind < 0.40:  # from the cursor to the end of the line
            return int(rng.integers(start, end)), end
        if kind < 0.70:
            return start, end
        if kind < 0.85:  # something inside the line
            start = int(rng.integers(start, end))
            return start, int(rng.integers(start, end)) + 1
        return start, lines[min(first + int(rng.integers(1, 4)), len(lines) - 1)][1]

    def block(self, window: Window, rng: np.random.Generator) -> tuple[int, int] | None:
        """The deeper indented lines below a line."""
        lines = self.lines(window)
        heads = [i for i in range(len(lines) - 1) if lines[i + 1][2] > lines[i][2]]
        if not heads:
            return None
        head = last = heads[int(rng.integers(len(heads)))]
        while last + 1 < len(lines) and lines[last + 1][2] > lines[head][2]:
            last += 1
        return lines[head + 1][0], lines[last][1]

    def word(self, window: Window, rng: np.random.Generator) -> tuple[int, int] | None:
        ids, word = window.ids, self.pieces.word
        at = int(rng.integers(window.first, window.end))
        if not word[ids[at]]:
            return None
        start, end = at, at + 1
        while start > window.first and not self.pieces.leads[ids[start]] and word[ids[start - 1]]:
            start -= 1
        while end < window.end and word[ids[end]] and not self.pieces.leads[ids[end]]:
            end += 1
        return start, end

    def grammars(self, window: Window, rng: np.random.Generator) -> Hole:
        """One that the grammar picked, cut where it cuts."""
        start, end, cuts = window.spans[:, int(rng.integers(window.spans.shape[1]))].tolist()
        first_cut, last_cut = divmod(cuts, 256)
        target = window.ids[start:end].tolist()
        head: tuple[int, ...] = ()
        tail: tuple[int, ...] = ()
        if first_cut:
            visible, target[0] = self.pieces.splits[target[0]][first_cut - 1]
            head = (visible,)
        if last_cut:
            target[-1], visible = self.pieces.splits[target[-1]][last_cut - 1]
            tail = (visible,)
        return Hole(start, end, tuple(target), head, tail)

    def draw(self, window: Window, rng: np.random.Generator) -> Hole | None:
        if window.spans.size and rng.random() < self.syntax:
            return self.grammars(window, rng)
        kind = rng.random()
        if kind < 0.62:
            span = self.line(window, rng)
        elif kind < 0.90:
            span = self.word(window, rng)
        else:
            span = self.block(window, rng)
        if span and span[1] - span[0] <= MAX_HOLE:
            return self.hole(window, span, rng)
        return None

    def hole(self, window: Window, span: tuple[int, int], rng: np.random.Generator) -> Hole:
        """Cuts the first and last piece now and then, as a cursor does."""
        start, end = span
        target = window.ids[start:end].tolist()
        head: tuple[int, ...] = ()
        tail: tuple[int, ...] = ()
        first = self.pieces.splits.get(target[0])
        # A hole after "= " starts behind the space, so pieces with a leading space are cut there most often.
        if first and rng.random() < (0.6 if self.pieces.leads[target[0]] else 0.1):
            behind_space = self.pieces.leads[target[0]] and rng.random() < 0.9
            cut = first[0 if behind_space else int(rng.integers(len(first)))]
            head, target[0] = (cut[0],), cut[1]
        last = self.pieces.splits.get(target[-1])
        if last and rng.random() < 0.05:
            cut = last[int(rng.integers(len(last)))]
            target[-1], tail = cut[0], (cut[1],)
        return Hole(start, end, tuple(target), head, tail)


def squeeze(target: tuple[int, ...], rng: np.random.Generator) -> list[int]:
    """Replaces up to a third of the neighbouring pairs by <expand>."""
    result, at = [], 0
    merges = set(rng.choice(len(target) // 2, int(rng.integers(1, max(2, len(target) // 3))), replace=False).tolist())
    shift = int(rng.integers(2)) if len(target) % 2 else 0
    while at < len(target):
        if at >= shift and (at - shift) % 2 == 0 and (at - shift) // 2 in merges and at + 1 < len(target):
            result.append(EXPAND)
            at += 2
        else:
            result.append(target[at])
            at += 1
    return result


def spare_positions(length: int, room: int, rng: np.random.Generator) -> int:
    """How many positions more than needed a canvas for `length` tokens gets."""
    kind = rng.random()
    if kind < EXACT_SHARE:
        return 0
    if kind < EXACT_SHARE + NEAR_SHARE:
        return min(room, int(rng.integers(1, max(4, int(0.75 * length)) + 1)))
    longer = [c - length for c in WHOLE_CANVASES if length < c <= length + room]
    return int(rng.choice(longer)) if longer else 0


def hole_row(hole: Hole, room: int, rng: np.random.Generator) -> Row:
    """The canvas of one hole, with the visible rest of the pieces it cuts."""
    spare = 0
    target = list(hole.target)
    if len(target) > 1 and rng.random() < EXPAND_SHARE:
        target = squeeze(hole.target, rng)
    else:
        spare = spare_positions(len(target), room, rng)
    canvas = np.array(target + [PAD] * spare)
    weights = np.ones(len(canvas), np.float32)
    if spare:
        weights[len(target) :] = 1 / spare
    masked = np.ones(len(canvas), bool)
    if rng.random() >= ALL_MASKED_SHARE:
        masked = (rng.random(len(canvas)) < rng.uniform(0.1, 1.0)) | (canvas == PAD) | (canvas == EXPAND)
    head, tail = np.array(hole.head, np.int64), np.array(hole.tail, np.int64)
    nothing_head, nothing_tail = np.full(len(head), NOTHING), np.full(len(tail), NOTHING)
    return Row(
        np.concatenate([head, np.where(masked, MASK, canvas), tail]),
        np.concatenate([nothing_head, np.where(masked, canvas, NOTHING), nothing_tail]),
        np.concatenate([head * 0, weights * masked, tail * 0]).astype(np.float32),
    )


def choose_holes(window: Window, limit: int, finder: SpanFinder, rng: np.random.Generator) -> list[Hole]:
    """One hole in a quarter of the rows, else several, never touching each other and none beyond `limit`."""
    wanted = 1 if rng.random() < 0.25 else int(rng.integers(2, MAX_HOLES + 1))
    taken = np.zeros(len(window.ids) + 1, bool)
    holes = []
    for _ in range(4 * wanted):
        hole = finder.draw(window, rng)
        if hole is None or hole.end > limit or taken[hole.start - 1 : hole.end + 1].any():
            continue
        taken[hole.start : hole.end] = True
        holes.append(hole)
        if len(holes) == wanted:
            break
    return sorted(holes, key=lambda h: h.start)


def holes_row(window: Window, length: int, finder: SpanFinder, rng: np.random.Generator) -> Row | None:
    """A row with holes, at most `length` long: what grows is taken from the context behind the last hole."""
    # A cut piece adds one position at each side of a hole; no canvas may be pushed out of the row.
    holes = choose_holes(window, length - 2 * MAX_HOLES, finder, rng)
    if not holes:
        return None
    room = length - 2 * len(holes) - holes[-1].end
    parts, at = [], 0
    for hole in holes:
        parts.append(masked_row(Window(window.ids[at : hole.start], 0, 0), np.zeros(hole.start - at, bool)))
        row = hole_row(hole, room, rng)
        room -= int((row.targets == PAD).sum())
        parts.append(row)
        at = hole.end
    parts.append(masked_row(Window(window.ids[at:], 0, 0), np.zeros(len(window.ids) - at, bool)))
    joined = [np.concatenate([getattr(p, name) for p in parts])[:length] for name in ("inputs", "targets", "weights")]
    return Row(*joined)
