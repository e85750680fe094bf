"""Everything a run needs to go on as if it had never stopped, in one file.

Written to a temporary name and renamed, so an interrupted write or a full disk leaves the previous
checkpoint. The data needs no state (see batches.py); the schedule follows the numbers stored here.
A file that must survive the next save is linked under another name, not written twice.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from training.common import fail
from training.model import Model, ModelConfig
from training.muon import Muon
from training.parallel import put, whole


@dataclass
class RunState:
    step: int = 0
    tokens: int = 0
    elapsed: float = 0.0  # seconds of training, without the time a run was stopped
    best: float = math.inf  # least surprise on held-out text so far
    micro_rows: int = 0  # rows of one pass that fit the memory; 0: not yet known
    cooling: bool = False  # the checkpoint before the cool-down is kept
    rounding: bool = False  # the quantisation-aware end has begun


def optimiser_state(adam: torch.optim.Optimizer) -> dict:
    """With whole tensors. Every process of a group must ask."""
    state = adam.state_dict()
    tensors = {
        index: {name: whole(v) if isinstance(v, torch.Tensor) else v for name, v in entry.items()}
        for index, entry in state["state"].items()
    }
    return {"state": tensors, "param_groups": state["param_groups"]}


def load_optimiser(adam: torch.optim.Optimizer, saved: dict) -> None:
    adam.load_state_dict(saved)
    if not any(hasattr(p, "full_tensor") for group in adam.param_groups for p in group["params"]):
        return
    for parameter, entry in zip((p for g in adam.param_groups for p in g["params"]), saved["state"].values(), strict=True):
        for name, value in entry.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                part = torch.zeros_like(parameter)
                put(part, value)
                adam.state[parameter][name] = part


def gather(model: Model, muon: Muon | None, adam: torch.optim.Optimizer, progress: RunState, rounding: dict | None = None) -> dict:
    """What a checkpoint holds. Every process of a group must ask."""
    return {
        "config": model.config.as_dict(),
        "model": {name: whole(p.detach()) for name, p in model.named_parameters()},
        "muon": muon.state_dict() if muon else None,
        "adam": optimiser_state(adam),
        "progress": dict(vars(progress)),
        "rounding": rounding,
    }


class CarefulFile:
    """Remembers the first error and swallows what comes after it: torch's own writer aborts the process on a full disk."""

    def __init__(self, path: Path) -> None:
        self.file, self.error = path.open("wb"), None

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self.file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        try:
            self.file.close()
        except OSError as error:  # of what was still in the buffer
            self.error = self.error or error
        if self.error:
            raise self.error


def write(path: Path, state: dict) -> None:
    """Raises OSError when it cannot; what was there before is still there then."""
    temporary = path.with_suffix(".tmp")
    try:
        out = CarefulFile(temporary)
        torch.save(state, out)
        out.close()
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None


def save(path: Path, model: Model, muon: Muon | None, adam: torch.optim.Optimizer, progress: RunState) -> None:
    write(path, gather(model, muon, adam, progress))


def keep(path: Path, name: str) -> None:
    """The checkpoint as it is now, under another name beside it, at no cost."""
    temporary = path.with_name(name + ".tmp")
    temporary.unlink(missing_ok=True)
    os.link(path, temporary)
    os.replace(temporary, path.with_name(name))


def read(path: Path) -> dict:
    try:
        state = torch.load(path, map_location="cpu")
        if not {"config", "model", "muon", "adam", "progress"} <= set(state):
            raise ValueError("parts are missing")
        return state
    except Exception as error:  # torch.load raises whatever the bytes lead to
        fail(f"{path}: not a checkpoint ({str(error).splitlines()[0] if str(error) else type(error).__name__})")


def config_of(state: dict) -> ModelConfig:
    return ModelConfig(**state["config"])


def put_weights(model: Model, weights: dict) -> None:
    for name, parameter in model.named_parameters():
        put(parameter, weights[name])


def restore_parts(state: dict, model: Model, muon: Muon | None, adam: torch.optim.Optimizer) -> None:
    put_weights(model, state["model"])
    if muon:
        muon.load_state_dict(state["muon"])
    load_optimiser(adam, state["adam"])


def restore(path: Path, model: Model, muon: Muon | None, adam: torch.optim.Optimizer) -> tuple[RunState, dict | None]:
    """The progress, and the state of the rounding."""
    state = read(path)
    if config_of(state) != model.config:
        fail(f"{path}: made for another model shape: {state['config']}")
    if bool(muon) != bool(state["muon"]):
        fail(f"{path}: made with another optimiser")
    restore_parts(state, model, muon, adam)
    return RunState(**state["progress"]), state.get("rounding")


def read_model(path: Path) -> Model:
    state = read(path)
    model = Model(config_of(state))
    put_weights(model, state["model"])
    return model
