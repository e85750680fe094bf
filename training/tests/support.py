"""A small vocabulary and corpus for the tests, made once for each test process."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
import torch

from training import tokenizer
from training.corpus import Document
from training.data import Window
from training.pieces import Pieces, read_pieces

torch.set_num_threads(1)

SOURCE = '''import os


class Reader:
    def __init__(self, path, limit=10):
        self.path = path
        self.limit = limit

    def lines(self):
        with open(self.path) as handle:
            for number, line in enumerate(handle):
                if number >= self.limit:
                    break
                yield line.rstrip("\\n")


def count_words(path):
    total = 0
    for line in Reader(path).lines():
        total += len(line.split())
    return total
'''


@functools.cache
def folder() -> Path:
    path = Path(tempfile.mkdtemp(prefix="lacuna-test-"))
    atexit.register(shutil.rmtree, path)
    return path


@functools.cache
def vocabulary() -> sentencepiece.SentencePieceProcessor:
    here = Path(__file__).parents[1]
    texts = [p.read_text() for p in sorted(here.glob("*.py"))]
    tokenizer.train(texts, folder() / "tokenizer", vocabulary=900)
    return tokenizer.load(folder() / "tokenizer.model")


@functools.cache
def pieces() -> Pieces:
    return read_pieces(vocabulary())


def window(text: str = SOURCE) -> Window:
    """The whole text as one window, begin and end marks included."""
    ids = [tokenizer.BOF, tokenizer.LANGUAGE_ID["python"], *vocabulary().encode(text), tokenizer.EOF]
    return Window(np.array(ids, np.int64), 2, len(ids) - 1)


def encoded_corpus(copies: int = 4) -> Path:
    """Writes train.u16 and held_out.u16 of a few small documents; returns the folder."""
    encoder = tokenizer.Encoder(folder() / "tokenizer.model", vocabulary())
    texts = [SOURCE.replace("Reader", f"Reader{i}") * 2 for i in range(copies)]
    ids = [encoder(Document("python", "test", f"{i}.py", text)) for i, text in enumerate(texts)]
    for name in ("train", "held_out"):
        np.concatenate(ids).tofile(folder() / f"{name}.u16")
        np.save(folder() / f"{name}.offsets.npy", np.cumsum([0, *map(len, ids)]))
    return folder()
