"""How fast a run is: tokens a second, and the share of the machine's matrix products that it uses (MFU)."""

from __future__ import annotations

import time

import torch

from training.model import ModelConfig
from training.shapes import training_flops

# Dense bfloat16 products, FLOP/s, from the makers' data sheets.
PEAKS = {"H200": 989.5e12, "H100": 989.5e12, "A100": 312e12, "L40": 181e12, "RTX 4090": 165e12, "L4": 121e12}
SIZE = 1024


def peak_of(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s: of the data sheet where it is known, else of one measured product."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        known = [peak for part, peak in PEAKS.items() if part in name]
        if known:
            return known[0]
    a = torch.randn(SIZE, SIZE, device=device).to(dtype)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        product = a @ a
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
        a = product * 0 + a
    return 2 * SIZE**3 / best


class Meter:
    """Since it was last read. The first step after a start is not counted: it compiles, and fills caches."""

    def __init__(self, config: ModelConfig, peak: float) -> None:
        self.config, self.peak = config, peak
        self.since: float | None = None
        self.tokens = self.flops = 0.0

    def step(self, tokens: float, masked: float, window: int) -> None:
        if self.since is None:
            self.since = time.monotonic()
            return
        self.tokens += tokens
        self.flops += tokens * training_flops(self.config, window, masked / max(1.0, tokens))

    def read(self) -> tuple[float, float]:
        """Tokens a second, and MFU between 0 and 1."""
        if self.since is None:
            return 0.0, 0.0
        seconds = max(1e-9, time.monotonic() - self.since)
        result = self.tokens / seconds, self.flops / seconds / self.peak if self.peak else 0.0
        self.since, self.tokens, self.flops = time.monotonic(), 0.0, 0.0
        return result
