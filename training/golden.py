"""Writes a tiny random model and what it answers, for the engine's tests.

    python3 -m training.golden tests/data/lacuna_tiny

The weights are float32 and the logits are computed by the training code in float32, so an engine in
float32 must agree to rounding. forward.json is a list of cases: "input_ids", and "logits" with one
row for each position, already shifted: row p predicts position p. No row of the network stands before
position 0; as in Dream it gets the network's row 0 a second time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from training import export
from training.common import guarded
from training.model import Model, ModelConfig
from training.tokenizer import BOF, EOF, FIRST_TEXT_ID, LANG_ANY, LANGUAGE_ID, MASK

TINY = ModelConfig(vocabulary=96, width=32, layers=2, heads=4, kv_heads=2, hidden=56)
POSITIONS = 64


def random_model(seed: int = 5) -> Model:
    """Every parameter matters: norms away from 1, biases away from 0, no zero matrices."""
    torch.manual_seed(seed)
    model = Model(TINY, half=False)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, 0.6 if name.startswith("embedding") else parameter.shape[1] ** -0.5)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.3)
            else:
                parameter.uniform_(0.5, 1.5)
    return model


@torch.no_grad()
def shifted_logits(model: Model, ids: list[int]) -> Tensor:
    rows = model.rows(torch.tensor([ids]))[0]
    return rows[[0, *range(len(ids) - 1)]]


def cases() -> list[list[int]]:
    generator = torch.Generator().manual_seed(9)
    text = torch.randint(FIRST_TEXT_ID, TINY.vocabulary, (24,), generator=generator).tolist()
    return [
        [BOF],
        [BOF, LANGUAGE_ID["python"], *text[:4], MASK, MASK, MASK, *text[4:9], EOF],
        [LANG_ANY, *text[:10], MASK, *text[10:], MASK, MASK],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    model = random_model()
    export.export(model, folder, None, POSITIONS, torch.float32)
    answers = [
        {"input_ids": ids, "logits": [[round(v, 6) for v in row] for row in shifted_logits(model, ids).tolist()]}
        for ids in cases()
    ]
    (folder / "forward.json").write_text(json.dumps(answers, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    guarded(main)
