"""Measures what coupled-GRPO changed, on holes of packages that were never trained on.

    python3 -m training.measure_grpo HELD_OUT.jsonl MODEL [MODEL ...]

The same holes for every model, the likeliest token each time, one token a step and two a step (half the
steps): mean reward of each kind, with the standard error of the difference to the first model, and
AR-ness (k = 1) at one token a step, over holes of at least three tokens.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training import prompts, rewards
from training.ar_ness import global_ar_ness, local_ar_ness
from training.common import fail, guarded
from training.fill import Filler
from training.prompts import Holes, Prompt
from training.rollouts import Completion, Sampler, SamplerSettings

SEED = 23
NAMES = ("exact", "similar", "parse")
STEPS = {"one token a step": 1.0, "two tokens a step": 2.0}


@dataclass(frozen=True)
class Measured:
    values: dict[str, list[float]]  # of each hole, by reward
    local: float
    global_: float


def ar_ness(completions: list[Completion]) -> tuple[float, float]:
    orders = [c.order for c in completions if len(c.order) >= 3]
    if not orders:
        return 0.0, 0.0
    return (
        sum(local_ar_ness(order, 1) for order in orders) / len(orders),
        sum(global_ar_ness(order, 1) for order in orders) / len(orders),
    )


def measure(filler: Filler, asked: list[Prompt], weights: dict[str, float], tokens_per_step: float) -> Measured:
    settings = SamplerSettings(temperature=0, top_p=1.0, tokens_per_step=tokens_per_step)
    completions = Sampler(filler, settings).complete(asked, SEED)
    values = {name: [rewards.SIMPLE[name](p, c.text) for p, c in zip(asked, completions)] for name in NAMES}
    totals = [sum(weights.get(name, 0.0) * values[name][i] for name in NAMES) for i in range(len(asked))]
    return Measured({"reward": totals} | values, *ar_ness(completions))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def difference_error(values: list[float], base: list[float]) -> float:
    """Standard error of the mean difference: the holes are the same, so it is that of the pairs."""
    differences = np.array(values) - np.array(base)
    return float(differences.std(ddof=1)) / math.sqrt(len(differences)) if len(differences) > 1 else math.inf


def table(results: dict[str, dict[str, Measured]]) -> str:
    """Markdown. A model after the first has the standard error of its difference to the first in brackets."""
    lines = ["| | steps | reward | exact % | similar % | parses % | AR-ness local, global |", "|---|---|---:|---:|---:|---:|---:|"]
    base = next(iter(results))
    for model, by_steps in results.items():
        for steps, result in by_steps.items():
            cells = []
            for name, values in result.values.items():
                unit = 1 if name == "reward" else 100
                cell = f"{unit * mean(values):.{3 if unit == 1 else 1}f}"
                if model != base:
                    cell += f" (±{unit * difference_error(values, results[base][steps].values[name]):.{3 if unit == 1 else 1}f})"
                cells.append(cell)
            order = f"{result.local:.3f}, {result.global_:.3f}" if STEPS[steps] == 1 else ""
            lines.append(f"| {model} | {steps} | " + " | ".join(cells) + f" | {order} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("held_out", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--holes", type=int, default=400)
    parser.add_argument("--context", type=int, default=128, help="window in tokens")
    parser.add_argument("--max-length", type=int, default=Holes.max_length, help="tokens of a hole at most")
    parser.add_argument("--rewards", default="exact=1,similar=0.5,parse=0.3")
    arguments = parser.parse_args()
    weights = rewards.parse_weights(arguments.rewards)
    if set(weights) - set(NAMES) or arguments.holes < 1:
        fail(f"--rewards can be {', '.join(NAMES)} here, and --holes 1 or more")
    torch.set_num_threads(1)
    documents = prompts.python_documents(arguments.held_out)
    results = {}
    for model in arguments.models:
        filler = Filler.load(model, arguments.context)
        source = Holes(documents, filler.tokenizer, max_length=arguments.max_length)
        asked = source.draw(np.random.default_rng(SEED), arguments.holes)
        results[str(model)] = {name: measure(filler, asked, weights, tokens) for name, tokens in STEPS.items()}
    print(table(results))
    print(f"\n{len(asked)} holes of {source.min_length} to {source.max_length} tokens")


if __name__ == "__main__":
    guarded(main)
