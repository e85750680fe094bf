"""What reinforcement learning asks: holes of files that were trained on, or tasks with tests from a file.

Which prompts a batch has depends only on the seed and the batch's number, so a resumed run asks what
an unbroken one would have asked.

A file of tasks has a JSON object a line:

    {"language": "python", "before": "...", "after": "...", "length": 64, "tests": ["assert f(1) == 2"]}

`length` is how many tokens are masked between `before` and `after`. With "fenced": true the answer is
prose and one fenced block of Python, as instruction models write it. Optional: "answer" (for the
rewards that compare), "tests", "fenced", "after".
"""

from __future__ import annotations

import ast
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece

from training import tasks
from training.common import fail
from training.corpus import Document, read_documents
from training.tasks import Question

MAX_CHARACTERS = 8000  # of a file: what parses it for the reward sees all of it
KINDS = {"identifier": 0.4, "line": 0.6}


@dataclass(frozen=True)
class Prompt:
    question: Question  # `answer` is empty when none is known
    length: int  # masked tokens
    tests: tuple[str, ...] = ()
    fenced: bool = False

    def filled(self, text: str) -> str:
        return self.question.before + text + self.question.after


def parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: a NUL; the last two: deep nesting
        return False
    return True


def python_documents(path: Path, most: int = 2000) -> list[Document]:
    """Files short enough to ask about, and right to begin with: a fill must not be blamed for the rest.

    A corpus is in random order, so its first files are a fair sample.
    """
    short = (
        d
        for d in read_documents(path)
        if d.language == "python" and d.text.count("\n") >= 12 and len(d.text) <= MAX_CHARACTERS
    )
    kept = list(itertools.islice((d for d in short if parses(d.text)), most))
    if not kept:
        fail(f"{path}: no Python file of 12 lines and at most {MAX_CHARACTERS} characters that parses")
    return kept


@dataclass
class Holes:
    """Identifiers and lines of Python files, `length` being that of the right answer."""

    documents: list[Document]
    tokenizer: sentencepiece.SentencePieceProcessor
    min_length: int = 2
    max_length: int = 12

    def draw(self, rng: np.random.Generator, count: int) -> list[Prompt]:
        makers = {"identifier": tasks.identifier_question, "line": tasks.line_question}
        drawn: list[Prompt] = []
        for _ in range(1000 * count):
            if len(drawn) == count:
                return drawn
            document = self.documents[int(rng.integers(len(self.documents)))]
            question = makers[rng.choice(list(KINDS), p=list(KINDS.values()))](document, rng)
            length = len(self.tokenizer.encode(question.answer)) if question else 0
            if question and self.min_length <= length <= self.max_length:
                drawn.append(Prompt(question, length))
        fail(f"no holes of {self.min_length} to {self.max_length} tokens in these files")


@dataclass
class Tasks:
    """Tasks of a file, each drawn with the same probability."""

    prompts: list[Prompt]

    @classmethod
    def read(cls, path: Path) -> Tasks:
        prompts = []
        try:
            with path.open() as lines:
                for number, line in enumerate(lines, 1):
                    prompts.append(task_of(json.loads(line)))
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{path}: {error}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fail(f"{path}:{number}: not a task ({error!r}); see training/prompts.py")
        if not prompts:
            fail(f"{path}: no tasks")
        return cls(prompts)

    def draw(self, rng: np.random.Generator, count: int) -> list[Prompt]:
        return [self.prompts[i] for i in rng.integers(len(self.prompts), size=count)]


def task_of(entry: dict) -> Prompt:
    texts = [entry["language"], entry["before"], entry.get("answer", ""), entry.get("after", "")]
    tests, length = tuple(entry.get("tests", ())), entry["length"]
    if not all(isinstance(text, str) for text in (*texts, *tests)):
        raise ValueError("texts and tests must be strings")
    if type(length) is not int or length < 1:
        raise ValueError("length must be a whole number of tokens")
    return Prompt(Question(*texts), length, tests, bool(entry.get("fenced", False)))
