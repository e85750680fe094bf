"""Makes the pairs of rows of the next steps while the present one is computed.

With processes = 0 they are made when they are asked for. What comes out is the same either way: a pair
depends only on the seed, the step and its number (batches.py).
"""

from __future__ import annotations

import collections
import concurrent.futures
import multiprocessing
import os
import threading
from dataclasses import dataclass

from training import streams
from training.batches import Pair, Shape, Source, make_pair
from training.common import fail
from training.settings import Run

AHEAD = 3  # steps

_source: Source | None = None


@dataclass(frozen=True)
class Order:
    """The pairs of one process for one step."""

    step: int
    shape: Shape
    progress: float
    numbers: tuple[int, ...]


def end_with_parent() -> None:
    """For a thread of its own in a child process: a parent that is killed cannot end its children."""
    multiprocessing.parent_process().join()
    os._exit(0)


def _start_process(run: Run) -> None:
    global _source
    threading.Thread(target=end_with_parent, daemon=True).start()
    _source = streams.open_source(run)


def _make(seed: int, order: Order) -> list[Pair]:
    return make_all(_source, seed, order)


def make_all(source: Source, seed: int, order: Order) -> list[Pair]:
    return [make_pair(source, [seed, order.step, number], order.shape, order.progress) for number in order.numbers]


class Loader:
    def __init__(self, run: Run) -> None:
        self.seed, self.processes = run.stage.seed, run.loaders
        self.waiting: collections.deque[tuple[Order, list]] = collections.deque()
        if self.processes:
            context = multiprocessing.get_context("spawn")
            self.pool = concurrent.futures.ProcessPoolExecutor(self.processes, context, _start_process, (run,))
        else:
            self.source = streams.open_source(run)

    @property
    def ahead(self) -> int:
        return AHEAD if self.processes else 0

    def order(self, order: Order) -> None:
        parts: list = [order]
        if self.processes:
            shares = [order.numbers[i :: self.processes] for i in range(self.processes)]
            orders = [Order(order.step, order.shape, order.progress, share) for share in shares if share]
            parts = [self.pool.submit(_make, self.seed, part) for part in orders]
        self.waiting.append((order, parts))

    def ordered_until(self) -> int | None:
        """The last step that was ordered."""
        return self.waiting[-1][0].step if self.waiting else None

    def take(self) -> tuple[Order, list[Pair]]:
        """The pairs of the oldest order, by their numbers."""
        order, parts = self.waiting.popleft()
        if not self.processes:
            return order, make_all(self.source, self.seed, order)
        try:
            shares = [part.result() for part in parts]
        except concurrent.futures.process.BrokenProcessPool:
            fail("a loader process ended unexpectedly (out of memory?); give fewer with --loaders")
        by_number = {n: p for i, share in enumerate(shares) for n, p in zip(order.numbers[i :: self.processes], share)}
        return order, [by_number[n] for n in order.numbers]

    def close(self) -> None:
        if self.processes:
            self.pool.shutdown(wait=False, cancel_futures=True)
