"""Where the rows of a batch come from: corpora in shares that may change over the run, and what is masked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training import masks
from training.batches import SMALLEST_ROOM, Source
from training.common import fail
from training.data import Corpus, Window
from training.masks import BoundRules, Mixture, Row, SpanFinder
from training.pieces import read_pieces
from training.settings import Run
from training.tokenizer import load as load_tokenizer


@dataclass(frozen=True)
class Blend:
    """Windows of several corpora; the data schedule of mid-training."""

    corpora: list[Corpus]
    shares: list[list[float]]  # at the start and at the end of the run; linear in between

    def weights(self, progress: float) -> np.ndarray:
        now = np.array([first + (last - first) * min(1.0, progress) for first, last in self.shares])
        return now / now.sum()

    def window(self, rng: np.random.Generator, length: int, progress: float) -> Window:
        chosen = 0
        if len(self.corpora) > 1:
            chosen = int(rng.choice(len(self.corpora), p=self.weights(progress)))
        return self.corpora[chosen].draw(rng, length)


@dataclass(frozen=True)
class MixtureSource:
    """Random masks with their complements, and holes as the daemon makes them (masks.py)."""

    blend: Blend
    finder: SpanFinder
    mixture: Mixture

    def draw(self, rng: np.random.Generator, room: int, twin_room: int, progress: float) -> list[Row]:
        if rng.random() < self.mixture.holes(progress):
            row = masks.holes_row(self.blend.window(rng, room, progress), room, self.finder, rng)
            return [row] if row else []
        if rng.random() < self.mixture.uniform or twin_room < SMALLEST_ROOM:
            return [masks.uniform_row(self.blend.window(rng, room, progress), rng)]
        return masks.random_rows(self.blend.window(rng, min(room, twin_room), progress), rng)


@dataclass(frozen=True)
class BoundSource:
    """The likelihood bound, as the adaptation of an autoregressive model is trained."""

    blend: Blend
    rules: BoundRules = BoundRules()

    def draw(self, rng: np.random.Generator, room: int, twin_room: int, progress: float) -> list[Row]:
        if rng.random() < self.rules.short:
            room = int(rng.integers(SMALLEST_ROOM, room + 1))
        return [masks.bound_row(self.blend.window(rng, room, progress), rng, self.rules)]


def read_blend(run: Run) -> Blend:
    folders = {"main": run.corpus} | run.also
    if missing := set(run.stage.blend) - set(folders):
        fail(f"the stage blends a corpus called {min(missing)}: name its folder with --also {min(missing)}=FOLDER")
    if unused := set(run.also) - set(run.stage.blend):
        fail(f"--also {min(unused)}: the stage blends no corpus of this name")
    names = list(run.stage.blend)
    for name in names:
        check_same_tokenizer(folders[name] / "tokenizer.model", run.tokenizer_path())
    return Blend([Corpus(folders[n], "train", run.stage.window) for n in names], list(run.stage.blend.values()))


def check_same_tokenizer(one: Path, other: Path) -> None:
    """The ids of a corpus must mean to the model what they mean to its tokenizer."""
    try:
        same = one.read_bytes() == other.read_bytes()
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    if not same:
        fail(f"{one} and {other} are different vocabularies: encode the corpus with that of the model")


def open_source(run: Run) -> Source:
    """Called in every process that makes batches."""
    stage = run.stage
    if stage.objective == "answers":
        from training import sft

        return sft.open_source(run)
    blend = read_blend(run)
    if stage.objective == "bound":
        return BoundSource(blend)
    finder = SpanFinder(read_pieces(load_tokenizer(run.tokenizer_path())), stage.syntax)
    return MixtureSource(blend, finder, stage.mixture(run.start is not None))
