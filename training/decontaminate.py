"""Finds training text that an evaluation benchmark also holds.

A document is contaminated when it shares a run of 13 words with a task of a benchmark (the rule of
GPT-3, Brown et al. 2020, appendix C). Words are identifiers and numbers; punctuation, white space and
letter case do not count, so neither another layout nor another comment style hides a copy.
A task is its prompt, solution and suffix read as one text. Tests are not used: their frame is the same
in many places. Runs that stand in more than ten tasks of the benchmarks are their frame too ("using
namespace std ...") and are ignored. A task of fewer than 13 words cannot be found.
"""

from __future__ import annotations

import collections
import gzip
import json
import re
import zlib
from pathlib import Path

import numpy as np

from training.common import fail

RUN = 13  # words
FRAME = 10  # tasks that a run may stand in and still belong to them
# Fields that hold a task's text, in the order in which they are read as one.
FIELDS = ("text", "declaration", "prompt", "canonical_solution", "code", "solution", "completion", "suffix")

_WORD = re.compile(r"[A-Za-z]+|[0-9]+")
_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)


def runs_of(text: str, length: int = RUN) -> np.ndarray:
    """A 64-bit hash of every run of `length` words, without repeats."""
    words = np.array([zlib.crc32(word.encode()) for word in _WORD.findall(text.lower())], np.uint64)
    count = len(words) - length + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    runs = np.zeros(count, np.uint64)
    for i in range(length):
        runs = (runs ^ words[i : i + count]) * _MULTIPLY
        runs ^= runs >> np.uint64(29)
    return np.unique(runs)


def read_tasks(path: Path) -> set[str]:
    """The distinct tasks of a .jsonl or .jsonl.gz file of objects with some of FIELDS."""
    tasks = set()
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for line in lines:
                if line.strip():
                    task = json.loads(line)
                    tasks.add("".join(str(task[name]) + "\n" * (name == "text") for name in FIELDS if name in task))
    except (OSError, EOFError, ValueError, TypeError) as error:
        fail(f"{path}: not a benchmark of JSON lines ({error})")
    if not any(tasks):
        fail(f"{path}: no task has any of the fields {', '.join(FIELDS)}")
    return tasks


class Benchmarks:
    def __init__(self, paths: list[Path]) -> None:
        tasks = set().union(*(read_tasks(path) for path in paths))
        seen: collections.Counter[int] = collections.Counter()
        for task in tasks:
            seen.update(runs_of(task).tolist())
        self.runs = np.array(sorted(run for run, count in seen.items() if count <= FRAME), np.uint64)

    def share_text_with(self, text: str) -> bool:
        return bool(np.isin(runs_of(text), self.runs, assume_unique=True).any())
