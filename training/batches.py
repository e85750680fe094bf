"""Assembles training batches: rows of the mixture, padded to one length.

Batch n of a worker depends only on (seed, n, worker), so a resumed run sees what an unbroken one
would have seen, and no random state has to be stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training import masks
from training.data import Corpus
from training.masks import NOTHING, Row
from training.tokenizer import PAD


@dataclass(frozen=True)
class Batch:
    ids: Tensor  # [rows, length]
    hidden_keys: Tensor | None  # [rows, 1, length]: filler that no position may attend to
    positions: Tensor  # flat positions that are predicted
    targets: Tensor
    weights: Tensor
    tokens: int  # without filler


def stack(rows: list[Row], length: int) -> Batch:
    ids = np.full((len(rows), length), PAD, np.int64)
    targets = np.full((len(rows), length), NOTHING, np.int64)
    weights = np.zeros((len(rows), length), np.float32)
    hidden = np.ones((len(rows), 1, length), bool)
    for i, row in enumerate(rows):
        n = len(row)
        ids[i, :n], targets[i, :n], weights[i, :n], hidden[i, :, :n] = row.inputs, row.targets, row.weights, False
    flat = np.flatnonzero(targets != NOTHING)
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(hidden) if hidden.any() else None,
        torch.from_numpy(flat),
        torch.from_numpy(targets.reshape(-1)[flat]),
        torch.from_numpy(weights.reshape(-1)[flat]),
        sum(map(len, rows)),
    )


@dataclass(frozen=True)
class BatchMaker:
    corpus: Corpus
    finder: masks.SpanFinder
    mixture: masks.Mixture
    seed: int
    worker: int

    def make(self, step: int, rows: int, length: int, progress: float) -> Batch:
        rng = np.random.default_rng([self.seed, step, self.worker])
        made: list[Row] = []
        while len(made) < rows:
            window = self.corpus.draw(rng, length)
            kind = rng.random()
            if kind < self.mixture.holes(progress):
                row = masks.holes_row(window, length, self.finder, rng)
                made += [row] if row else []
            elif rng.random() < self.mixture.uniform or len(made) + 2 > rows:
                made.append(masks.uniform_row(window, rng))
            else:
                made += masks.random_rows(window, rng)
        return stack(made, length)
