"""Measures a model directory on packages it has never seen.

    python3 -m training.evaluate MODEL HELD_OUT.jsonl [--json FILE] [--context N] [--show N]

  token        one masked token, everything around it visible: share right, and bits
               (the one row that depends on the vocabulary)
  identifier   a whole word, canvas as long as the answer
  line         a whole line without its indentation, canvas as long as the answer
  line, long   the same on the smallest canvas of 8, 16 or 32 positions that is longer than the answer,
               as a daemon that does not know the length would ask; `empty` is the share of fills
               that come out with no text at all
Right means equal, character by character. `alike` is difflib's similarity, 1 for equal texts.
Shares have a standard error of about sqrt(p (1 - p) / n).
"""

from __future__ import annotations

import argparse
import collections
import difflib
import json
import os
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from training.common import Progress, guarded
from training.corpus import Document
from training.fill import Filler
from training.tasks import Question, documents_by_language, questions

SEED = 11
CANVASES = (8, 16, 32)
TOKENS_PER_WINDOW = 8


@dataclass(frozen=True)
class Counts:
    token_windows: int
    identifiers: int
    lines: int


def window_ids(filler: Filler, document: Document, rng: np.random.Generator) -> list[int]:
    ids = filler.tokenizer.encode(document.text)
    room = filler.context - 3
    at = int(rng.integers(max(1, len(ids) - room + 1)))
    head = [filler.ids["begin"]] if at == 0 else []
    tail = [filler.ids["end"]] if at + room >= len(ids) else []
    return head + [filler.languages[document.language], *ids[at : at + room]] + tail


def measure_tokens(filler: Filler, documents: list[Document], windows: int) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    right, bits, count = 0, 0.0, 0
    for _ in range(windows):
        ids = window_ids(filler, documents[int(rng.integers(len(documents)))], rng)
        if len(ids) < 64:
            continue
        places = sorted(rng.choice(np.arange(2, len(ids) - 1), TOKENS_PER_WINDOW, replace=False).tolist())
        truth = torch.tensor([ids[p] for p in places])
        for p in places:
            ids[p] = filler.ids["mask"]
        scores = filler.predict(ids, places)
        right += int((scores.argmax(-1) == truth).sum())
        bits -= scores[torch.arange(len(places)), truth].clamp_min(1e-12).log2().sum().item()
        count += len(places)
    return {"n": count, "right": right / count, "bits": bits / count}


def longer_canvas(length: int) -> int:
    return next((c for c in CANVASES if c > length), length + 8)


def measure_fills(filler: Filler, asked: list[Question], grow: bool, show: int = 0) -> dict[str, float]:
    right, alike, empty = 0, 0.0, 0
    for i, question in enumerate(asked):
        length = len(filler.tokenizer.encode(question.answer))
        text = filler.fill(question, longer_canvas(length) if grow else length, grow).rstrip()
        right += text == question.answer
        empty += not text
        alike += difflib.SequenceMatcher(None, text, question.answer, autojunk=False).ratio()
        if i < show:
            print(f"    wanted {question.answer!r}\n    filled {text!r}", flush=True)
    n = len(asked)
    return {"n": n, "right": right / n, "alike": alike / n, "empty": empty / n}


def measure(job: tuple[Path, int | None, str, list[Document], Counts, int]) -> tuple[str, dict]:
    folder, context, language, documents, counts, show = job
    torch.set_num_threads(1)
    filler = Filler.load(folder, context)
    lines = questions(documents, "line", counts.lines, SEED)
    words = questions(documents, "identifier", counts.identifiers, SEED)
    return language, {
        "token": measure_tokens(filler, documents, counts.token_windows),
        "identifier": measure_fills(filler, words, grow=False),
        "line": measure_fills(filler, lines, grow=False, show=show),
        "line, long": measure_fills(filler, lines, grow=True, show=show),
    }


def mean(results: dict[str, dict]) -> dict:
    """Every language counts the same."""
    total: dict = collections.defaultdict(lambda: collections.defaultdict(float))
    for tasks in results.values():
        for task, numbers in tasks.items():
            for name, value in numbers.items():
                total[task][name] += value if name == "n" else value / len(results)
    return {task: dict(numbers) for task, numbers in total.items()}


def table(results: dict[str, dict]) -> str:
    """Markdown, percentages."""
    head = "| language | token | bits | identifier | line | alike | line, long | alike | empty |"
    rows = [head, "|---|" + "---:|" * 8]
    for language, r in [*results.items(), ("**mean**", mean(results))]:
        line, long = r["line"], r["line, long"]
        shares = [r["identifier"]["right"], line["right"], line["alike"], long["right"], long["alike"], long["empty"]]
        cells = [f"{100 * r['token']['right']:.1f}", f"{r['token']['bits']:.2f}", *(f"{100 * s:.1f}" for s in shares)]
        rows.append(f"| {language} | " + " | ".join(cells) + " |")
    m = mean(results)
    rows.append("")
    rows.append("n: " + ", ".join(f"{task} {int(numbers['n'])}" for task, numbers in m.items()))
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--context", type=int, help="window in tokens; default: what the model was trained on")
    parser.add_argument("--windows", type=int, default=40, help="of eight masked tokens, each language")
    parser.add_argument("--identifiers", type=int, default=60, help="each language")
    parser.add_argument("--lines", type=int, default=30, help="each language")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--show", type=int, default=0, help="print this many fills of each language")
    arguments = parser.parse_args()
    counts = Counts(arguments.windows, arguments.identifiers, arguments.lines)
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    Filler.load(arguments.model, arguments.context)  # fails here, in one line, rather than in every worker
    documents = documents_by_language(arguments.held_out)
    jobs = [(arguments.model, arguments.context, k, v, counts, arguments.show) for k, v in documents.items()]
    progress, results = Progress("measured", len(jobs)), {}
    with get_context("spawn").Pool(arguments.workers) as pool:
        for language, result in pool.imap(measure, jobs):
            results[language] = result
            progress.step(language)
    print(table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps({"languages": results, "mean": mean(results)}, indent=1) + "\n")


if __name__ == "__main__":
    guarded(main)
