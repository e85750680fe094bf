"""Held-out questions: a place in a file, what stands there, and what is around it.

Questions are made from text, not from tokens, so models with different vocabularies get the same ones.
They come from whole packages that were never trained on, with a fixed seed.
"""

from __future__ import annotations

import collections
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.common import fail
from training.corpus import Document, read_documents

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
MIN_LINE, MAX_LINE = 4, 90  # characters, without the indentation


@dataclass(frozen=True)
class Question:
    language: str
    before: str
    answer: str
    after: str


def documents_by_language(path: Path, minimum: int = 20) -> dict[str, list[Document]]:
    """Languages with enough text in documents long enough to ask about."""
    by_language: dict[str, list[Document]] = collections.defaultdict(list)
    for document in read_documents(path):
        if document.text.count("\n") >= 12:
            by_language[document.language].append(document)
    kept = {k: v for k, v in sorted(by_language.items()) if len(v) >= minimum}
    if not kept:
        fail(f"{path}: no language with {minimum} documents")
    return kept


def pick(documents: list[Document], rng: np.random.Generator) -> Document:
    weights = np.array([min(len(d.text), 20_000) for d in documents], float)
    return documents[int(rng.choice(len(documents), p=weights / weights.sum()))]


def identifier_question(document: Document, rng: np.random.Generator) -> Question | None:
    words = list(_WORD.finditer(document.text))
    if not words:
        return None
    word = words[int(rng.integers(len(words)))]
    text = document.text
    return Question(document.language, text[: word.start()], word[0], text[word.end() :])


def line_question(document: Document, rng: np.random.Generator) -> Question | None:
    """A whole line without its indentation; the lines around it are there."""
    lines = document.text.split("\n")
    i = int(rng.integers(1, len(lines) - 1))
    answer = lines[i].strip()
    if not MIN_LINE <= len(answer) <= MAX_LINE:
        return None
    indent = lines[i][: len(lines[i]) - len(lines[i].lstrip())]
    before = "\n".join(lines[:i]) + "\n" + indent
    return Question(document.language, before, answer, "\n" + "\n".join(lines[i + 1 :]))


def questions(documents: list[Document], kind: str, count: int, seed: int) -> list[Question]:
    make = {"identifier": identifier_question, "line": line_question}[kind]
    rng = np.random.default_rng([seed, len(kind)])
    made: list[Question] = []
    for _ in range(200 * count):
        if len(made) == count:
            break
        question = make(pick(documents, rng), rng)
        made += [question] if question else []
    return made
