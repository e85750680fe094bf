"""A quick look at held-out text during a run: a few seconds, fixed seeds, two tasks.

token    eight single masked tokens in a window: share right, and bits
hole     lines and identifiers, canvas as long as the text, everything masked: share of tokens right
half, answer   (instruction tuning) half of an answer masked, or all of it
The full measurement is evaluate.py.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from training import batches, masks, sft
from training.batches import Batch
from training.data import Corpus, Window
from training.masks import NOTHING, Row, SpanFinder
from training.model import Model
from training.pieces import Pieces, read_pieces
from training.settings import Run
from training.tokenizer import load as load_tokenizer

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
    batch = batch.to(model.embedding.weight.device)
    logits = model(batch.ids, batch.positions, batch.packing).float()
    bits = F.cross_entropy(logits, batch.targets, reduction="sum").item() / math.log(2)
    return int((logits.argmax(-1) == batch.targets).sum()), bits, len(batch.targets)


class Probe:
    """Rows with targets, by the name of the task."""

    def __init__(self, tasks: dict[str, list[Row]], length: int) -> None:
        self.tasks, self.length = tasks, length

    def measure(self, model: Model) -> dict[str, float]:
        result = {}
        for name, rows in self.tasks.items():
            parts = [score(model, batches.stack(rows[at : at + 16], self.length)) for at in range(0, len(rows), 16)]
            right, bits, count = (sum(column) for column in zip(*parts))
            result |= {f"{name}_right": round(right / count, 4), f"{name}_bits": round(bits / count, 3)}
        return result


def of_corpus(held_out: Corpus, pieces: Pieces) -> Probe:
    rng = np.random.default_rng(7)
    finder = SpanFinder(pieces)
    tokens = [token_row(held_out.draw(rng, LENGTH), rng) for _ in range(ROWS)]
    holes: list[Row] = []
    while len(holes) < ROWS:
        row = hole_row(held_out.draw(rng, LENGTH), finder, rng)
        holes += [row] if row else []
    return Probe({"token": tokens, "hole": holes}, LENGTH)


def of_answers(examples: list[sft.Example], window: int) -> Probe:
    """Half of each answer masked, and all of it."""
    rng = np.random.default_rng(7)
    rows = {share: [sft.answer_row(e, len(e), rng, share) for e in examples[:ROWS]] for share in (0.5, 1.0)}
    tasks = {"half": rows[0.5], "answer": rows[1.0]}
    return Probe({name: [r for r in made if (r.targets != NOTHING).any()] for name, made in tasks.items()}, window)


def open_probe(run: Run) -> Probe | None:
    """Of the corpus' held-out part; examples may have none."""
    tokenizer = load_tokenizer(run.tokenizer_path())
    if run.stage.objective != "answers":
        return of_corpus(Corpus(run.corpus, "held_out", LENGTH), read_pieces(tokenizer))
    path = run.corpus / "held_out.jsonl"
    return of_answers(sft.read_examples(path, tokenizer, run.stage.window), run.stage.window) if path.exists() else None
