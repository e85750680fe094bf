"""Muon: momentum, made orthogonal, for the matrices of the body (Jordan et al. 2024).

The update is the momentum with all singular values pushed towards 1 by five Newton-Schulz steps.
They run in bfloat16, which is enough here and forty times faster than float32 with Debian's BLAS.
With several workers each one orthogonalises its share of the matrices and hands the result round;
the momentum is kept by all of them, so any worker can write a full checkpoint. Sharded matrices are
put together for it, by every process.
"""

from __future__ import annotations

import collections

import torch
import torch.distributed as dist
from torch import Tensor

from training.parallel import is_sharded, put, whole

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


def orthogonalise(matrix: Tensor) -> Tensor:
    """[..., rows, columns]: same singular vectors, singular values near 1 (between about 0.7 and 1.2)."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = (matrix.mT if tall else matrix).to(torch.bfloat16)
    x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).to(x.dtype)
    for _ in range(STEPS):
        gram = x @ x.mT
        grown = b * gram + c * (gram @ gram)
        x = torch.addmm(x, grown, x, beta=a) if x.ndim == 2 else torch.baddbmm(x, grown, x, beta=a)
    return (x.mT if tall else x).float()


class Muon:
    def __init__(self, matrices: list[Tensor], momentum: float = 0.95, weight_decay: float = 0.05) -> None:
        self.matrices = matrices
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.buffers = [torch.zeros_like(m) for m in matrices]

    @torch.no_grad()
    def step(self, rate: float, worker: int = 0, workers: int = 1) -> None:
        shares = [self._share(i, workers) for i in range(workers)]
        wanted = []
        for i, (matrix, buffer) in enumerate(zip(self.matrices, self.buffers)):
            buffer.mul_(self.momentum).add_(matrix.grad)
            if is_sharded(matrix) or i in shares[worker]:
                wanted.append((matrix, whole(matrix.grad + self.momentum * buffer)))
        for matrix, update in self._updates(wanted):
            scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
            if is_sharded(matrix):
                part = torch.empty_like(matrix)
                put(part, update)
                update = part
            matrix.mul_(1 - rate * self.weight_decay).add_(update, alpha=-rate * scale)
        if workers > 1 and not is_sharded(self.matrices[0]):
            self._exchange(shares, worker)

    def _updates(self, wanted: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        """On a GPU matrices of one shape go together: one by one they are too small to fill it."""
        if not wanted or wanted[0][1].device.type == "cpu":
            return [(matrix, orthogonalise(update)) for matrix, update in wanted]
        alike = collections.defaultdict(list)
        for matrix, update in wanted:
            alike[update.shape].append((matrix, update))
        done = []
        for members in alike.values():
            matrices, updates = zip(*members)
            done += zip(matrices, orthogonalise(torch.stack(updates)))
        return done

    def _share(self, worker: int, workers: int) -> set[int]:
        """Every n-th matrix: the layers are alike, so the work is too."""
        return set(range(worker, len(self.matrices), workers))

    def _exchange(self, shares: list[set[int]], worker: int) -> None:
        for owner, share in enumerate(shares):
            mine = [self.matrices[i] for i in sorted(share)]
            flat = torch.cat([m.flatten() for m in mine])
            dist.broadcast(flat, owner)
            if owner != worker:
                for matrix, values in zip(mine, flat.split([m.numel() for m in mine])):
                    matrix.copy_(values.view_as(matrix))

    def state_dict(self) -> dict:
        return {"buffers": [whole(b) for b in self.buffers]}

    def load_state_dict(self, state: dict) -> None:
        for buffer, saved in zip(self.buffers, state["buffers"], strict=True):
            put(buffer, saved)
