"""Trains a model: from nothing, or from weights that are there; one process, or many.

    python3 -m training.pretrain CORPUS RUN --minutes 60
    python3 -m training.pretrain CORPUS RUN --stage pretrain-38m --device cuda --loaders 12 --until 17:30
    torchrun --nproc_per_node 8 -m training.pretrain CORPUS RUN --stage adapt --start MODEL --device cuda

What is learnt, and how, is said by a stage (settings.py). The learning rate warms up, stays constant,
and falls linearly to almost 0 over the last part of the run, all by the clock: however slow the machine
is, the decay ends at the deadline. With --steps the number of steps is the clock, and a resumed run
ends with exactly the weights of an unbroken one.

On processors use --workers N: each process computes on one thread. (Two OpenMP threads in one process
spin at every barrier and collapse when another program takes a processor.)

RUN gets checkpoint.pt (the same command goes on from it), export/ (a loadable model), best.pt and best/
(least surprise on held-out text), before_cooldown.pt and before_cooldown/ (what a longer run starts
from: --start RUN/before_cooldown.pt), log.csv and held_out.csv (loss curves, see plot.py).
"""

from __future__ import annotations

import argparse
import csv
import os
import socket
import threading
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing

from training import meter, probe, settings, shards, streams
from training.batches import ROWS_OF_PAIR, pairs_of
from training.clock import Clock, start_clock, time_of_day
from training.common import fail, guarded
from training.data import Corpus
from training.loader import Loader, Order, end_with_parent
from training.parallel import Group, join_group
from training.settings import Run
from training.tokenizer import load as load_tokenizer
from training.trainer import Trainer, first_model, say

LOG_EVERY = 20  # steps
MOST_SKIPPED = 20  # steps in a row whose gradient is not finite


class Log:
    """CSV lines for the loss curve, and a line to look at now and then. Only the first process has one."""

    COLUMNS = ("step", "tokens", "seconds", "loss", "rate", "length", "tokens_per_second", "mfu")

    def __init__(self, trainer: Trainer, peak: float) -> None:
        self.trainer, self.smooth = trainer, None
        trainer.meter = meter.Meter(trainer.model.config, peak)
        self.path = trainer.run.folder / "log.csv"

    def step(self, loss: float, progress: float, clock: Clock) -> None:
        self.smooth = loss if self.smooth is None else 0.97 * self.smooth + 0.03 * loss
        state, stage = self.trainer.state, self.trainer.stage
        if state.step % LOG_EVERY:
            return
        speed, mfu = self.trainer.meter.read()
        window, rate = stage.batch_shape(progress).window, stage.rate(state.step, progress)
        numbers = f"{state.elapsed:.0f}", f"{self.smooth:.4f}", f"{rate:.3f}"
        append(self.path, self.COLUMNS, [state.step, state.tokens, *numbers, window, f"{speed:.0f}", f"{mfu:.4f}"])
        print(
            f"step {state.step}  {state.tokens / 1e6:.2f} M tokens  {speed:.0f} tokens/s  MFU {100 * mfu:.1f} %"
            f"  loss {self.smooth:.3f}  window {window}  {clock.left(state)}",
            flush=True,
        )


def append(path: Path, columns: tuple[str, ...], values: list) -> None:
    """A line more; a full disk costs the line and not the run."""
    try:
        with path.open("a") as out:
            writer = csv.writer(out)
            if out.tell() == 0:
                writer.writerow(columns)
            writer.writerow(values)
    except OSError as error:
        say(f"warning: {path}: {error.strerror}; a line is lost, and training goes on")


def train(run: Run, group: Group) -> None:
    """One process, from its start to the end of the run."""
    trainer = Trainer(run, group)
    saved = run.folder / "checkpoint.pt"
    if saved.exists():
        trainer.restore(saved)
    held_out = probe.open_probe(run) if group.first or group.sharded else None
    log = None
    if group.first:
        log = Log(trainer, run.peak or meter.peak_of(group.device, trainer.model.dtype) * group.size)
    loader = Loader(run)
    try:
        loop(trainer, loader, held_out, log)
    finally:
        loader.close()


def loop(trainer: Trainer, loader: Loader, held_out: probe.Probe | None, log: Log | None) -> None:
    run, state, stage, group = trainer.run, trainer.state, trainer.stage, trainer.group
    clock = start_clock(run, state)
    saved_at = probed_at = state.elapsed
    while (progress := clock.progress(state)) < 1:
        request(loader, trainer, clock)
        order, pairs = loader.take()
        if order.progress >= stage.bits_from and trainer.rounding and not state.rounding:
            state.rounding, state.best = True, float("inf")  # unrounded weights cannot be the best any more
        if order.progress > stage.decay_from and not state.cooling and stage.decay == "linear":
            state.cooling = True
            trainer.save(order.shape.window, ("before_cooldown",))
        loss = trainer.step(order, pairs, clock.elapsed())
        if trainer.skipped >= MOST_SKIPPED:
            fail(f"the gradient has not been finite for {MOST_SKIPPED} steps: start again from {run.folder}/best.pt with lower rates")
        if log:
            log.step(loss, order.progress, clock)
        # By the clock that all processes share, so that they do this together.
        if state.elapsed - probed_at > run.probe_seconds:
            measure(trainer, held_out, order.progress)
            probed_at = saved_at = state.elapsed
        elif state.elapsed - saved_at > run.save_seconds:
            trainer.save(order.shape.window)
            saved_at = state.elapsed
    measure(trainer, held_out, 1.0, final=True)
    if group.first:
        print(f"done: {state.step} steps, {state.tokens} tokens, {state.elapsed:.0f} s", flush=True)


def request(loader: Loader, trainer: Trainer, clock: Clock) -> None:
    """Keeps as many steps ordered as the loader works ahead."""
    state, stage, group = trainer.state, trainer.stage, trainer.group
    last = loader.ordered_until()
    first = state.step if last is None else last + 1
    for step in range(first, state.step + loader.ahead + 1):
        progress = clock.progress(state, step - state.step)
        shape = stage.batch_shape(progress)
        loader.order(Order(step, shape, progress, tuple(pairs_of(shape, group.rank, group.size))))


def measure(trainer: Trainer, held_out: probe.Probe | None, progress: float, final: bool = False) -> None:
    """Looks at held-out text and saves; the best so far is kept under a name of its own."""
    state, window = trainer.state, trainer.stage.batch_shape(progress).window
    result: dict[str, float] = {}
    if held_out:
        with trainer.rounded(progress):
            result = held_out.measure(trainer.model)
    if trainer.group.first and result:
        values = [state.step, state.tokens, f"{state.elapsed:.0f}", *result.values()]
        append(trainer.run.folder / "held_out.csv", ("step", "tokens", "seconds", *result), values)
        print("held out:", result, flush=True)
    surprise = [v for name, v in result.items() if name.endswith("bits")]
    # Only the first process measures when the others have the same weights; what it found is for all.
    (found,) = trainer.group.add_up([sum(surprise) if trainer.group.first else 0.0])
    better = bool(found) and found < state.best
    state.best = found if better else state.best
    trainer.save(window, ("best",) if better else (), final)


def check(run: Run) -> None:
    """Fails here, in one line, rather than in every process; unpacks shards if the corpus has them."""
    stage = run.stage
    for folder in (run.corpus, *run.also.values()):
        shards.unpack_all(folder)
    if stage.objective == "answers":
        load_tokenizer(run.tokenizer_path())
    else:
        Corpus(run.corpus, "held_out", stage.window)
    if stage.objective == "mixture" and stage.syntax and not (run.corpus / "train.spans.npy").exists():
        say(f"{run.corpus} has no spans of the grammar (training.syntax makes them): holes come from lines and words alone")
    streams.open_source(run)
    model, _ = first_model(run)
    vocabulary = load_tokenizer(run.tokenizer_path()).vocab_size()
    if vocabulary > model.config.vocabulary:
        fail(f"the corpus has {vocabulary} pieces, the model {model.config.vocabulary}: take another shape, or --set shape=NAME")
    length = f"until {time.strftime('%H:%M', time.localtime(run.until))}" if run.until else "by steps" if run.steps else ""
    say(f"{model.count() / 1e6:.2f} M parameters {length}".rstrip())


def free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return probing.getsockname()[1]


def work(worker: int, run: Run, workers: int, port: int) -> None:
    """A process that --workers started: as if by torchrun. It ends with the one that started it."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    os.environ |= {"RANK": str(worker), "WORLD_SIZE": str(workers), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if workers == 1:
        del os.environ["RANK"]
    guarded(lambda: train(run, join_group("cpu", "ddp")))


def spawn(run: Run, workers: int) -> None:
    # glibc gives large blocks back to the system at every free; keeping them saves a tenth of the time.
    os.environ |= {
        "OMP_WAIT_POLICY": "passive",
        "OMP_NUM_THREADS": "1",
        "MALLOC_MMAP_THRESHOLD_": "4000000000",
        "MALLOC_TRIM_THRESHOLD_": "8000000000",
        "MALLOC_TOP_PAD_": "100000000",
    }
    try:
        torch.multiprocessing.spawn(work, (run, workers, free_port()), workers)
    except torch.multiprocessing.ProcessExitedException:
        raise SystemExit(1) from None  # the worker has said why


def add_arguments(parser: argparse.ArgumentParser, ending: bool = True) -> None:
    parser.add_argument("run", type=Path, help="folder for checkpoints, exports and logs; resumed if it exists")
    ends = parser.add_mutually_exclusive_group(required=ending)
    ends.add_argument("--until", metavar="HH:MM", help="time of day when training ends")
    ends.add_argument("--minutes", type=float, help="of training, all starts together")
    ends.add_argument("--steps", type=int)
    parser.add_argument("--stage", help="name in training/stages, or a file")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the stage, see settings.py")
    parser.add_argument("--start", type=Path, help="model directory or checkpoint to go on from, with the same tokenizer")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FOLDER", help="a further corpus that the stage blends in")
    parser.add_argument("--workers", type=int, default=1, help="processes on the processors of this machine")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--parallel", choices=("ddp", "fsdp"), default="ddp", help="with torchrun")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto", help="auto: on a GPU")
    parser.add_argument("--attention", choices=("auto", "plain", "sdpa", "flex", "varlen"), default="auto")
    parser.add_argument("--loaders", type=int, default=0, help="processes that make batches ahead")
    parser.add_argument("--micro-rows", type=int, default=0, help="rows of one pass; fewer need less memory")
    parser.add_argument("--save-seconds", type=float, default=Run.save_seconds)
    parser.add_argument("--probe-seconds", type=float, default=Run.probe_seconds)
    parser.add_argument("--float32", action="store_true", help="no bfloat16 products")
    parser.add_argument("--peak-tflops", type=float, default=0, help="of the machine, for MFU; default: known or measured")


def run_of(arguments: argparse.Namespace, corpus: Path, stage: str | None) -> Run:
    also = {}
    for text in arguments.also:
        name, equals, folder = text.partition("=")
        also[name] = Path(folder) if equals else fail(f"--also {text}: expected NAME=FOLDER")
    start = arguments.start
    if start and not start.exists():
        fail(f"--start {start}: there is no such model directory or checkpoint")
    if arguments.steps is not None and arguments.steps < 1:
        fail("--steps must be 1 or more")
    run = Run(
        corpus=corpus,
        folder=arguments.run,
        stage=settings.read_stage(arguments.stage or stage, arguments.set),
        also=also,
        start=start,
        tokenizer=start / "tokenizer.model" if start and start.is_dir() and (start / "tokenizer.model").exists() else None,
        until=time_of_day(arguments.until) if arguments.until else None,
        seconds=60 * arguments.minutes if arguments.minutes is not None else None,
        steps=arguments.steps,
        micro_rows=arguments.micro_rows,
        device=arguments.device,
        compile=arguments.compile,
        attention=arguments.attention,
        parallel=arguments.parallel,
        loaders=arguments.loaders,
        save_seconds=arguments.save_seconds,
        probe_seconds=arguments.probe_seconds,
        half=not arguments.float32,
        peak=arguments.peak_tflops * 1e12,
    )
    processes = int(os.environ.get("WORLD_SIZE", arguments.workers))
    for progress in (0.0, 1.0):
        rows = run.stage.batch_shape(progress).rows
        if rows // ROWS_OF_PAIR % processes:
            fail(f"{rows} rows are {rows // ROWS_OF_PAIR} pairs, which {processes} processes cannot share: change rows")
    if run.micro_rows % ROWS_OF_PAIR:
        fail("--micro-rows must be even: rows come in pairs")
    return run


def carry_out(run: Run, workers: int) -> None:
    """With torchrun each process comes here; without it --workers of them are started."""
    try:
        if "RANK" in os.environ:
            group = join_group(run.device, run.parallel)
            if group.first:
                run.folder.mkdir(parents=True, exist_ok=True)
                check(run)
            group.wait()
            train(run, group)
            dist.destroy_process_group()
            return
        run.folder.mkdir(parents=True, exist_ok=True)
        check(run)
        if run.device == "cpu":
            spawn(run, workers)
        else:
            train(run, join_group(run.device, run.parallel))
    except KeyboardInterrupt:
        fail("stopped; the same command goes on from the last checkpoint")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, help="folder with train.u16, held_out.u16 (or their shards) and tokenizer.model")
    add_arguments(parser)
    arguments = parser.parse_args()
    carry_out(run_of(arguments, arguments.corpus, None), arguments.workers)


if __name__ == "__main__":
    guarded(main)
