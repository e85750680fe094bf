"""Coupled-GRPO as arithmetic: masks, log-probabilities, advantages, loss (DiffuCoder, arXiv:2506.20639).

A masked-diffusion model has no log-probability of a text that one pass could compute. The paper's
stand-in sees three copies of a completion:

  A  every token masked
  B  the tokens with R < r masked, for a uniform R per token and one r of the whole batch
  C  the others masked: B's complement, so each token is predicted exactly once by B and C

  log p_k = (A_k + (B_k / r  if R_k < r  else  C_k / (1 - r))) / 2

With these weights it is a proxy, not a log-probability; it is what the published code optimises.
The pair has less variance than two independent masks, and no token goes without a gradient.

Shapes: n completions of at most T tokens; a `kept` of 0 marks what lies behind the end of a shorter one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RATIO_RANGE = (0.2, 0.8)
SEEDS = 4096  # mask seeds are drawn from [0, SEEDS)


@dataclass(frozen=True)
class CoupledMask:
    ratio: float
    first: Tensor  # [n, T] bool: masked in B; its complement is masked in C


def draw_mask(seed: int, rows: int, micro_rows: int, length: int) -> CoupledMask:
    """The mask of one iteration, which depends on the seed alone, so that policy, old policy and
    reference are compared under the same one.

    It is drawn for one micro-batch and repeated for the others: with gradient accumulation each
    micro-batch sees the masks that its old log-probabilities were computed with.
    """
    rng = np.random.default_rng([seed])
    ratio = float(rng.uniform(*RATIO_RANGE))
    drawn = torch.from_numpy(rng.random((micro_rows, length), np.float32) < ratio)
    return CoupledMask(ratio, drawn.repeat(-(-rows // micro_rows), 1)[:rows])


def mask_seeds(rng: np.random.Generator, iterations: int) -> list[int]:
    """One seed for each of a batch's iterations."""
    return rng.integers(SEEDS, size=iterations).tolist()


def coupled_log_probabilities(all_masked: Tensor, first: Tensor, second: Tensor, mask: CoupledMask) -> Tensor:
    """[n, T] from the tokens' log-probabilities in A, B and C; where B (or C) shows a token, its value is not used."""
    pair = torch.where(mask.first, first / mask.ratio, second / (1 - mask.ratio))
    return (all_masked + pair) / 2


def log_probabilities_of(logits: Tensor, targets: Tensor) -> Tensor:
    """log softmax at the targets, in float32. logits [..., vocabulary], targets [...]."""
    logits = logits.float()
    return logits.gather(-1, targets[..., None])[..., 0] - logits.logsumexp(-1)


def leave_one_out(rewards: Tensor, group: int) -> Tensor:
    """Advantages [n]: each reward minus the mean of the others of its group of consecutive completions.

    Not divided by the deviation (Dr. GRPO, arXiv:2503.20783): groups of easy and hard prompts count alike.
    """
    if group < 2 or len(rewards) % group:
        raise ValueError(f"{len(rewards)} rewards are not groups of {group}, which must be 2 or more")
    grouped = rewards.view(-1, group)
    others = (grouped.sum(1, keepdim=True) - grouped) / (group - 1)
    return (grouped - others).view(-1)


def k3_divergence(log_p: Tensor, reference: Tensor) -> Tensor:
    """Schulman's k3 estimate of KL(policy || reference) for each token: never negative, unbiased."""
    difference = reference - log_p
    return difference.exp() - difference - 1


@dataclass(frozen=True)
class LossSettings:
    clip: float = 0.5
    beta: float = 0.01  # weight of the divergence


@dataclass(frozen=True)
class LossParts:
    loss: Tensor  # scalar, with the gradient
    divergence: float  # mean over the kept tokens
    clipped: float  # share of the kept tokens whose ratio is cut


def grpo_loss(
    log_p: Tensor, old: Tensor, reference: Tensor, advantages: Tensor, kept: Tensor, settings: LossSettings
) -> LossParts:
    """PPO's clipped surrogate and the divergence, averaged over all kept tokens of these rows together,
    so a long completion counts for more than a short one."""
    ratio = (log_p - old).exp()
    advantage = advantages[:, None]
    cut = ratio.clamp(1 - settings.clip, 1 + settings.clip)
    surrogate = torch.min(ratio * advantage, cut * advantage)
    divergence = k3_divergence(log_p, reference)
    count = kept.sum()
    loss = ((settings.beta * divergence - surrogate) * kept).sum() / count
    with torch.no_grad():
        lower = ((cut * advantage < ratio * advantage) * kept).sum() / count
        mean_divergence = (divergence * kept).sum() / count
    return LossParts(loss, mean_divergence.item(), lower.item())


def micro_batches(rows: int, micro_rows: int) -> Iterator[slice]:
    """Equal parts of a batch. Gradients of their mean losses are averaged, as with the published accumulation."""
    if rows % micro_rows:
        raise ValueError(f"{rows} rows are not micro-batches of {micro_rows}")
    return (slice(at, at + micro_rows) for at in range(0, rows, micro_rows))
