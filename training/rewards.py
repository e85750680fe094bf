r"""Rewards of completions. Each is between 0 and 1; a run weighs and adds them.

The published ones (apple/ml-diffucoder), for prompts whose answer is fenced, with weights 2.0 and 0.5:
  format   0 unless the whole text is prose without a fence, "```python\n", code without a fence, "```\n"
           and nothing more; then 1 if the code parses, else 0.5
  code     share of the tests that pass, each run apart after the code; 0 unless format is 1

For holes in a file, and for models too weak to pass tests:
  code     the same for the whole file with the hole filled
  parse    1 if the whole file parses (Python's own parser)
  similar  difflib's similarity to what stood there
  exact    1 if equal to it, character by character
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from training.common import fail
from training.prompts import Prompt, parses
from training.sandbox import Sandbox

FENCED = re.compile(r"(?:(?!```).)*```python\n((?:(?!```).)*)```\n", re.DOTALL)


def fenced_code(text: str) -> str | None:
    match = FENCED.fullmatch(text)
    return match[1] if match else None


def format_reward(prompt: Prompt, text: str) -> float:
    code = fenced_code(text)
    if code is None:
        return 0.0
    return 1.0 if parses(code) else 0.5


def parse_reward(prompt: Prompt, text: str) -> float:
    return float(parses(prompt.filled(text)))


def similar_reward(prompt: Prompt, text: str) -> float:
    return difflib.SequenceMatcher(None, text, prompt.question.answer, autojunk=False).ratio()


def exact_reward(prompt: Prompt, text: str) -> float:
    return float(text == prompt.question.answer)


SIMPLE: dict[str, Callable[[Prompt, str], float]] = {
    "format": format_reward,
    "parse": parse_reward,
    "similar": similar_reward,
    "exact": exact_reward,
}
NAMES = (*SIMPLE, "code")


def program_of(prompt: Prompt, text: str) -> str | None:
    """What the tests are run after; None where nothing needs to be run to know that they fail."""
    program = fenced_code(text) if prompt.fenced else prompt.filled(text)
    return program if program is not None and parses(program) else None


def code_rewards(prompts: list[Prompt], texts: list[str], sandbox: Sandbox) -> list[float]:
    programs = [program_of(prompt, text) for prompt, text in zip(prompts, texts)]
    jobs = [
        (i, (program + "\n", test)) for i, program in enumerate(programs) if program for test in prompts[i].tests
    ]
    passed = [0] * len(prompts)
    for (i, _), ok in zip(jobs, sandbox.passes([job for _, job in jobs])):
        passed[i] += ok
    return [count / max(1, len(prompt.tests)) for count, prompt in zip(passed, prompts)]


@dataclass(frozen=True)
class Scores:
    total: Tensor  # [n]
    parts: dict[str, float]  # mean of each reward, before its weight


@dataclass(frozen=True)
class Scorer:
    weights: dict[str, float]
    sandbox: Sandbox | None = None  # for `code`

    def score(self, prompts: list[Prompt], texts: list[str]) -> Scores:
        total, parts = torch.zeros(len(texts)), {}
        for name, weight in self.weights.items():
            if name == "code":
                values = code_rewards(prompts, texts, self.sandbox)
            else:
                values = [SIMPLE[name](prompt, text) for prompt, text in zip(prompts, texts)]
            total += weight * torch.tensor(values)
            parts[name] = sum(values) / len(values)
        return Scores(total, parts)


def parse_weights(text: str) -> dict[str, float]:
    """"exact=1,parse=0.3" -> weights."""
    weights = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            weights[name] = float(value)
        except ValueError:
            fail(f"--rewards {text}: {part!r} is not NAME=WEIGHT")
        if name not in NAMES:
            fail(f"--rewards {text}: there is no reward {name!r}; there are {', '.join(NAMES)}")
    return weights
