"""Weights of 8 and 4 bits: rounding as the engine rounds, for a quantisation-aware finish, and storage.

    python3 -m training.quantise MODEL OUT --bits 4 --lacuna build/cpu-release/lacuna

Storage is written by `lacuna model quantise`: there is one writer of that format. What is here is the
rounding itself (kernels/cpu/quantised_rows.cpp), so that the cool-down of a run can see rounded weights:

    rounding = RoundedWeights(model, bits=4)
    with rounding.held(step):
        loss = ...; loss.backward()
    optimiser.step()

The passes inside see the rounded matrices, the optimiser moves the unrounded ones by the gradient at the
rounded: the straight-through estimator, with neither a graph node nor another name for a parameter.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.common import fail, guarded
from training.model import Model
from training.policy import holding

LARGEST = 127
LARGEST_CODE = 15
SMALLEST = 1e-30  # a row below this is zeros


def row_scales(weight: Tensor) -> Tensor:
    """[rows, 1]: max |w| / 127."""
    largest = weight.abs().amax(1, keepdim=True)
    return torch.where(largest < SMALLEST, torch.zeros_like(largest), largest / LARGEST)


def in_scales(weight: Tensor) -> Tensor:
    """The numbers in units of their row's scale: within [-127, 127]."""
    largest = weight.abs().amax(1, keepdim=True)
    return weight * torch.where(largest < SMALLEST, torch.zeros_like(largest), LARGEST / largest.clamp(min=SMALLEST))


def round_8(weight: Tensor) -> Tensor:
    return in_scales(weight).round() * row_scales(weight)


@dataclass(frozen=True)
class Lines:
    """For each group of a row the 16 integers that its numbers may become: code * step + offset."""

    step: Tensor  # [groups of all rows, 1]
    offset: Tensor


def grouped(weight: Tensor, group: int) -> Tensor:
    """[groups of all rows, group], in units of the row's scale."""
    if weight.shape[1] % group:
        raise ValueError(f"rows of {weight.shape[1]} are not groups of {group}")
    return in_scales(weight).reshape(-1, group)


def on_lines(x: Tensor, lines: Lines) -> Tensor:
    codes = ((x - lines.offset) / lines.step).clamp(0, LARGEST_CODE).round()
    return codes * lines.step + lines.offset


def best_lines(x: Tensor) -> Lines:
    """The engine's search: of a few dozen lines for each group the one with the least squared error."""
    least, most = x.amin(1, keepdim=True), x.amax(1, keepdim=True)
    width, middle = most - least, (most + least) / 2
    widest = 2 * LARGEST // LARGEST_CODE
    last = ((width / LARGEST_CODE).ceil() + 1).clamp(1, widest)
    first = torch.minimum((0.6 * width / LARGEST_CODE).floor().clamp(min=1), last)
    best = Lines(torch.ones_like(width), torch.zeros_like(width))
    smallest = torch.full_like(width, torch.inf)
    for step in range(1, widest + 1):
        fits = (first <= step) & (step <= last)
        if not fits.any():
            continue
        for shift in range(-2, 3):  # sixths of a step
            start = middle - LARGEST_CODE * step / 2 + step * shift / 6
            line = Lines(torch.tensor(float(step)), start.round().clamp(-LARGEST, LARGEST - LARGEST_CODE * step))
            error = (x - on_lines(x, line)).square().sum(1, keepdim=True)
            better = fits & (error < smallest)
            smallest = torch.where(better, error, smallest)
            best = Lines(torch.where(better, line.step, best.step), torch.where(better, line.offset, best.offset))
    return best


def round_4(weight: Tensor, group: int, lines: Lines | None = None) -> Tensor:
    x = grouped(weight, group)
    return on_lines(x, lines or best_lines(x)).view_as(weight) * row_scales(weight)


class RoundedWeights:
    """The rounded matrices of a model. With 4 bits the embedding keeps 8, as in the engine's files.

    The search for lines costs as much as some training steps, so it is repeated every `refresh` steps;
    in between the numbers are rounded to the lines they have.
    """

    def __init__(self, model: Model, bits: int, group: int = 32, refresh: int = 20) -> None:
        if bits not in (4, 8):
            raise ValueError(f"{bits} bits; the engine's files have 4 or 8")
        self.bits, self.group, self.refresh = bits, group, refresh
        self.table = model.embedding.weight
        self.matrices = [p for p in model.parameters() if p.ndim == 2]
        self.lines: list[Lines | None] = [None] * len(self.matrices)

    @torch.no_grad()
    def values(self, step: int) -> list[Tensor]:
        rounded = []
        for i, matrix in enumerate(self.matrices):
            if self.bits == 8 or matrix is self.table:
                rounded.append(round_8(matrix.detach()))
                continue
            if self.lines[i] is None or step % self.refresh == 0:
                self.lines[i] = best_lines(grouped(matrix.detach(), self.group))
            rounded.append(round_4(matrix.detach(), self.group, self.lines[i]))
        return rounded

    def state_dict(self) -> dict:
        """The lines, so that a resumed run rounds as the unbroken one."""
        return {"lines": [line and (line.step, line.offset) for line in self.lines]}

    def load_state_dict(self, state: dict) -> None:
        self.lines = [line and Lines(*(t.to(m.device) for t in line)) for line, m in zip(state["lines"], self.matrices, strict=True)]

    @contextmanager
    def held(self, step: int) -> Iterator[None]:
        """Inside, the model has rounded weights; gradients made there stay."""
        with holding(self.matrices, self.values(step)):
            yield


def store(lacuna: Path, source: Path, out: Path, bits: int, group: int = 32) -> None:
    """Writes a copy of a model directory with weights of 8 or 4 bits."""
    command = [lacuna, "model", "quantise", source.resolve(), out.resolve(), "--bits", str(bits)]
    command += ["--group", str(group)] if bits == 4 else []
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        fail(f"{lacuna}: cannot be run ({error.strerror}); build it, and name it with --lacuna")
    if result.returncode:
        fail(result.stderr.strip().removeprefix("lacuna: "))
    print(result.stdout, end="")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bits", type=int, choices=(4, 8), default=8)
    parser.add_argument("--group", type=int, default=32, help="of 4 bits")
    parser.add_argument("--lacuna", type=Path, required=True, help="the executable")
    arguments = parser.parse_args()
    store(arguments.lacuna, arguments.model, arguments.out, arguments.bits, arguments.group)


if __name__ == "__main__":
    guarded(main)
