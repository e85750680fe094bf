"""Writes a Hugging Face style model directory that the engine loads.

    python3 -m training.export CHECKPOINT TOKENIZER FOLDER [--positions N]

config.json, generation_config.json, model.safetensors (bfloat16, or float32 for fixtures) and
tokenizer.model. One key of config.json is ours: "document_format" says which marks open and close a
document and which id stands for which language.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
from pathlib import Path

import torch
from torch import Tensor

from training import checkpoint
from training.common import fail, guarded
from training.model import Model, ModelConfig
from training.tokenizer import BOF, EOF, EXPAND, LANG_ANY, LANGUAGE_ID, MASK, PAD

DTYPE_NAMES = {torch.bfloat16: "BF16", torch.float32: "F32"}
LAYER_NAMES = {
    "input_norm": "input_layernorm",
    "post_norm": "post_attention_layernorm",
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


def exported_name(name: str) -> str:
    """Our parameter name -> the name Qwen2-style files use."""
    parts = name.split(".")
    if parts[0] == "layers":
        return f"model.layers.{parts[1]}.{LAYER_NAMES[parts[2]]}.{parts[3]}"
    outer = {"embedding": "model.embed_tokens", "norm": "model.norm", "output": "lm_head"}
    return f"{outer[parts[0]]}.weight"


def write_safetensors(path: Path, tensors: dict[str, Tensor]) -> None:
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in sorted(tensors.items()):
        plain = tensor.detach().cpu().contiguous()
        # numpy knows no bfloat16: its bits go out as 16-bit integers.
        blob = (plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain).numpy().tobytes()
        header[name] = {
            "dtype": DTYPE_NAMES[plain.dtype],
            "shape": list(plain.shape),
            "data_offsets": [at, at + len(blob)],
        }
        at += len(blob)
        blobs.append(blob)
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(head)) + head)
        out.writelines(blobs)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + size])
    except (OSError, struct.error, ValueError) as error:
        fail(f"{path}: not a safetensors file ({error})")
    types = {"BF16": torch.bfloat16, "F32": torch.float32}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(data[first:last]), dtype=types[entry["dtype"]]).view(entry["shape"])
    return tensors


def model_settings(config: ModelConfig, positions: int, dtype: torch.dtype) -> dict:
    return {
        "architectures": ["DreamModel"],
        "model_type": "Dream",
        "torch_dtype": str(dtype).removeprefix("torch."),
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "hidden_act": "silu",
        "max_position_embeddings": positions,
        "rms_norm_eps": config.norm_epsilon,
        "rope_theta": config.rope_theta,
        "rope_scaling": None,
        "use_sliding_window": False,
        "tie_word_embeddings": config.tied,
        "mask_token_id": MASK,
        "pad_token_id": PAD,
        "bos_token_id": BOF,
        "eos_token_id": EOF,
        "expand_token_id": EXPAND,
        "delete_token_id": PAD,
        "document_format": {"begin": BOF, "end": EOF, "any_language": LANG_ANY, "languages": LANGUAGE_ID},
    }


def generation_settings() -> dict:
    return {"mask_token_id": MASK, "pad_token_id": PAD, "bos_token_id": BOF, "eos_token_id": EOF}


def export(
    model: Model, folder: Path, tokenizer: Path | None, positions: int, dtype: torch.dtype = torch.bfloat16
) -> None:
    export_weights(dict(model.named_parameters()), model.config, folder, tokenizer, positions, dtype)


def export_weights(
    weights: dict[str, Tensor],
    config: ModelConfig,
    folder: Path,
    tokenizer: Path | None,
    positions: int,
    dtype: torch.dtype = torch.bfloat16,
) -> None:
    """`weights` by our names. Raises OSError when it cannot write; weights that were there before stay then."""
    folder.mkdir(parents=True, exist_ok=True)
    # Renamed into place, so that a reader never sees half a file.
    temporary = folder / "model.safetensors.tmp"
    try:
        write_safetensors(temporary, {exported_name(n): p.to(dtype) for n, p in weights.items()})
        temporary.replace(folder / "model.safetensors")
    finally:
        temporary.unlink(missing_ok=True)
    settings = model_settings(config, positions, dtype)
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(generation_settings(), indent=2) + "\n")
    if tokenizer:
        shutil.copyfile(tokenizer, folder / "tokenizer.model")


def read_settings(folder: Path) -> dict:
    try:
        return json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        fail(f"{folder}: not a model directory ({error})")


def export_like(model: Model, source: Path, folder: Path) -> None:
    """Exports weights that were trained on from `source`, with its tokenizer and number of positions."""
    tokenizer = source / "tokenizer.model"
    positions = read_settings(source)["max_position_embeddings"]
    export(model, folder, tokenizer if tokenizer.exists() else None, positions)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a model directory, which may have them in several files."""
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return read_safetensors(folder / "model.safetensors")
    try:
        files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fail(f"{index}: not an index of tensors ({error!r})")
    tensors: dict[str, Tensor] = {}
    for name in files:
        tensors |= read_safetensors(folder / name)
    return tensors


def load(folder: Path, half: bool = True) -> Model:
    """Reads an exported directory back (also of other makers, if the shape is Dream's or Qwen2's)."""
    try:
        settings = json.loads((folder / "config.json").read_text())
        config = ModelConfig(
            vocabulary=settings["vocab_size"],
            width=settings["hidden_size"],
            layers=settings["num_hidden_layers"],
            heads=settings["num_attention_heads"],
            kv_heads=settings["num_key_value_heads"],
            hidden=settings["intermediate_size"],
            rope_theta=settings["rope_theta"],
            norm_epsilon=settings["rms_norm_eps"],
            tied=settings.get("tie_word_embeddings", False),
        )
    except (OSError, ValueError, KeyError) as error:
        fail(f"{folder}: not a model directory ({error})")
    tensors = read_weights(folder)
    model = Model(config, half)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            stored = tensors.get(exported_name(name))
            if stored is None:
                fail(f"{folder}: tensor {exported_name(name)} is missing")
            if stored.shape != parameter.shape:
                fail(f"{folder}: tensor {exported_name(name)} is {list(stored.shape)}, its config.json says {list(parameter.shape)}")
            parameter.copy_(stored)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--positions", type=int, default=512, help="longest window the model was trained on")
    arguments = parser.parse_args()
    export(checkpoint.read_model(arguments.checkpoint), arguments.folder, arguments.tokenizer, arguments.positions)


if __name__ == "__main__":
    guarded(main)
