"""Weighted cross-entropy over a large vocabulary, with the gradient made on the way.

The composed version walks over the [positions, vocabulary] array in float32 six times. Here the rows
are handled in blocks that stay in the cache (on a GPU: that fit its memory), and the gradient is
written back in the logits' type.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK, DEVICE_BLOCK = 64, 8192


class WeightedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor, shares: Tensor, z_share: float) -> Tensor:
        """Sum over the rows of share * (-log p(target) + z_share * log(norm)^2)."""
        grad = torch.empty_like(logits)
        total = torch.zeros((), device=logits.device)
        size = BLOCK if logits.device.type == "cpu" else DEVICE_BLOCK
        for at in range(0, len(targets), size):
            rows = slice(at, at + size)
            share = shares[rows, None]
            block = logits[rows].to(torch.float32, copy=True)
            most = block.max(-1, keepdim=True).values
            block -= most
            picked = block.gather(1, targets[rows, None])
            block.exp_()
            norm = block.sum(-1, keepdim=True)
            total += (share * (norm.log() - picked)).sum()
            scale = share / norm
            if z_share:
                log_norm = norm.log() + most
                total += z_share * (share * log_norm.square()).sum()
                scale = scale * (1 + 2 * z_share * log_norm)
            block *= scale
            block.scatter_add_(1, targets[rows, None], -share)
            grad[rows] = block
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    def backward(ctx, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return grad * grad_output.to(grad.dtype), None, None, None


def weighted_cross_entropy(
    logits: Tensor, targets: Tensor, weights: Tensor, norm: float | None = None, z_share: float = 0.0
) -> Tensor:
    """Sum of weight * -log p(target), divided by `norm` (default: the sum of the weights).

    With z_share, log(norm of the softmax)^2 is added to each: it keeps the logits from drifting away
    in long runs with bfloat16 (1e-4 in PaLM, arXiv:2204.02311).
    """
    shares = weights / (weights.sum() if norm is None else norm)
    return WeightedCrossEntropy.apply(logits, targets, shares, z_share)
