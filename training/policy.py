"""The model as a policy: coupled log-probabilities of completions, and earlier weights held for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from training.coupled import CoupledMask, coupled_log_probabilities, log_probabilities_of
from training.model import Model
from training.packing import Packing
from training.rollouts import Rollouts


@contextmanager
def holding(parameters: list[Tensor], values: list[Tensor]) -> Iterator[None]:
    """The parameters have these values inside, and their own again after. No copy is made."""
    own = [p.data for p in parameters]
    try:
        for parameter, value in zip(parameters, values, strict=True):
            parameter.data = value
        yield
    finally:
        for parameter, data in zip(parameters, own):
            parameter.data = data


def log_probabilities(model: Model, rollouts: Rollouts, mask: CoupledMask, mask_id: int) -> Tensor:
    """[n, T]: the proxy of coupled.py, 0 where nothing is kept. Three copies go through in one pass.

    Filler behind a shorter canvas is hidden (the published code lets its padding be seen).
    """
    kept = rollouts.kept > 0
    masks = [kept, kept & mask.first, kept & ~mask.first]
    flat, copies = rollouts.flat, []
    for hidden in masks:
        ids = rollouts.ids.clone()
        ids.view(-1)[flat[hidden]] = mask_id
        copies.append(ids)
    ids = torch.cat(copies)
    wanted = torch.cat([flat[hidden] + i * rollouts.ids.numel() for i, hidden in enumerate(masks)])
    targets = torch.cat([rollouts.ids.view(-1)[flat[hidden]] for hidden in masks])
    if len(wanted) == 0:
        return torch.zeros(kept.shape)
    logits = model(ids, wanted, Packing(rollouts.documents.repeat(3, 1)))
    values = torch.zeros(3 * kept.shape[0], kept.shape[1])
    values = values.masked_scatter(torch.cat(masks), log_probabilities_of(logits, targets))
    return coupled_log_probabilities(*values.chunk(3), mask) * rollouts.kept


@torch.no_grad()
def frozen_log_probabilities(
    model: Model, rollouts: Rollouts, mask: CoupledMask, mask_id: int, parts: list[slice]
) -> Tensor:
    """The same without a gradient, part by part."""
    return torch.cat([log_probabilities(model, rollouts.part(rows), part_of(mask, rows), mask_id) for rows in parts])


def part_of(mask: CoupledMask, rows: slice) -> CoupledMask:
    return CoupledMask(mask.ratio, mask.first[rows])
