"""A small vocabulary and corpus for the tests, made once for each test process."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sentencepiece
import torch

from training import checkpoint, export, pretrain, probe, tokenizer
from training.corpus import Document
from training.data import Window
from training.model import Model, ModelConfig
from training.parallel import Group
from training.pieces import Pieces, read_pieces
from training.settings import Run, make_stage

torch.set_num_threads(1)
probe.ROWS = 8  # enough to see that it is measured

TINY = ModelConfig(vocabulary=900, width=32, layers=2, heads=2, kv_heads=1, hidden=64)
STAGE = {"rows": 4, "row": 64, "window": 64, "long_window": 128, "warm_up": 2}

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


def encode_corpus(target: Path, texts: list[str]) -> Path:
    encoder = tokenizer.Encoder(folder() / "tokenizer.model", vocabulary())
    ids = [encoder(Document("python", "test", f"{i}.py", text)) for i, text in enumerate(texts)]
    for name in ("train", "held_out"):
        np.concatenate(ids).tofile(target / f"{name}.u16")
        np.save(target / f"{name}.offsets.npy", np.cumsum([0, *map(len, ids)]))
    return target


def encoded_corpus(copies: int = 4) -> Path:
    """Writes train.u16 and held_out.u16 of a few small documents; returns the folder."""
    return encode_corpus(folder(), [SOURCE.replace("Reader", f"Reader{i}") * 2 for i in range(copies)])


def second_corpus() -> Path:
    """Of the same vocabulary, and full of a word that the first has not."""
    target = folder() / "second"
    target.mkdir(exist_ok=True)
    shutil.copyfile(vocabulary() and folder() / "tokenizer.model", target / "tokenizer.model")
    return encode_corpus(target, [SOURCE.replace("line", "unmistakable") * 2])


def run(folder: Path, corpus: Path | None = None, stage: dict | None = None, **options) -> Run:
    """A run of a tiny model: ten steps unless said otherwise, saved and measured only at the end."""
    vocabulary()
    ending = {} if options.keys() & {"seconds", "until"} else {"steps": 10}
    defaults = {"save_seconds": 1e9, "probe_seconds": 1e9, "start": tiny_start(), "peak": 1e12} | ending
    return Run(corpus or encoded_corpus(), folder, make_stage(STAGE | (stage or {}), "test"), **(defaults | options))


@functools.cache
def tiny_start() -> Path:
    """A model directory with random weights for the small vocabulary."""
    torch.manual_seed(3)
    model = Model(TINY)
    for parameter in model.parameters():  # layers that are not the identity
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.05)
    vocabulary()
    export.export(model, folder() / "start", folder() / "tokenizer.model", 64, torch.float32)
    return folder() / "start"


def train(run: Run, group: Group = Group()) -> dict:
    """Carries out a run in this process; returns its last checkpoint."""
    run.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        pretrain.train(run, group)
    return checkpoint.read(run.folder / "checkpoint.pt")


def same(one: dict, other: dict) -> bool:
    """Whether two checkpoints hold the same weights and the same optimisers."""

    def tensors(state: dict) -> list[torch.Tensor]:
        moments = [v for entry in state["adam"]["state"].values() for v in entry.values()]
        return [*state["model"].values(), *(state["muon"] or {"buffers": []})["buffers"], *map(torch.as_tensor, moments)]

    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


@functools.cache
def processes() -> multiprocessing.context.BaseContext:
    """Children of a server that has imported everything and trained nothing: newer versions of torch cannot
    compute gradients in a fork of a process that has computed some."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.tests.support"])
    return context


def quietly(work: Callable, *arguments) -> None:
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        work(*arguments)


def kill_when(reached: Callable[[], bool], work: Callable, *arguments) -> None:
    """Calls `work` in a process of its own and kills it (SIGKILL) as soon as `reached` says so."""
    process = processes().Process(target=quietly, args=(work, *arguments))
    process.start()
    while not reached():
        if not process.is_alive():
            raise AssertionError("the process ended before it could be killed")
        time.sleep(0.005)
    process.kill()
    process.join()
