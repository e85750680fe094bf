"""Compares the engine's logits with PyTorch's on real text.

    python3 -m training.parity MODEL --lacuna build/cpu-release/lacuna FILE [FILE ...]

Both get the same windows of each file, with every eighth token masked, and answer in float32. Reported
for the masked positions: the largest and the mean absolute difference of the logits, the share with the
same best token, and the mean KL divergence. The exit code is 1 when a difference exceeds --tolerance or
another token is best somewhere. A directory with 8 or 4 bits has no PyTorch side; compare it by
`lacuna model quantise`'s own report.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training import export
from training.common import fail, guarded
from training.model import Model
from training.sandbox import ask
from training.tokenizer import load as load_tokenizer

MASK_EVERY, FIRST_MASK = 8, 3
WINDOWS = 4  # of one file


@dataclass(frozen=True)
class Difference:
    positions: int
    largest: float
    mean: float
    same_token: float
    divergence: float  # KL(PyTorch || engine), nats


def windows(ids: list[int], length: int) -> list[list[int]]:
    """The first windows of a text, none of fewer than two masks."""
    parts = [ids[at : at + length] for at in range(0, len(ids), length)][:WINDOWS]
    return [part for part in parts if len(part) > FIRST_MASK + MASK_EVERY]


def masked(ids: list[int], mask: int) -> tuple[list[int], list[int]]:
    positions = list(range(FIRST_MASK, len(ids), MASK_EVERY))
    return [mask if i in positions else token for i, token in enumerate(ids)], positions


@torch.no_grad()
def trainer_logits(model: Model, ids: list[int], positions: list[int]) -> Tensor:
    return model(torch.tensor([ids]), torch.tensor(positions))


def engine_logits(lacuna: Path, folder: Path, ids: list[int], positions: list[int]) -> Tensor:
    rows = ",".join(map(str, positions))
    (answer,) = ask(lacuna, ["logits", "--model", str(folder.resolve()), "--rows", rows], [{"ids": ids}])
    return torch.tensor(answer["logits"])


def difference(ours: Tensor, theirs: Tensor) -> Difference:
    """ours and theirs are [positions, vocabulary]."""
    gaps = (ours - theirs).abs()
    p, q = ours.log_softmax(-1), theirs.log_softmax(-1)
    return Difference(
        len(ours),
        gaps.max().item(),
        gaps.mean().item(),
        (ours.argmax(-1) == theirs.argmax(-1)).float().mean().item(),
        (p.exp() * (p - q)).sum(-1).mean().item(),
    )


def compare(lacuna: Path, folder: Path, texts: list[str], length: int) -> Difference:
    settings = export.read_settings(folder)
    if "lacuna_quantization" in settings:
        fail(f"{folder}: has weights of {settings['lacuna_quantization'].get('bits')} bits; compare the model it was made from")
    model, tokenizer = export.load(folder, half=False), load_tokenizer(folder / "tokenizer.model")
    ours, theirs = [], []
    for text in texts:
        for window in windows(tokenizer.encode(text), min(length, settings["max_position_embeddings"])):
            ids, positions = masked(window, settings["mask_token_id"])
            ours.append(trainer_logits(model, ids, positions))
            theirs.append(engine_logits(lacuna, folder, ids, positions))
    if not ours:
        fail("the files are too short to compare on")
    return difference(torch.cat(ours), torch.cat(theirs))


def read_text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: not a text ({error})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--lacuna", type=Path, required=True, help="the executable")
    parser.add_argument("--length", type=int, default=256, help="tokens of a window")
    parser.add_argument("--tolerance", type=float, default=2e-3)
    arguments = parser.parse_args()
    result = compare(arguments.lacuna, arguments.model, [read_text(f) for f in arguments.files], arguments.length)
    print(
        f"{result.positions} masked positions: logits differ by at most {result.largest:.2g}, {result.mean:.2g} on average;"
        f" the same best token at {100 * result.same_token:.2f} %; KL divergence {result.divergence:.2g} nats"
    )
    if result.largest > arguments.tolerance or result.same_token < 1:
        fail(f"engine and trainer disagree (tolerance {arguments.tolerance:g})")


if __name__ == "__main__":
    guarded(main)
