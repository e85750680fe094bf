"""One process of a run: parameters, optimisers, a step, and what is kept on disk.

Every process adds up the unnormalised gradients of its micro-batches; the sum of all is divided by the
weights of the whole batch. So a step learns the same, up to rounding, however the batch is cut up.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import sys
from pathlib import Path

import torch
from torch import Tensor

from training import adapt, attention, checkpoint, export, meter, parallel
from training.batches import ROWS_OF_PAIR, Batch, Pair, join
from training.checkpoint import RunState
from training.common import fail
from training.loader import Order
from training.loss import weighted_cross_entropy
from training.model import Model
from training.muon import Muon
from training.parallel import Group, local
from training.quantise import RoundedWeights
from training.settings import Run
from training.shapes import shape


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and ("out of memory" in str(error) or "can't allocate memory" in str(error))


def first_model(run: Run) -> tuple[Model, dict | None]:
    """The model a new run begins with, and the checkpoint it is from, if it is from one."""
    torch.manual_seed(run.stage.seed)
    if run.start is None:
        return Model(shape(run.stage.shape), run.half), None
    if run.start.is_dir():
        return export.load(run.start, run.half), None
    state = checkpoint.read(run.start)
    model = Model(checkpoint.config_of(state), run.half)
    checkpoint.put_weights(model, state["model"])
    return model, state


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Trainer:
    """All processes of a group hold the same state at every step."""

    def __init__(self, run: Run, group: Group = Group(), model: Model | None = None) -> None:
        self.run, self.stage, self.group = run, run.stage, group
        self.model, started_from = (model, None) if model else first_model(run)
        self.model.to(group.device)
        self.kernel = self.prepare_kernels()
        self.module = parallel.spread(self.model, group)
        self.parameters = list(self.model.parameters())
        self.make_optimisers()
        self.rounding = None
        if self.stage.bits:
            if group.sharded:
                fail("a quantisation-aware end (bits) does not work with --parallel fsdp")
            self.rounding = RoundedWeights(self.model, self.stage.bits)
        self.state = RunState()
        if started_from and bool(started_from["muon"]) == bool(self.muon):
            checkpoint.restore_parts(started_from, self.model, self.muon, self.adam)
        self.skipped = 0  # steps in a row whose gradient could not be used
        self.meter: meter.Meter | None = None

    def prepare_kernels(self) -> str:
        """Chooses how to attend and whether to compile; says what was chosen where there was a choice."""
        device, dtype, wanted = self.group.device, self.model.dtype, self.run.compile
        able = hasattr(torch, "compile") and hasattr(torch.nn.Module, "compile")
        if wanted == "on" and not able:
            fail(f"--compile on needs torch 2.2 or later; this is {torch.__version__}")
        compiled = able and (wanted == "on" or (wanted == "auto" and device.type == "cuda"))
        if device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        kernel, refused = attention.choose(self.run.attention, device, dtype, compiled)
        if compiled:
            self.model.compile_layers()
        if self.group.first and (device.type == "cuda" or compiled or refused):
            tried = f"; not used: {'; '.join(refused)}" if refused else ""
            say(f"attention: {kernel}{tried}; layers {'compiled' if compiled else 'not compiled'}")
        return kernel

    def make_optimisers(self) -> None:
        stage, named = self.stage, list(self.model.named_parameters())
        outer = ("embedding", "output")
        matrices = [p for n, p in named if stage.optimiser == "muon" and p.ndim == 2 and not n.startswith(outer)]
        known = {id(p) for p in matrices}
        others = [p for _, p in named if id(p) not in known]
        self.muon = Muon(matrices, weight_decay=stage.muon_weight_decay) if matrices else None
        options = {"lr": stage.adam_rate, "betas": (0.9, stage.adam_beta2)}
        if self.group.device.type == "cuda" and "fused" in inspect.signature(torch.optim.AdamW).parameters:
            options["fused"] = True
        decayed = [p for p in others if p.ndim == 2]
        plain = [p for p in others if p.ndim != 2]
        groups = [{"params": decayed, "weight_decay": stage.adam_weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.adam = torch.optim.AdamW([g for g in groups if g["params"]], **options)

    def step(self, order: Order, pairs: list[Pair], elapsed: float) -> float:
        """One update; returns the loss of the whole batch."""
        if not self.state.micro_rows:
            self.state.micro_rows = self.fitting_rows(order, pairs)
        with self.rounded(order.progress):
            loss, norm, tokens, masked, elapsed = self.gradients(order, pairs, elapsed)
        state, stage = self.state, self.stage
        # Clocks differ by microseconds; the mean is the same number everywhere, so all processes stop together.
        state.elapsed = elapsed
        state.tokens += round(tokens)
        if self.meter:
            self.meter.step(tokens, masked, order.shape.window)
        rate = stage.rate(state.step, order.progress)
        usable = self.finish_gradients(norm)
        self.skipped = 0 if usable else self.skipped + 1
        if usable:
            if self.muon:
                self.muon.step(stage.muon_rate * rate, self.group.rank, self.group.size)
            for options in self.adam.param_groups:
                options["lr"] = stage.adam_rate * rate
            self.adam.step()
        state.step += 1
        return loss / max(norm, 1e-9)

    def rounded(self, progress: float):
        """The last part of a run sees weights as they will be stored."""
        if not self.rounding or progress < self.stage.bits_from:
            return contextlib.nullcontext()
        return self.rounding.held(self.state.step)

    def gradients(self, order: Order, pairs: list[Pair], elapsed: float) -> list[float]:
        """Leaves the sums in .grad; returns loss, norm, tokens, masked (sums) and elapsed (mean) over all processes."""
        while True:
            try:
                sums = self.accumulate(order, pairs)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of the handler, whose error would keep the memory of the failed pass alive.
            self.take_fewer_rows()
        *sums, elapsed = self.group.add_up([*sums, elapsed])
        return [*sums, elapsed / self.group.size]

    def accumulate(self, order: Order, pairs: list[Pair]) -> list[float]:
        for p in self.parameters:
            p.grad = None
        size = max(1, self.state.micro_rows // ROWS_OF_PAIR)
        parts = range(0, len(pairs), size)
        loss, norm, tokens, masked = torch.zeros((), device=self.group.device), 0.0, 0, 0
        for at in parts:
            batch = self.batch(order, pairs[at : at + size], order.numbers[at : at + size])
            last = at == parts[-1]
            with contextlib.nullcontext() if last else parallel.without_exchange(self.module, self.group):
                loss += self.backward(batch, order)
            norm, tokens, masked = norm + batch.norm, tokens + batch.tokens, masked + len(batch.targets)
        return [loss.item(), norm, tokens, masked]

    def batch(self, order: Order, pairs: list[Pair], numbers: tuple[int, ...]) -> Batch:
        batch = join(pairs, self.kernel)
        share = adapt.visible_share(order.progress, self.stage.anneal)
        if share < 1:
            visible = adapt.visible_pairs(self.stage.seed, order.step, list(numbers), order.shape.row, share)
            batch = adapt.annealed(batch, visible, self.kernel)
        return batch.to(self.group.device)

    def backward(self, batch: Batch, order: Order) -> Tensor:
        """The sum of the weighted losses. Gradients are in units of a token of the batch, for the sake of bfloat16."""
        unit = order.shape.rows * order.shape.row
        packing = batch.packing.prepared() if batch.packing else None
        logits = self.module(batch.ids, batch.positions, packing)
        loss = weighted_cross_entropy(logits, batch.targets, batch.weights, unit, self.stage.z_share)
        loss.backward()
        self.unit = unit
        return loss.detach() * unit

    def finish_gradients(self, norm: float) -> bool:
        """Divides by the norm of the batch and clips; false when a gradient is not finite or nothing was masked."""
        if norm <= 0:
            return False
        # Both ways of working in a group average the gradients over its processes.
        factor = self.unit * self.group.size / norm
        parts = [local(p.grad) for p in self.parameters]
        squares = torch.stack([g.float().norm() for g in parts]).square().sum().item()
        if self.group.sharded:
            (squares,) = self.group.add_up([squares])
        size = factor * math.sqrt(squares) if math.isfinite(squares) else math.inf
        if not math.isfinite(size):
            return False
        torch._foreach_mul_(parts, factor * min(1.0, self.stage.clip / (size + 1e-6)))
        return True

    def fitting_rows(self, order: Order, pairs: list[Pair]) -> int:
        """Rows of one pass. Tried out before the first step where several processes must agree on it."""
        self.state.micro_rows = self.run.micro_rows or ROWS_OF_PAIR * len(pairs)
        if self.group.size == 1 or self.group.sharded or self.group.device.type == "cpu":
            return self.state.micro_rows
        while True:
            size = max(1, self.state.micro_rows // ROWS_OF_PAIR)
            try:
                with self.module.no_sync():
                    self.backward(self.batch(order, pairs[:size], order.numbers[:size]), order)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self.take_fewer_rows(trial=True)
        return self.group.least(self.state.micro_rows)

    def take_fewer_rows(self, trial: bool = False) -> None:
        for p in self.parameters:
            p.grad = None
        if self.group.device.type == "cuda":
            torch.cuda.empty_cache()
        rows = self.state.micro_rows
        if rows <= ROWS_OF_PAIR:
            fail(f"out of memory with {rows} rows of a pass: shorten the rows of the stage, or take a smaller shape")
        if self.group.size > 1 and not trial:
            fail(f"out of memory with {rows} rows of a pass; start again with --micro-rows {rows // 2 // ROWS_OF_PAIR * ROWS_OF_PAIR}")
        self.state.micro_rows = max(ROWS_OF_PAIR, rows // 2 // ROWS_OF_PAIR * ROWS_OF_PAIR)
        say(f"out of memory with {rows} rows of a pass; going on with {self.state.micro_rows}")

    def restore(self, path: Path) -> None:
        micro_rows = self.run.micro_rows
        self.state, rounding = checkpoint.restore(path, self.model, self.muon, self.adam)
        if micro_rows:
            self.state.micro_rows = micro_rows
        if self.rounding and rounding:
            self.rounding.load_state_dict(rounding)

    def save(self, window: int, also: tuple[str, ...] = (), final: bool = False) -> bool:
        """Checkpoint and export, under other names `also`. A full disk is said, and fatal only at the end."""
        folder, path = self.run.folder, self.run.folder / "checkpoint.pt"
        rounding = self.rounding.state_dict() if self.rounding else None
        state = checkpoint.gather(self.model, self.muon, self.adam, self.state, rounding)
        if not self.group.first:
            return True
        try:
            checkpoint.write(path, state)
            for name in also:
                checkpoint.keep(path, f"{name}.pt")
            for name in ("export", *also):
                tokenizer = self.run.tokenizer_path()
                export.export_weights(state["model"], self.model.config, folder / name, tokenizer, window)
        except OSError as error:
            message = f"{error.filename or folder}: cannot be written ({error.strerror or error}); what was saved before is still there"
            if final:
                fail(f"{message}; make room, and give the same command again")
            say(f"warning: {message}, and training goes on")
            return False
        return True
