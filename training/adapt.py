"""From an autoregressive model to one that sees both sides: attention annealing (DiffuLLaMA, arXiv:2410.17891).

The weights of an autoregressive model of the same architecture are read as they are; the row before a
position predicts it in both, so nothing has to be turned round (the shift). At first a position attends
to those before it only; of the others a growing share becomes visible, drawn anew for every row and
step, until all are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from training.attention import with_kernel
from training.batches import ROWS_OF_PAIR, Batch
from training.packing import Packing


def visible_share(progress: float, anneal: float) -> float:
    """Of the later positions; 1 once the annealing is over, or if there is none."""
    return 1.0 if anneal <= 0 else min(1.0, progress / anneal)


def visible_pairs(seed: int, step: int, numbers: list[int], length: int, share: float) -> Tensor:
    """[rows, length, length] bool for the pairs of rows with these numbers."""
    drawn = [np.random.default_rng([seed, step, n, 1]).random((ROWS_OF_PAIR, length, length), np.float32) for n in numbers]
    return torch.from_numpy(np.concatenate(drawn) < share) | torch.ones(length, length).tril().bool()


def annealed(batch: Batch, visible: Tensor, kernel: str) -> Batch:
    packing = batch.packing or Packing(torch.zeros_like(batch.ids))
    return replace(batch, packing=with_kernel(replace(packing, visible=visible), kernel))
