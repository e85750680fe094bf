"""Trains the model on the processors of this machine, until a given time of day.

    python3 -m training.pretrain CORPUS RUN --until 17:30

Data parallel: each worker process computes on one thread, gradients are averaged once per step over
gloo. (Two OpenMP threads in one process spin at every barrier and collapse when another program
takes a processor.) The learning rate warms up, stays constant, and falls linearly to almost 0 over the last
40 %, all by the clock: however slow the machine is, the decay ends at the deadline.
The last part of the run uses longer windows.

RUN gets checkpoint.pt (resume with the same command), export/ (a loadable model), log.csv and
held_out.csv.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing

from training import checkpoint, export, probe
from training.batches import BatchMaker
from training.checkpoint import RunState
from training.common import fail
from training.data import Corpus
from training.loss import weighted_cross_entropy
from training.masks import Mixture, SpanFinder
from training.model import Model, ModelConfig
from training.muon import Muon
from training.pieces import read_pieces
from training.tokenizer import load as load_tokenizer


@dataclass(frozen=True)
class Settings:
    corpus: Path
    run: Path
    until: float  # seconds since the epoch
    workers: int = 2
    start: Path | None = None  # model directory whose weights a new run starts from
    rows: int = 32  # of all workers together, at the short length
    length: int = 256
    long_length: int = 512
    long_from: float = 0.75  # part of the run after which windows are long
    muon_rate: float = 0.02
    adam_rate: float = 3e-3
    warm_up: int = 40  # steps
    decay_from: float = 0.60
    seed: int = 1
    save_seconds: float = 300
    probe_seconds: float = 480
    port: int = 29517

    def rate(self, step: int, progress: float) -> float:
        """Factor on the learning rates."""
        if progress > self.decay_from:
            return max(0.01, (1 - progress) / (1 - self.decay_from))
        return min(1.0, (step + 1) / self.warm_up)

    def shape(self, progress: float) -> tuple[int, int]:
        """Rows and length of a worker's batch; the number of tokens stays the same."""
        rows = self.rows // self.workers
        if progress < self.long_from:
            return rows, self.length
        return rows * self.length // self.long_length, self.long_length

    def mixture(self) -> Mixture:
        """Weights that were trained before know what text is: holes have their last share at once."""
        return Mixture(holes_first=Mixture.holes_last) if self.start else Mixture()


class Trainer:
    """One worker. All workers hold the same parameters at every step."""

    def __init__(self, settings: Settings, config: ModelConfig, worker: int) -> None:
        self.settings, self.worker = settings, worker
        torch.manual_seed(settings.seed)
        self.model = export.load(settings.start) if settings.start else Model(config)
        named = list(self.model.named_parameters())
        matrices = [p for n, p in named if p.ndim == 2 and not n.startswith("embedding")]
        others = [p for n, p in named if p.ndim != 2 or n.startswith("embedding")]
        self.parameters = [p for _, p in named]
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(others, lr=settings.adam_rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.state = RunState()

    def step(self, batches: BatchMaker, progress: float, elapsed: float) -> float:
        """Returns the loss, averaged over the workers."""
        batch = batches.make(self.state.step, *self.settings.shape(progress), progress)
        logits = self.model(batch.ids, batch.positions, batch.hidden_keys)
        loss = weighted_cross_entropy(logits, batch.targets, batch.weights)
        for p in self.parameters:
            p.grad = None
        loss.backward()
        mean_loss, tokens, mean_elapsed, finite = self.average(loss.item(), batch.tokens, elapsed)
        # Workers' clocks differ by microseconds; the mean is the same number everywhere, so all stop together.
        self.state.elapsed = mean_elapsed
        self.state.tokens += round(tokens * self.settings.workers)
        rate = self.settings.rate(self.state.step, progress)
        if finite:
            self.muon.step(self.settings.muon_rate * rate, self.worker, self.settings.workers)
            for group in self.adam.param_groups:
                group["lr"] = self.settings.adam_rate * rate
            self.adam.step()
        self.state.step += 1
        return mean_loss

    def average(self, loss: float, tokens: int, elapsed: float) -> tuple[float, float, float, bool]:
        """Averages the gradients over the workers, clipped to norm 1, and three numbers with them."""
        extra = torch.tensor([loss, tokens, elapsed])
        flat = torch.cat([extra, *(p.grad.flatten() for p in self.parameters)])
        if self.settings.workers > 1:
            dist.all_reduce(flat)
            flat /= self.settings.workers
        extra, gradient = flat[:3].tolist(), flat[3:]
        norm = gradient.norm().item()
        gradient *= min(1.0, 1.0 / (norm + 1e-6))
        for p, values in zip(self.parameters, gradient.split([p.numel() for p in self.parameters])):
            p.grad = values.view_as(p)
        return extra[0], extra[1], extra[2], norm < float("inf")


class Log:
    """CSV lines for the loss curve, and a line to look at now and then."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.smooth = settings, None
        self.since, self.tokens = time.monotonic(), None
        self.file = (settings.run / "log.csv").open("a", buffering=1)
        self.csv = csv.writer(self.file)
        if self.file.tell() == 0:
            self.csv.writerow(["step", "tokens", "seconds", "loss", "rate", "length"])

    def step(self, state: RunState, loss: float, progress: float, remaining: float) -> None:
        self.smooth = loss if self.smooth is None else 0.97 * self.smooth + 0.03 * loss
        if self.tokens is None:
            self.tokens = state.tokens
        if state.step % 20:
            return
        now = time.monotonic()
        speed = (state.tokens - self.tokens) / (now - self.since)
        self.since, self.tokens = now, state.tokens
        length = self.settings.shape(progress)[1]
        rate = self.settings.rate(state.step, progress)
        numbers = f"{state.elapsed:.0f}", f"{self.smooth:.4f}", f"{rate:.3f}"
        self.csv.writerow([state.step, state.tokens, *numbers, length])
        print(
            f"step {state.step}  {state.tokens / 1e6:.2f} M tokens  {speed:.0f} tokens/s  loss {self.smooth:.3f}"
            f"  window {length}  {remaining / 60:.0f} min left",
            flush=True,
        )


def work(worker: int, settings: Settings, config: ModelConfig) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if settings.workers > 1:
        address = f"tcp://127.0.0.1:{settings.port}"
        wait = datetime.timedelta(hours=2)
        dist.init_process_group("gloo", init_method=address, rank=worker, world_size=settings.workers, timeout=wait)
    trainer = Trainer(settings, config, worker)
    saved = settings.run / "checkpoint.pt"
    if saved.exists():
        trainer.state = checkpoint.restore(saved, trainer.model, trainer.muon, trainer.adam)
    pieces = read_pieces(load_tokenizer(settings.corpus / "tokenizer.model"))
    corpus = Corpus(settings.corpus, "train", settings.length)
    batches = BatchMaker(corpus, SpanFinder(pieces), settings.mixture(), settings.seed, worker)
    run(trainer, batches, probe.Probe(settings.corpus, pieces) if worker == 0 else None)


def run(trainer: Trainer, batches: BatchMaker, held_out: probe.Probe | None) -> None:
    """The loop. Only the first worker logs, saves, and measures on held-out text."""
    settings, state = trainer.settings, trainer.state
    log = Log(settings) if held_out else None
    before, started = state.elapsed, time.time()
    total = before + settings.until - started
    last_save = last_probe = time.monotonic()
    while (progress := state.elapsed / total) < 1:
        loss = trainer.step(batches, progress, before + time.time() - started)
        if not held_out:
            continue
        log.step(state, loss, progress, total - state.elapsed)
        now = time.monotonic()
        if now - last_save > settings.save_seconds:
            save(trainer, progress)
            last_save = now
        if now - last_probe > settings.probe_seconds:
            print("held out:", held_out.record(trainer.model, state, settings.run / "held_out.csv"), flush=True)
            last_probe = now
    if held_out:
        save(trainer, 1.0)
        print("held out:", held_out.record(trainer.model, state, settings.run / "held_out.csv"), flush=True)
        print(f"done: {state.step} steps, {state.tokens} tokens, {state.elapsed:.0f} s", flush=True)


def save(trainer: Trainer, progress: float) -> None:
    settings = trainer.settings
    checkpoint.save(settings.run / "checkpoint.pt", trainer.model, trainer.muon, trainer.adam, trainer.state)
    length = settings.shape(progress)[1]
    export.export(trainer.model, settings.run / "export", settings.corpus / "tokenizer.model", length)


def time_of_day(text: str) -> float:
    """HH:MM, today or tomorrow, in seconds since the epoch."""
    try:
        clock = datetime.time.fromisoformat(text)
    except ValueError:
        fail(f"--until {text}: expected HH:MM")
    moment = datetime.datetime.combine(datetime.date.today(), clock)
    if moment < datetime.datetime.now():
        moment += datetime.timedelta(days=1)
    return moment.timestamp()


def check_corpus(settings: Settings) -> None:
    """Fails here, in one line, rather than in every worker."""
    for name in ("train", "held_out"):
        Corpus(settings.corpus, name, settings.length)
    load_tokenizer(settings.corpus / "tokenizer.model")


def check_start(settings: Settings) -> None:
    """The ids of the corpus must mean to the model what they mean to its tokenizer."""
    names = [folder / "tokenizer.model" for folder in (settings.start, settings.corpus)]
    try:
        same = names[0].read_bytes() == names[1].read_bytes()
    except OSError as error:
        fail(f"--start {settings.start}: {error}")
    if not same:
        fail(f"--start {settings.start}: its tokenizer is not the corpus'; copy it there and encode again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, help="folder with train.u16, held_out.u16 and tokenizer.model")
    parser.add_argument("run", type=Path, help="folder for checkpoint, export and logs; resumed if it exists")
    parser.add_argument("--until", required=True, help="time of day, HH:MM, when training ends")
    parser.add_argument("--workers", type=int, default=2)
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--layers", type=int, default=ModelConfig.layers)
    shape.add_argument("--start", type=Path, help="model directory to go on from, with the same tokenizer")
    arguments = parser.parse_args()
    until = time_of_day(arguments.until)
    settings = Settings(arguments.corpus, arguments.run, until, arguments.workers, arguments.start)
    settings.run.mkdir(parents=True, exist_ok=True)
    check_corpus(settings)
    config = ModelConfig(layers=arguments.layers)
    if settings.start:
        check_start(settings)
        config = export.load(settings.start).config
    print(f"{Model(config).count() / 1e6:.2f} M parameters, until {arguments.until}", file=sys.stderr)
    # glibc gives large blocks back to the system at every free; keeping them saves a tenth of the time.
    os.environ |= {
        "OMP_WAIT_POLICY": "passive",
        "OMP_NUM_THREADS": "1",
        "MALLOC_MMAP_THRESHOLD_": "4000000000",
        "MALLOC_TRIM_THRESHOLD_": "8000000000",
        "MALLOC_TOP_PAD_": "100000000",
    }
    try:
        torch.multiprocessing.spawn(work, (settings, config), settings.workers)
    except torch.multiprocessing.ProcessExitedException:
        raise SystemExit(1) from None  # the worker has said why
    except KeyboardInterrupt:
        fail("stopped; the same command goes on from the last checkpoint")


if __name__ == "__main__":
    main()
