"""A quick look at held-out text during a run: a few seconds, fixed seeds, two tasks.

token    eight single masked tokens in a window: share right, and bits
hole     lines and identifiers, canvas as long as the text, everything masked: share of tokens right
The full measurement is evaluate.py.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from training import batches, masks
from training.batches import Batch
from training.checkpoint import RunState
from training.data import Corpus, Window
from training.masks import Row, SpanFinder
from training.model import Model
from training.pieces import Pieces

ROWS, LENGTH, TOKENS = 192, 256, 8


def token_row(window: Window, rng: np.random.Generator, count: int = TOKENS) -> Row:
    mask = np.zeros(len(window.ids), bool)
    places = np.arange(window.first, window.end)
    mask[rng.choice(places, min(count, len(places)), replace=False)] = True
    return masks.masked_row(window, mask)


def hole_row(window: Window, finder: SpanFinder, rng: np.random.Generator) -> Row | None:
    span = finder.line(window, rng) if rng.random() < 0.6 else finder.word(window, rng)
    if span is None or span[1] - span[0] > 24:
        return None
    mask = np.zeros(len(window.ids), bool)
    mask[span[0] : span[1]] = True
    return masks.masked_row(window, mask)


@torch.no_grad()
def score(model: Model, batch: Batch) -> tuple[int, float, int]:
    """Tokens right, their total surprise in bits, and their number."""
    logits = model(batch.ids, batch.positions, batch.hidden_keys).float()
    bits = F.cross_entropy(logits, batch.targets, reduction="sum").item() / math.log(2)
    return int((logits.argmax(-1) == batch.targets).sum()), bits, len(batch.targets)


class Probe:
    def __init__(self, corpus: Path, pieces: Pieces) -> None:
        rng = np.random.default_rng(7)
        finder, held_out = SpanFinder(pieces), Corpus(corpus, "held_out", LENGTH)
        tokens = [token_row(held_out.draw(rng, LENGTH), rng) for _ in range(ROWS)]
        holes: list[Row] = []
        while len(holes) < ROWS:
            row = hole_row(held_out.draw(rng, LENGTH), finder, rng)
            holes += [row] if row else []
        self.tasks = {"token": tokens, "hole": holes}

    def measure(self, model: Model) -> dict[str, float]:
        result = {}
        for name, rows in self.tasks.items():
            parts = [score(model, batches.stack(rows[at : at + 16], LENGTH)) for at in range(0, len(rows), 16)]
            right, bits, count = (sum(column) for column in zip(*parts))
            result |= {f"{name}_right": round(right / count, 4), f"{name}_bits": round(bits / count, 3)}
        return result

    def record(self, model: Model, state: RunState, path: Path) -> dict[str, float]:
        result = self.measure(model)
        with path.open("a") as out:
            writer = csv.writer(out)
            if out.tell() == 0:
                writer.writerow(["step", "tokens", "seconds", *result])
            writer.writerow([state.step, state.tokens, f"{state.elapsed:.0f}", *result.values()])
        return result
