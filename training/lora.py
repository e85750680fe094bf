"""LoRA adapters (Hu et al. 2021, arXiv:2106.09685): W + (alpha / rank) B A, of which only A and B are trained.

    python3 -m training.lora MODEL ADAPTER OUT      merges an adapter, for the engine

Saved as PEFT saves them: adapter_config.json, adapter_model.safetensors with the names
base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight [rank, inputs] and lora_B.weight [outputs, rank].
The model's code does not know of adapters: they are parametrisations of its weights.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from training import export
from training.common import fail, guarded
from training.model import Model

PREFIX = "base_model.model."
TARGETS = ("q", "k", "v", "o", "gate", "up", "down")


@dataclass(frozen=True)
class LoraSettings:
    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = TARGETS  # our names of the matrices


class LoraDelta(nn.Module):
    def __init__(self, outputs: int, inputs: int, settings: LoraSettings) -> None:
        super().__init__()
        self.scale = settings.alpha / settings.rank
        self.a = nn.Parameter(torch.empty(settings.rank, inputs))
        self.b = nn.Parameter(torch.zeros(outputs, settings.rank))  # the adapted model starts as the model
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * (self.b @ self.a)


def attach(model: Model, settings: LoraSettings) -> None:
    """Adapters on the matrices of all layers; everything else stops being trained."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for layer in model.layers:
        for name in settings.targets:
            linear = getattr(layer, name)
            parametrize.register_parametrization(linear, "weight", LoraDelta(*linear.weight.shape, settings))


def adapters(model: Model) -> dict[str, LoraDelta]:
    """By the name that the adapted matrix has in exported files, without `.weight`."""
    found = {}
    for i, layer in enumerate(model.layers):
        for name in TARGETS:
            linear = getattr(layer, name)
            if parametrize.is_parametrized(linear, "weight"):
                found[f"model.layers.{i}.{export.LAYER_NAMES[name]}"] = linear.parametrizations.weight[0]
    return found


def merge(model: Model) -> None:
    """The adapted weights become plain weights again, trainable ones."""
    for layer in model.layers:
        for name in TARGETS:
            linear = getattr(layer, name)
            if parametrize.is_parametrized(linear, "weight"):
                parametrize.remove_parametrizations(linear, "weight", leave_parametrized=True)
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def save(model: Model, folder: Path, base: str) -> None:
    found = adapters(model)
    if not found:
        raise ValueError("the model has no adapters")
    folder.mkdir(parents=True, exist_ok=True)
    one = next(iter(found.values()))
    settings = {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": base,
        "r": one.a.shape[0],
        "lora_alpha": one.scale * one.a.shape[0],
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "modules_to_save": None,
        "target_modules": sorted({name.rsplit(".", 1)[1] for name in found}),
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    tensors = {}
    for name, delta in found.items():
        tensors |= {f"{PREFIX}{name}.lora_A.weight": delta.a.detach(), f"{PREFIX}{name}.lora_B.weight": delta.b.detach()}
    temporary = folder / "adapter_model.safetensors.tmp"
    export.write_safetensors(temporary, tensors)
    temporary.replace(folder / "adapter_model.safetensors")


def load(model: Model, folder: Path) -> None:
    """Attaches the adapters of a folder, also of PEFT's own, with the same rank everywhere."""
    try:
        saved = json.loads((folder / "adapter_config.json").read_text())
        ours = {theirs.rsplit(".", 1)[-1]: name for name, theirs in export.LAYER_NAMES.items()}
        targets = tuple(ours[name] for name in saved["target_modules"])
        settings = LoraSettings(int(saved["r"]), float(saved["lora_alpha"]), targets)
        if saved["peft_type"] != "LORA" or saved.get("bias", "none") != "none" or saved.get("use_rslora"):
            fail(f"{folder}: only plain LoRA without biases is supported")
    except (OSError, ValueError, KeyError, TypeError) as error:
        fail(f"{folder}: not an adapter for this architecture ({error!r})")
    tensors = export.read_safetensors(folder / "adapter_model.safetensors")
    attach(model, settings)
    wanted = {}
    for name, delta in adapters(model).items():
        wanted |= {f"{PREFIX}{name}.lora_A.weight": delta.a, f"{PREFIX}{name}.lora_B.weight": delta.b}
    different = set(wanted) ^ set(tensors)
    different |= {name for name in wanted.keys() & tensors.keys() if wanted[name].shape != tensors[name].shape}
    if different:
        fail(f"{folder}: {min(different)} is missing, unknown, or has another shape than this model needs")
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(tensors[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    model = export.load(arguments.model)
    load(model, arguments.adapter)
    merge(model)
    export.export_like(model, arguments.model, arguments.out)


if __name__ == "__main__":
    guarded(main)
