"""Everything a run needs to go on as if it had never stopped, in one file.

Written to a temporary name and renamed, so an interrupted write leaves the previous checkpoint.
The data needs no state (see batches.py); the schedule follows the clock times stored here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from training.common import fail
from training.model import Model, ModelConfig
from training.muon import Muon


@dataclass
class RunState:
    step: int = 0
    tokens: int = 0
    elapsed: float = 0.0  # seconds of training, without the time a run was stopped


def save(path: Path, model: Model, muon: Muon, adam: torch.optim.Optimizer, progress: RunState) -> None:
    temporary = path.with_suffix(".tmp")
    state = {
        "config": model.config.as_dict(),
        "model": model.state_dict(),
        "muon": muon.state_dict(),
        "adam": adam.state_dict(),
        "progress": vars(progress),
    }
    torch.save(state, temporary)
    os.replace(temporary, path)


def read(path: Path) -> dict:
    try:
        return torch.load(path, map_location="cpu")
    except (OSError, RuntimeError, EOFError) as error:
        fail(f"{path}: not a checkpoint ({error})")


def restore(path: Path, model: Model, muon: Muon, adam: torch.optim.Optimizer) -> RunState:
    state = read(path)
    if state["config"] != model.config.as_dict():
        fail(f"{path}: made for another model shape: {state['config']}")
    model.load_state_dict(state["model"])
    muon.load_state_dict(state["muon"])
    adam.load_state_dict(state["adam"])
    return RunState(**state["progress"])


def read_model(path: Path) -> Model:
    state = read(path)
    model = Model(ModelConfig(**state["config"]))
    model.load_state_dict(state["model"])
    return model
