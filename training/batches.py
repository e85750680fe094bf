"""Assembles training batches: windows of documents, masked, packed into rows.

Rows come in pairs, because a randomly masked window and its complement stand in the two rows of one
pair. Pair n of a step depends only on (seed, step, n): a resumed run sees what an unbroken one would
have seen, no random state has to be stored, and neither the number of processes nor the size of a
micro-batch changes what a step learns from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from training.attention import with_kernel
from training.masks import NOTHING, Row
from training.packing import FILLER, Packing
from training.tokenizer import PAD

ROWS_OF_PAIR = 2
SMALLEST_ROOM = 32  # a rest of a row that is shorter stays filler
MISSES = 64  # draws in vain after which a rest stays filler


@dataclass(frozen=True)
class Shape:
    rows: int  # of all processes together
    row: int  # tokens of a row
    window: int  # tokens of a window at most


class Source(Protocol):
    def draw(self, rng: np.random.Generator, room: int, twin_room: int, progress: float) -> list[Row]:
        """Nothing, a row of at most `room`, or a row and its twin, both of at most min(room, twin_room)."""


@dataclass(frozen=True)
class Pair:
    """Two packed rows as they come from a loader; [2, length] each."""

    ids: np.ndarray  # int32
    targets: np.ndarray  # int32, NOTHING where nothing is predicted
    weights: np.ndarray  # float32
    documents: np.ndarray  # int16
    norm: float  # what the weights are to be divided by, summed over the batch


@dataclass(frozen=True)
class Batch:
    ids: Tensor  # [rows, length]
    packing: Packing | None
    positions: Tensor  # flat positions that are predicted
    targets: Tensor
    weights: Tensor
    norm: float
    tokens: int  # without filler

    def to(self, device: torch.device) -> Batch:
        """Copies from pinned memory, if there is a device to copy to, without waiting."""
        if device.type == "cpu":
            return self

        def moved(x: Tensor) -> Tensor:
            return x.pin_memory().to(device, non_blocking=True)

        tensors = {name: moved(getattr(self, name)) for name in ("ids", "positions", "targets", "weights")}
        packing = self.packing and replace(
            self.packing,
            documents=moved(self.packing.documents),
            visible=None if self.packing.visible is None else moved(self.packing.visible),
        )
        return replace(self, **tensors, packing=packing)


def pack(rows: list[list[Row]], length: int) -> Pair:
    """Each inner list becomes a row of `length`."""
    shape = len(rows), length
    ids, targets = np.full(shape, PAD, np.int32), np.full(shape, NOTHING, np.int32)
    weights, documents = np.zeros(shape, np.float32), np.full(shape, FILLER, np.int16)
    for i, parts in enumerate(rows):
        at = 0
        for number, part in enumerate(parts):
            place = slice(at, at + len(part))
            ids[i, place], targets[i, place], weights[i, place] = part.inputs, part.targets, part.weights
            documents[i, place] = number
            at += len(part)
    return Pair(ids, targets, weights, documents, sum(part.norm for parts in rows for part in parts))


def make_pair(source: Source, seed: list[int], shape: Shape, progress: float) -> Pair:
    rng = np.random.default_rng(seed)
    rows: list[list[Row]] = [[] for _ in range(ROWS_OF_PAIR)]
    room, misses = [shape.row] * ROWS_OF_PAIR, 0
    while max(room) >= SMALLEST_ROOM and misses < MISSES:
        order = sorted(range(ROWS_OF_PAIR), key=lambda i: -room[i])
        most, other = (min(shape.window, room[i]) for i in order)
        drawn = source.draw(rng, most, other, progress)
        misses = 0 if drawn else misses + 1
        for i, row in zip(order, drawn):
            rows[i].append(row)
            room[i] -= len(row)
    return pack(rows, shape.row)


def pairs_of(shape: Shape, process: int, processes: int) -> range:
    """The numbers of the pairs that one process works on."""
    return range(process, shape.rows // ROWS_OF_PAIR, processes)


def join(pairs: list[Pair], kernel: str = "plain") -> Batch:
    ids, targets, weights, documents = (
        np.concatenate([getattr(p, name) for p in pairs]) for name in ("ids", "targets", "weights", "documents")
    )
    flat = np.flatnonzero(targets != NOTHING)
    packing = None
    # Rows that are one document each need none; compiled code is spared a second form of its input.
    if documents.any() or kernel != "plain":
        packing = with_kernel(Packing(torch.from_numpy(documents.astype(np.int64))), kernel)
    return Batch(
        torch.from_numpy(ids.astype(np.int64)),
        packing,
        torch.from_numpy(flat),
        torch.from_numpy(targets.reshape(-1)[flat].astype(np.int64)),
        torch.from_numpy(weights.reshape(-1)[flat]),
        sum(p.norm for p in pairs),
        int((documents != FILLER).sum()),
    )


def stack(rows: list[Row], length: int) -> Batch:
    """Rows of one window each, with filler behind shorter ones."""
    return join([pack([[row] for row in rows], length)])
