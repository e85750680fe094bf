"""AR-ness: how near to left to right a text was decoded (DiffuCoder, arXiv:2506.20639, A.2).

The same readings of the formulas as engine/analysis/ar_ness.h, over the T - k tokens that can hit.
An order is the positions of the tokens in the order in which they were decided.
"""

from __future__ import annotations


def local_ar_ness(order: list[int], k: int) -> float:
    """Share of the tokens with k predecessors that follow k tokens in a row. 0 for k tokens or fewer."""
    hits = run = 0
    for before, position in zip(order, order[1:]):
        run = run + 1 if position == before + 1 else 0
        hits += run >= k
    return hits / (len(order) - k) if len(order) > k else 0.0


def global_ar_ness(order: list[int], k: int) -> float:
    """Share of the tokens that were among the k leftmost still masked."""
    masked, hits = sorted(order), 0
    for position in order:
        place = masked.index(position)
        hits += place < k
        del masked[place]
    return hits / len(order) if order else 0.0
