"""Spans that the grammar would mask, for the holes of a run: `lacuna debug holes` is asked about each document.

    python3 -m training.syntax CORPUS --lacuna build/cpu-release/lacuna [--workers 2]

CORPUS is an encoded corpus with the text it was made from (train.jsonl). It gets train.spans.npy, which
`pretrain` finds there and `training.shards write` carries along; without it holes come from lines,
words and indentation alone (masks.py).

Asked about are cursors, half of them where a line's text begins and half anywhere between two characters
of a token (what the daemon is asked at a keystroke: the rest of an expression, of the arguments, of the
statement, of a string), and every function or class that one of them lies in (its body). So training
and daemon agree on what a hole is because the same code says it.

A span may begin and end inside a piece where the vocabulary has pieces for both parts; others are left out.
The file is an array [3, spans] of uint32, ordered by the first row: first token and one past the last
token, as places in train.u16, and the cuts: 256 times the number of the way in which the first piece is
cut, plus that for the last piece (`Pieces.splits`, from 1; 0: whole).

What is done is kept in CORPUS/train.spans.parts, so the same command goes on after it was stopped. The
cursors depend only on the document.
"""

from __future__ import annotations

import argparse
import bisect
import hashlib
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import sentencepiece

from training.common import Progress, fail, guarded
from training.corpus import Document, read_documents
from training.masks import MAX_HOLE
from training.pieces import Pieces, read_pieces
from training.tokenizer import SPACE
from training.tokenizer import load as load_tokenizer

NAME = "train"
MARKS = 2  # <bof> and the language stand before a document's tokens
TOKENS_PER_CURSOR = 48
MOST_CURSORS, MOST_BODIES = 200, 50  # of one document
PART = 1000  # documents


def spans_path(corpus: Path, name: str = NAME) -> Path:
    return corpus / f"{name}.spans.npy"


@dataclass
class Places:
    """Bytes of a text as places between tokens."""

    ids: list[int]
    starts: list[int]  # byte at which each token begins, and the end of the text
    sizes: np.ndarray  # bytes of each piece of the vocabulary
    pieces: Pieces

    def cut(self, byte: int) -> tuple[int, int] | None:
        """The token that holds this byte, and the number of the cut before it: 0 if the token begins there."""
        token = bisect.bisect_right(self.starts, byte) - 1
        inside = byte - self.starts[token]
        if not inside:
            return token, 0
        for number, (first, _) in enumerate(self.pieces.splits.get(self.ids[token], ()), 1):
            if self.sizes[first] == inside and number < 256:
                return token, number
        return None

    def span(self, begin: int, end: int) -> tuple[int, int, int] | None:
        """First token, one past the last, cuts; nothing for what cannot be a hole."""
        first, last = self.cut(begin), self.cut(end)
        if begin >= end or first is None or last is None:
            return None
        start, stop = first[0], last[0] + (last[1] > 0)
        if stop - start > MAX_HOLE or (stop - start == 1 and first[1] and last[1]):
            return None
        return start, stop, 256 * first[1] + last[1]


@dataclass
class Asker:
    """Picklable, so that worker processes can hold one."""

    lacuna: Path
    model: Path
    processor: sentencepiece.SentencePieceProcessor | None = field(default=None, repr=False)

    def open(self) -> None:
        self.processor = load_tokenizer(self.model)
        self.pieces = read_pieces(self.processor)
        self.sizes = piece_sizes(self.processor)

    def __call__(self, document: Document) -> tuple[int, list[tuple[int, int, int]]]:
        """The number of tokens of a document, and its spans: none where the grammar finds no way in it."""
        if self.processor is None:
            self.open()
        places = places_of(document.text, self.processor, self.pieces, self.sizes)
        cursors = draw_cursors(document, places)
        holes = self.holes(document, [argument for at in cursors for argument in ("--at", at)])
        if holes is None:
            return len(places.ids), []
        heads = {hole["item_span"]["begin"]["line"] for hole in holes if hole["item"]}
        bodies = [word for line in sorted(heads)[:MOST_BODIES] for word in ("--node", str(line))]
        holes += (bodies and self.holes(document, bodies)) or []
        spans = (places.span(hole["begin"]["byte"], hole["end"]["byte"]) for hole in holes)
        return len(places.ids), sorted({span for span in spans if span})

    def holes(self, document: Document, places: list[str]) -> list[dict] | None:
        """None when there is no answer for this document. Raises what ends a pool, unlike fail()."""
        if not places:
            return []
        command = [self.lacuna, "debug", "holes", "--lang", document.language, *places]
        made = subprocess.run(command, input=document.text.encode(), capture_output=True)
        if made.returncode not in (0, 1):
            message = made.stderr.decode().strip() or f"`debug holes` ended with {made.returncode}"
            raise OSError(0, message, str(self.lacuna))
        return None if made.returncode else json.loads(made.stdout)["holes"]


def piece_sizes(processor: sentencepiece.SentencePieceProcessor) -> np.ndarray:
    """Bytes of text that each piece stands for."""
    sizes = [
        1 if processor.is_byte(i) else len(processor.id_to_piece(i).replace(SPACE, " ").encode())
        for i in range(processor.vocab_size())
    ]
    return np.array(sizes)


def places_of(
    text: str, processor: sentencepiece.SentencePieceProcessor, pieces: Pieces, sizes: np.ndarray
) -> Places:
    ids = processor.encode(text)
    return Places(ids, [0, *np.cumsum(sizes[ids]).tolist()] if ids else [0], sizes, pieces)


def draw_cursors(document: Document, places: Places) -> list[str]:
    """LINE:COLUMN, columns in characters."""
    name = f"{document.package}/{document.path}".encode()
    seed = hashlib.md5(name, usedforsecurity=False).digest()
    rng = np.random.default_rng(list(seed))
    lines = document.text.split("\n")
    begins = [(i, len(line) - len(line.lstrip())) for i, line in enumerate(lines) if line.strip()]
    if not begins:
        return []
    count = min(MOST_CURSORS, 1 + len(places.ids) // TOKENS_PER_CURSOR)
    cursors = set()
    for n in range(count):
        line, column = begins[int(rng.integers(len(begins)))]
        if n % 2:
            column = int(rng.integers(column, len(lines[line].rstrip())))
        cursors.add((line + 1, column + 1))
    return [f"{line}:{column}" for line, column in sorted(cursors)]


def offsets_of(corpus: Path) -> np.ndarray:
    try:
        return np.load(corpus / f"{NAME}.offsets.npy")
    except (OSError, ValueError) as error:
        fail(f"{corpus}: no encoded corpus called {NAME} ({error}); run `training.tokenizer encode` first")


_asker: Asker


def _start_worker(asker: Asker) -> None:
    global _asker
    _asker = asker


def _ask(document: Document) -> tuple[int, list[tuple[int, int, int]]]:
    return _asker(document)


def parts_of(documents: Iterator[Document]) -> Iterator[tuple[int, list[Document]]]:
    for number in itertools.count():
        part = list(itertools.islice(documents, PART))
        if not part:
            return
        yield number, part


def find(corpus: Path, asker: Asker, workers: int) -> int:
    """Writes the spans of all documents; returns their number."""
    offsets = offsets_of(corpus)
    folder = corpus / f"{NAME}.spans.parts"
    folder.mkdir(exist_ok=True)
    progress, done, arrays = Progress("asked the grammar about", len(offsets) - 1), 0, []
    with Pool(workers, _start_worker, (asker,)) as pool:
        for number, documents in parts_of(read_documents(corpus / f"{NAME}.jsonl")):
            path = folder / f"{number:05}.npy"
            if done + len(documents) >= len(offsets):
                fail(f"{corpus}: {NAME}.jsonl has more documents than {NAME}.u16; run `training.tokenizer encode` again")
            if not path.exists():
                asked = pool.imap(_ask, documents, chunksize=8)
                save(path, join(asked, offsets[done : done + len(documents) + 1], corpus))
            arrays.append(np.load(path))
            done += len(documents)
            progress.step(amount=len(documents))
    if done != len(offsets) - 1:
        fail(f"{corpus}: {NAME}.jsonl has fewer documents than {NAME}.u16; run `training.tokenizer encode` again")
    spans = np.concatenate(arrays, axis=1) if arrays else np.zeros((3, 0), np.uint32)
    save(spans_path(corpus), spans)
    shutil.rmtree(folder)
    return spans.shape[1]


def join(asked: Iterator[tuple[int, list[tuple[int, int, int]]]], offsets: np.ndarray, corpus: Path) -> np.ndarray:
    """Spans of single documents as places in the corpus."""
    rows: list[tuple[int, int, int]] = []
    for i, (tokens, spans) in enumerate(asked):
        if tokens + MARKS + 1 != offsets[i + 1] - offsets[i]:
            fail(f"{corpus}: {NAME}.u16 was encoded from other text than {NAME}.jsonl; run `training.tokenizer encode` again")
        first = int(offsets[i]) + MARKS
        rows += [(first + start, first + end, cuts) for start, end, cuts in spans]
    return np.array(rows, np.uint32).reshape(-1, 3).T


def save(path: Path, array: np.ndarray) -> None:
    temporary = path.with_suffix(".tmp.npy")
    np.save(temporary, array)
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--lacuna", type=Path, required=True, help="the executable")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    load_tokenizer(arguments.corpus / "tokenizer.model")  # fails here, in one line, rather than in every worker
    asker = Asker(arguments.lacuna.resolve(), arguments.corpus / "tokenizer.model")
    asker.holes(Document("python", "", "", "pass\n"), ["--at", "1:1"])
    count = find(arguments.corpus, asker, arguments.workers)
    print(f"{count} spans, {count / max(1, len(offsets_of(arguments.corpus)) - 1):.1f} a document")


if __name__ == "__main__":
    guarded(main)
