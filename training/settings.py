"""What a run is: its stage (a file of settings) and how it is carried out on this machine.

A stage is a TOML file with the fields of `Stage`; training/stages/ has those that are described in
docs/training.md. `extends = "OTHER"` takes over all of another file in the same folder. Single fields
can be given on the command line as --set NAME=VALUE.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from training.batches import ROWS_OF_PAIR, Shape
from training.common import fail
from training.masks import Mixture

STAGES = Path(__file__).with_name("stages")
OBJECTIVES = ("mixture", "bound", "answers")


@dataclass(frozen=True)
class Stage:
    objective: str = "mixture"  # mixture: masks.py; bound: masks.bound_row; answers: sft.py
    shape: str = "small"  # of a new model, see shapes.py
    # Share of each corpus in the windows, [at the start, at the end]; other names than "main" are given with --also.
    blend: dict[str, list[float]] = field(default_factory=lambda: {"main": [1.0, 1.0]})

    rows: int = 32  # of all processes together
    row: int = 256  # tokens of a row
    window: int = 256  # tokens of a window at most
    long_window: int = 512
    long_from: float = 0.75  # part of the run after which windows are long; rows become longer, and fewer
    holes_first: float = 0.10  # share of rows with holes, at the start and from `ramp` on
    holes_last: float = 0.45
    ramp: float = 0.5
    syntax: float = 0.40  # share of holes that the grammar picks, where the corpus has its spans (syntax.py)
    uniform: float = 0.10

    optimiser: str = "muon"  # muon (with AdamW for what is no matrix of the body) or adamw
    muon_rate: float = 0.02
    muon_weight_decay: float = 0.05
    adam_rate: float = 3e-3
    adam_beta2: float = 0.95
    adam_weight_decay: float = 0.0
    clip: float = 1.0  # norm of the gradient
    z_share: float = 0.0  # see loss.py
    warm_up: int = 40  # steps
    decay: str = "linear"  # from `decay_from` on, or cosine, from the warm-up on
    decay_from: float = 0.60
    rate_end: float = 0.01

    anneal: float = 0.0  # part of the run in which causal attention becomes bidirectional
    bits: int = 0  # 8 or 4: the end of the run sees weights rounded as the engine rounds them
    bits_from: float = 0.92
    seed: int = 1

    def rate(self, step: int, progress: float) -> float:
        """Factor on the learning rates."""
        warm = min(1.0, (step + 1) / self.warm_up)
        if self.decay == "cosine":
            return warm * (self.rate_end + (1 - self.rate_end) * (1 + math.cos(math.pi * min(1.0, progress))) / 2)
        if progress > self.decay_from:
            return max(self.rate_end, (1 - progress) / (1 - self.decay_from))
        return warm

    def batch_shape(self, progress: float) -> Shape:
        """The number of tokens of a step stays the same."""
        if progress < self.long_from:
            return Shape(self.rows, self.row, self.window)
        row = max(self.row, self.long_window)
        return Shape(self.rows * self.row // row, row, self.long_window)

    def longest_window(self) -> int:
        return max(self.window, self.long_window if self.long_from < 1 else 0)

    def mixture(self, started: bool) -> Mixture:
        """Weights that were trained before know what text is: holes have their last share at once."""
        return Mixture(self.uniform, self.holes_last if started else self.holes_first, self.holes_last, self.ramp)

    def check(self) -> None:
        """Fails in one line when the fields do not fit together."""
        shapes = [self.batch_shape(0.0), self.batch_shape(1.0)] if self.long_from < 1 else [self.batch_shape(0.0)]
        rules = {
            f"objective must be one of {', '.join(OBJECTIVES)}": self.objective in OBJECTIVES,
            "optimiser must be muon or adamw": self.optimiser in ("muon", "adamw"),
            "decay must be linear or cosine": self.decay in ("linear", "cosine"),
            "bits must be 0, 4 or 8": self.bits in (0, 4, 8),
            "rows come in pairs: their number must be even and not 0, with long windows too": all(
                s.rows >= ROWS_OF_PAIR and s.rows % ROWS_OF_PAIR == 0 for s in shapes
            ),
            "a row must be at least as long as a window": all(s.row >= s.window for s in shapes),
            "warm_up must be 1 or more": self.warm_up >= 1,
            "every blend is [share at the start, share at the end]": all(
                len(b) == 2 and min(b) >= 0 for b in self.blend.values()
            )
            and sum(b[0] for b in self.blend.values()) > 0
            and sum(b[1] for b in self.blend.values()) > 0,
        }
        for rule, kept in rules.items():
            if not kept:
                fail(f"stage: {rule}")


@dataclass(frozen=True)
class Run:
    """How a stage is carried out; none of this changes what is learnt beyond rounding."""

    corpus: Path
    folder: Path
    stage: Stage
    also: dict[str, Path] = field(default_factory=dict)  # further corpora of the blend
    start: Path | None = None  # model directory or checkpoint whose weights a new run starts from
    tokenizer: Path | None = None  # default: the corpus' own
    # The run ends at a time of day (seconds since the epoch), after seconds of training, or after steps.
    until: float | None = None
    seconds: float | None = None
    steps: int | None = None
    micro_rows: int = 0  # rows of one pass, at most; 0: all of a process
    device: str = "cpu"
    compile: str = "auto"
    attention: str = "auto"
    parallel: str = "ddp"
    loaders: int = 0  # processes that make batches ahead; 0: made when they are needed
    save_seconds: float = 300
    probe_seconds: float = 480
    half: bool = True  # bfloat16 products
    peak: float = 0.0  # FLOP/s of this machine's matrix products; 0: known or measured

    def tokenizer_path(self) -> Path:
        return self.tokenizer or self.corpus / "tokenizer.model"


def read_stage_file(name: str) -> dict:
    """By path, or by the name of a file in training/stages."""
    path = Path(name) if name.endswith(".toml") else STAGES / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        known = ", ".join(sorted(p.stem for p in STAGES.glob("*.toml")))
        fail(f"{path}: not a stage ({error}); there are {known}")
    if "extends" in values:
        values = read_stage_file(str(path.with_name(values.pop("extends") + ".toml"))) | values
    return values


def parse_set(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    try:
        return name, tomllib.loads(f"value = {value}")["value"] if equals else fail(f"--set {text}: expected NAME=VALUE")
    except tomllib.TOMLDecodeError:
        return name, value  # a word


def make_stage(values: dict, where: str) -> Stage:
    types = {f.name: type(getattr(Stage(), f.name)) for f in dataclasses.fields(Stage)}
    for name, value in values.items():
        if name not in types:
            fail(f"{where}: a stage has no {name}; it has {', '.join(types)}")
        if types[name] is float and isinstance(value, int):
            values = values | {name: float(value)}
        elif type(value) is not types[name]:
            fail(f"{where}: {name} = {value!r} is not of type {types[name].__name__}")
    stage = Stage(**values)
    stage.check()
    return stage


def read_stage(name: str | None, changes: list[str]) -> Stage:
    values = read_stage_file(name) if name else {}
    return make_stage(values | dict(parse_set(c) for c in changes), name or "--set")
