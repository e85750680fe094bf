"""Weighted cross-entropy over a large vocabulary, with the gradient made on the way.

The composed version walks over the [positions, vocabulary] array in float32 six times. Here the rows
are handled in blocks that stay in the cache, and the gradient is written back in the logits' type.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 64


class WeightedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Sum of weight * -log p(target) over the rows, divided by the sum of the weights."""
        share = weights / weights.sum()
        grad = torch.empty_like(logits)
        total = torch.zeros(())
        for at in range(0, len(targets), BLOCK):
            rows = slice(at, at + BLOCK)
            block = logits[rows].to(torch.float32, copy=True)
            block -= block.max(-1, keepdim=True).values
            picked = block.gather(1, targets[rows, None])
            block.exp_()
            norm = block.sum(-1, keepdim=True)
            total += (share[rows, None] * (norm.log() - picked)).sum()
            block *= share[rows, None] / norm
            block.scatter_add_(1, targets[rows, None], -share[rows, None])
            grad[rows] = block
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    def backward(ctx, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return grad * grad_output.to(grad.dtype), None, None


def weighted_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return WeightedCrossEntropy.apply(logits, targets, weights)
