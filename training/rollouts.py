"""Completions by the model itself: a batched sampler, and the layout that the loss works on.

The sampler is Dream's with the recipe's settings: temperature, then top_p, then a drawn token for each
masked position; the positions with the least entropy are kept, as many as the steps left ask for.
Marks, <pad> and <expand> are never drawn: the length of a hole is that of its prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.fill import Filler
from training.packing import Packing, of_lengths
from training.prompts import Prompt


@dataclass(frozen=True)
class Rollouts:
    """n completions in their canvases; T is the longest completion."""

    ids: Tensor  # [n, L], completed, filler at the end
    documents: Tensor  # [n, L]: 0, or FILLER, which nothing attends to (packing.py)
    start: Tensor  # [n], position of the first token of the completion
    kept: Tensor  # [n, T] float: 1 where the completion has a token

    @property
    def flat(self) -> Tensor:
        """[n, T] indices into the flattened ids; those that are not kept point at the row's start."""
        offsets = torch.arange(self.kept.shape[1], device=self.ids.device) * (self.kept > 0)
        rows = torch.arange(len(self.ids), device=self.ids.device)[:, None] * self.ids.shape[1]
        return rows + self.start[:, None] + offsets

    def part(self, rows: slice) -> Rollouts:
        return Rollouts(self.ids[rows], self.documents[rows], self.start[rows], self.kept[rows])


def lay_out(filler: Filler, prompts: list[Prompt], completions: list[list[int]]) -> Rollouts:
    canvases = [filler.canvas(p.question, len(tokens)) for p, tokens in zip(prompts, completions)]
    width = max(len(ids) for ids, _ in canvases)
    longest = max(1, *map(len, completions))
    ids = torch.full((len(canvases), width), filler.ids["pad"])
    kept = torch.zeros(len(canvases), longest)
    for row, ((canvas, start), tokens) in enumerate(zip(canvases, completions)):
        canvas[start : start + len(tokens)] = tokens
        ids[row, : len(canvas)] = torch.tensor(canvas)
        kept[row, : len(tokens)] = 1
    documents = of_lengths([len(ids) for ids, _ in canvases], width)
    return Rollouts(ids, documents, torch.tensor([start for _, start in canvases]), kept)


@dataclass(frozen=True)
class SamplerSettings:
    temperature: float = 1.0  # 0 takes the likeliest token
    top_p: float = 0.95
    tokens_per_step: float = 1.0
    rows: int = 64  # of one pass


@dataclass(frozen=True)
class Completion:
    tokens: list[int]
    text: str
    order: list[int]  # offsets in the order in which they were decided; empty when nobody knows


def distribution(logits: Tensor, settings: SamplerSettings) -> Tensor:
    """Probabilities after temperature and top_p, which keeps the first token past the threshold."""
    if settings.temperature > 0:
        logits = logits / settings.temperature
    p = torch.softmax(logits, -1)
    if settings.top_p < 1:
        values, order = p.sort(-1, descending=True)
        values[values.cumsum(-1) - values > settings.top_p] = 0
        p = torch.zeros_like(p).scatter_(-1, order, values)
        p /= p.sum(-1, keepdim=True)
    return p


class Sampler:
    def __init__(self, filler: Filler, settings: SamplerSettings) -> None:
        self.filler, self.settings = filler, settings
        vocabulary = filler.model.config.vocabulary
        self.never = torch.tensor([i for i in range(vocabulary) if filler.tokenizer.is_control(i)])

    def complete(self, prompts: list[Prompt], seed: int) -> list[Completion]:
        """One completion of each prompt; the same ones for the same seed and weights."""
        generator = torch.Generator().manual_seed(seed)
        done: list[Completion] = []
        for at in range(0, len(prompts), self.settings.rows):
            done += self._complete(prompts[at : at + self.settings.rows], generator)
        return done

    @torch.no_grad()
    def _complete(self, prompts: list[Prompt], generator: torch.Generator) -> list[Completion]:
        mask = self.filler.ids["mask"]
        rollouts = lay_out(self.filler, prompts, [[mask] * p.length for p in prompts])
        flat, ids = rollouts.flat, rollouts.ids.view(-1)
        masked = rollouts.kept > 0
        orders: list[list[int]] = [[] for _ in prompts]
        left = torch.ceil(rollouts.kept.sum(1) / self.settings.tokens_per_step)
        while masked.any():
            tokens, certain = self._draw(rollouts, flat[masked], generator)
            drawn = torch.zeros_like(flat).masked_scatter_(masked, tokens)
            score = torch.full(masked.shape, -torch.inf).masked_scatter_(masked, certain)
            share = torch.ceil(masked.sum(1) / left.clamp(min=1)).long()
            left -= 1
            for row, offsets in enumerate(score.argsort(dim=1, descending=True, stable=True)):
                chosen = offsets[: share[row]]
                ids[flat[row, chosen]] = drawn[row, chosen]
                masked[row, chosen] = False
                orders[row] += chosen.tolist()
        rows = [[int(ids[i]) for i in row[: p.length]] for row, p in zip(flat, prompts)]
        return [Completion(row, self.filler.tokenizer.decode(row), order) for row, order in zip(rows, orders)]

    def _draw(self, rollouts: Rollouts, positions: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A token for each of the flat positions, and how sure the model is of it: minus the entropy."""
        logits = self.filler.model(rollouts.ids, positions, Packing(rollouts.documents)).float()
        logits[:, self.never] = -torch.inf
        p = distribution(logits, self.settings)
        certain = (p * (p + 1e-10).log()).sum(-1)
        if self.settings.temperature == 0:
            return p.argmax(-1), certain
        return torch.multinomial(p, 1, generator=generator)[:, 0], certain
