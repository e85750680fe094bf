"""Reinforcement learning with coupled-GRPO (DiffuCoder, arXiv:2506.20639).

    python3 -m training.coupled_grpo MODEL RUN --holes CORPUS/train.jsonl --batches 60
    python3 -m training.coupled_grpo MODEL RUN --tasks TASKS.jsonl --rewards code=2,format=0.5 --lacuna LACUNA

A batch: some prompts, `group` completions of each by the present weights, a reward for each, advantages
that leave the own reward out. Then `iterations` updates on it, each under a mask seed of its own; the
log-probabilities of the old policy and of the reference were computed under the same seeds.
coupled.py has the formulas.

The reference starts as the model and moves towards the policy every `sync_steps` updates. With
--lora only adapters are trained; the reference then is an earlier state of the adapters.

RUN gets log.csv (reward curve and metrics), checkpoint.pt (the same command goes on from it, exactly:
what is random depends on the seed and the batch's number only) and export/ or adapter/.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training import checkpoint, export, lora, policy, prompts, rewards
from training.common import fail, guarded
from training.coupled import LossSettings, draw_mask, grpo_loss, leave_one_out, mask_seeds, micro_batches
from training.fill import Filler
from training.infill_client import InfillServer
from training.model import Model
from training.policy import holding
from training.clock import time_of_day
from training.prompts import Holes, Prompt, Tasks
from training.rewards import Scorer, Scores
from training.rollouts import Rollouts, Sampler, SamplerSettings, lay_out
from training.sandbox import Sandbox


@dataclass(frozen=True)
class Settings:
    """The recipe's values where a comment does not say otherwise."""

    batches: int
    prompts: int = 8  # of a batch
    group: int = 10
    micro_rows: int = 20  # completions whose gradient is computed at once; divides prompts * group
    iterations: int = 2
    rate: float = 1e-6  # for 7B parameters; a small model wants more
    warm_up: float = 1e-4  # share of the updates
    rate_end: float = 0.1  # of `rate`, at the end of the cosine
    weight_decay: float = 0.1
    clip_norm: float = 0.2
    sync_steps: int = 64
    sync_mix: float = 1.0  # of the policy in the new reference
    loss: LossSettings = field(default_factory=LossSettings)
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    seed: int = 1

    @property
    def updates(self) -> int:
        return self.batches * self.iterations

    def rate_at(self, update: int) -> float:
        """Linear warm-up, then a cosine that ends at rate_end."""
        warm = max(1, round(self.warm_up * self.updates))
        if update < warm:
            return self.rate * (update + 1) / warm
        progress = min(1.0, (update - warm) / max(1, self.updates - warm))
        return self.rate * (self.rate_end + (1 - self.rate_end) * (1 + math.cos(math.pi * progress)) / 2)


@dataclass
class Progress:
    batch: int = 0
    update: int = 0
    elapsed: float = 0.0  # seconds of training, without the time a run was stopped


class Trainer:
    """Batch after batch. `source` draws prompts, `completer` answers them, `scorer` judges the answers."""

    def __init__(self, settings: Settings, filler: Filler, source: Holes | Tasks, scorer: Scorer, completer) -> None:
        if settings.prompts * settings.group % settings.micro_rows:
            fail(f"{settings.prompts} prompts in groups of {settings.group} are not batches of {settings.micro_rows} rows")
        self.settings, self.filler, self.source, self.scorer, self.completer = settings, filler, source, scorer, completer
        self.model: Model = filler.model
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.reference = [p.detach().clone() for p in self.parameters]
        self.adam = torch.optim.AdamW(
            self.parameters, lr=settings.rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
        )
        self.progress = Progress()

    def batch(self) -> dict[str, float]:
        """One batch with all its updates; returns what is logged."""
        rng = np.random.default_rng([self.settings.seed, self.progress.batch])
        asked = [p for p in self.source.draw(rng, self.settings.prompts) for _ in range(self.settings.group)]
        answers = self.completer.complete(asked, int(rng.integers(2**31)))
        scores = self.scorer.score(asked, [a.text for a in answers])
        rollouts = lay_out(self.filler, asked, [a.tokens for a in answers])
        seeds = mask_seeds(rng, self.settings.iterations)
        metrics = self.learn(rollouts, leave_one_out(scores.total, self.settings.group), seeds)
        self.progress.batch += 1
        return self.summary(scores, asked) | metrics

    def summary(self, scores: Scores, asked: list[Prompt]) -> dict[str, float]:
        groups = scores.total.view(-1, self.settings.group)
        return {
            "reward": scores.total.mean().item(),
            "reward_deviation": groups.std(1).mean().item(),  # within a group: 0 teaches nothing
            **scores.parts,
            "length": sum(p.length for p in asked) / len(asked),
        }

    def learn(self, rollouts: Rollouts, advantages: Tensor, seeds: list[int]) -> dict[str, float]:
        settings, mask_id = self.settings, self.filler.ids["mask"]
        rows, length = rollouts.kept.shape
        parts = list(micro_batches(rows, settings.micro_rows))
        masks = [draw_mask(seed, rows, settings.micro_rows, length) for seed in seeds]

        def frozen() -> list[Tensor]:
            return [policy.frozen_log_probabilities(self.model, rollouts, m, mask_id, parts) for m in masks]

        old = frozen()
        with holding(self.parameters, self.reference):
            reference = frozen()
        metrics = [self.update(rollouts, advantages, *known, parts) for known in zip(masks, old, reference)]
        return {name: sum(m[name] for m in metrics) / len(metrics) for name in metrics[0]}

    def update(self, rollouts, advantages, mask, old, reference, parts) -> dict[str, float]:
        """One step of the optimiser: gradients of the micro-batches' mean losses, averaged."""
        settings = self.settings
        self.adam.zero_grad(set_to_none=True)
        totals = {"loss": 0.0, "divergence": 0.0, "clipped": 0.0}
        for rows in parts:
            part = rollouts.part(rows)
            if not part.kept.any():  # a server may answer nothing at all
                continue
            log_p = policy.log_probabilities(self.model, part, policy.part_of(mask, rows), self.filler.ids["mask"])
            made = grpo_loss(log_p, old[rows], reference[rows], advantages[rows], part.kept, settings.loss)
            (made.loss / len(parts)).backward()
            for name, value in zip(totals, (made.loss.item(), made.divergence, made.clipped)):
                totals[name] += value / len(parts)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, settings.clip_norm).item()
        rate = settings.rate_at(self.progress.update)
        if math.isfinite(norm):
            for group in self.adam.param_groups:
                group["lr"] = rate
            self.adam.step()
        self.progress.update += 1
        if self.progress.update % settings.sync_steps == 0:
            self.sync()
        return totals | {"norm": norm, "rate": rate}

    @torch.no_grad()
    def sync(self) -> None:
        for own, parameter in zip(self.reference, self.parameters):
            own.lerp_(parameter.detach(), self.settings.sync_mix)

    def save(self, path: Path) -> None:
        """Written beside and renamed: an interrupted write or a full disk leaves the previous checkpoint."""
        state = {
            "settings": described(self.settings),
            "parameters": [p.detach() for p in self.parameters],
            "reference": self.reference,
            "adam": self.adam.state_dict(),
            "progress": vars(self.progress),
        }
        try:
            checkpoint.write(path, state)
        except OSError as error:
            fail(f"{path}: cannot be written ({error.strerror}); the last checkpoint is still there")

    def restore(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location="cpu")
            saved, settings = state["settings"], described(self.settings)
        except Exception as error:  # torch.load raises whatever the bytes lead to
            fail(f"{path}: not a checkpoint of this trainer ({error!r})")
        changed = [name for name in settings if saved.get(name) != settings[name]]
        if changed:
            fail(f"{path}: made with another {', '.join(changed)}; give the same options, or another RUN")
        shapes = [p.shape for p in self.parameters]
        if [p.shape for p in state["parameters"]] != shapes:
            fail(f"{path}: made for a model of another shape, or with other adapters")
        with torch.no_grad():
            for mine, theirs in zip([*self.parameters, *self.reference], [*state["parameters"], *state["reference"]]):
                mine.copy_(theirs)
        self.adam.load_state_dict(state["adam"])
        self.progress = Progress(**state["progress"])


def described(settings: Settings) -> dict:
    """What must stay the same when a run goes on. The number of batches may grow (the cosine changes with it)."""
    return {name: value for name, value in asdict(settings).items() if name != "batches"}


class Log:
    """A line a batch in log.csv and on the terminal."""

    def __init__(self, run: Path) -> None:
        self.file = (run / "log.csv").open("a", buffering=1)
        self.writer = csv.writer(self.file)

    def line(self, progress: Progress, metrics: dict[str, float]) -> None:
        if self.file.tell() == 0:
            self.writer.writerow(["batch", "update", "seconds", *metrics])
        numbers = [f"{value:.6g}" for value in metrics.values()]
        self.writer.writerow([progress.batch, progress.update, f"{progress.elapsed:.0f}", *numbers])
        shown = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        print(f"batch {progress.batch}  {progress.elapsed:.0f} s  {shown}", flush=True)


def run(trainer: Trainer, folder: Path, until: float, save_seconds: float, finish) -> None:
    """Goes on from RUN/checkpoint.pt until all batches are done or the clock says `until`."""
    saved, settings, progress = folder / "checkpoint.pt", trainer.settings, trainer.progress
    if saved.exists():
        trainer.restore(saved)
        progress = trainer.progress
    log, last_save = Log(folder), time.monotonic()
    before, started = progress.elapsed, time.monotonic()
    while progress.batch < settings.batches and time.time() < until:
        metrics = trainer.batch()
        progress.elapsed = before + time.monotonic() - started
        log.line(progress, metrics)
        if time.monotonic() - last_save > save_seconds:
            trainer.save(saved)
            last_save = time.monotonic()
    trainer.save(saved)
    finish()
    print(f"done: {progress.batch} batches, {progress.update} updates, {progress.elapsed:.0f} s", flush=True)


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="exported model directory")
    parser.add_argument("run", type=Path, help="folder for log, checkpoint and result; resumed if it exists")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--holes", type=Path, help="corpus file (train.jsonl): holes of its Python files")
    asked.add_argument("--tasks", type=Path, help="file of tasks, see prompts.py")
    parser.add_argument("--rewards", default="exact=1,similar=0.5,parse=0.3", help="NAME=WEIGHT,...: %(default)s")
    parser.add_argument("--lacuna", type=Path, help="the executable, whose sandbox runs tests")
    parser.add_argument("--server", help="address of a running server that completes, as in http://127.0.0.1:8012")
    parser.add_argument("--context", type=int, default=128, help="window in tokens")
    parser.add_argument("--max-length", type=int, default=Holes.max_length, help="tokens of a hole at most")
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--prompts", type=int, default=Settings.prompts, help="of a batch")
    parser.add_argument("--group", type=int, default=Settings.group, help="completions of a prompt")
    parser.add_argument("--micro-rows", type=int, default=Settings.micro_rows)
    parser.add_argument("--iterations", type=int, default=Settings.iterations, help="updates on a batch")
    parser.add_argument("--rate", type=float, default=Settings.rate, help="learning rate")
    parser.add_argument("--sync-steps", type=int, default=Settings.sync_steps)
    parser.add_argument("--temperature", type=float, default=SamplerSettings.temperature)
    parser.add_argument("--tokens-per-step", type=float, default=SamplerSettings.tokens_per_step)
    parser.add_argument("--lora", type=int, default=0, metavar="RANK", help="train adapters of this rank only")
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--until", type=time_of_day, default=math.inf, metavar="HH:MM", help="stop then, if not done")
    parser.add_argument("--save-seconds", type=float, default=120)
    parser.add_argument("--config", type=Path, help="TOML file with values for these options, e.g. training/stages/grpo.toml")
    given = parser.parse_args(arguments)
    if given.config is None:
        return given
    parser.set_defaults(**read_config(given.config, parser))
    return parser.parse_args(arguments)


def read_config(path: Path, parser: argparse.ArgumentParser) -> dict:
    """Options by their names, with _ for -; what is given on the command line goes before them."""
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        fail(f"{path}: no configuration ({error})")
    known = {action.dest: action for action in parser._actions if action.option_strings and action.dest != "help"}
    for name, value in values.items():
        if name not in known:
            fail(f"{path}: there is no option {name}; there are {', '.join(known)}")
        wanted = known[name].type or str
        if wanted not in (int, float, str) or not isinstance(value, (int, float) if wanted is float else wanted):
            fail(f"{path}: {name} = {value!r} is not what --{name.replace('_', '-')} takes")
    return values


def settings_of(arguments: argparse.Namespace) -> Settings:
    sampler = SamplerSettings(temperature=arguments.temperature, tokens_per_step=arguments.tokens_per_step)
    names = ("batches", "prompts", "group", "micro_rows", "iterations", "rate", "sync_steps", "seed")
    settings = replace(Settings(batches=1), sampler=sampler, **{name: getattr(arguments, name) for name in names})
    if min(settings.batches, settings.prompts, settings.micro_rows, settings.iterations, settings.sync_steps) < 1:
        fail("batches, prompts, micro-rows, iterations and sync-steps must be 1 or more")
    if settings.group < 2:
        fail("--group must be 2 or more: an advantage is measured against the others of the group")
    return settings


def scorer_of(arguments: argparse.Namespace) -> Scorer:
    weights = rewards.parse_weights(arguments.rewards)
    if "code" in weights and not arguments.lacuna:
        fail("the reward `code` runs programs in Lacuna's sandbox: name the executable with --lacuna")
    return Scorer(weights, Sandbox(arguments.lacuna) if arguments.lacuna else None)


def source_of(arguments: argparse.Namespace, filler: Filler) -> Holes | Tasks:
    if arguments.holes:
        documents = prompts.python_documents(arguments.holes)
        source, longest = Holes(documents, filler.tokenizer, max_length=arguments.max_length), arguments.max_length
    else:
        source = Tasks.read(arguments.tasks)
        longest = max(p.length for p in source.prompts)
        languages = {p.question.language for p in source.prompts}
        if unknown := languages - set(filler.languages):
            fail(f"{arguments.tasks}: the model knows no {min(unknown)}; it knows {', '.join(filler.languages)}")
        if languages != {"python"} and {"parse", "code", "format"} & set(rewards.parse_weights(arguments.rewards)):
            fail("the rewards parse, code and format judge Python only; give --rewards similar=1 or exact=1")
    if longest > arguments.context // 2:
        fail(f"--context {arguments.context} is too short for holes of {longest} tokens: give twice as much")
    return source


def main() -> None:
    arguments = read_arguments()
    settings, scorer = settings_of(arguments), scorer_of(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    filler = Filler.load(arguments.model, arguments.context)
    filler.model = export.load(arguments.model)  # not the frozen copy
    if arguments.lora:
        lora.attach(filler.model, lora.LoraSettings(rank=arguments.lora))
    source = source_of(arguments, filler)
    completer = Sampler(filler, settings.sampler)
    if arguments.server:
        completer = InfillServer(arguments.server, filler.tokenizer, settings.sampler)
    arguments.run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(settings, filler, source, scorer, completer)

    def finish() -> None:
        if arguments.lora:
            lora.save(filler.model, arguments.run / "adapter", str(arguments.model))
        else:
            export.export_like(filler.model, arguments.model, arguments.run / "export")

    run(trainer, arguments.run, arguments.until, arguments.save_seconds, finish)


if __name__ == "__main__":
    guarded(main)
