"""Named shapes of models, and what a token costs to train with them.

The small ones are candidates for a model that ships with the source: `small` is the one in
models/, `38m` fits the repository with 4 bits, the others are there to compare. `0.5b` and `7b` are the
shapes of Qwen2.5-Coder, from which published diffusion models were adapted.
"""

from __future__ import annotations

from training.common import fail
from training.model import ModelConfig


def _small(width: int, layers: int, hidden: int, heads: int, kv_heads: int, vocabulary: int = 16384) -> ModelConfig:
    return ModelConfig(vocabulary, width, layers, heads, kv_heads, hidden)


SHAPES = {
    "tiny": _small(64, 2, 160, 2, 1, 8192),  # for trying things out
    "small": _small(256, 6, 704, 4, 2, 8192),
    "25m": _small(384, 12, 1024, 6, 2),
    "38m": _small(512, 10, 1408, 8, 4),
    "45m": _small(512, 12, 1536, 8, 4),
    "70m": _small(640, 14, 1792, 10, 5),
    "120m": _small(768, 16, 2304, 12, 4),
    "0.5b": ModelConfig(151936, 896, 24, 14, 2, 4864, 1_000_000.0),
    "7b": ModelConfig(152064, 3584, 28, 28, 4, 18944, 1_000_000.0, tied=False),
}


def shape(name: str) -> ModelConfig:
    if name not in SHAPES:
        fail(f"there is no shape called {name}; there are {', '.join(SHAPES)}")
    return SHAPES[name]


def parameters(config: ModelConfig) -> tuple[int, int]:
    """Of the body and of an embedding matrix (one, if input and output share it)."""
    c, kv = config, config.kv_heads * config.head_width
    attention = 2 * c.width * c.width + 2 * c.width * kv + c.width + 2 * kv
    layer = attention + 3 * c.width * c.hidden + 2 * c.width
    return c.layers * layer + c.width, c.vocabulary * c.width


def training_flops(config: ModelConfig, documents: float, masked_share: float) -> float:
    """Floating point operations for one token, forward and backward.

    6 for each weight of the body, 6 for each of the output matrix at the masked positions, and the two
    products of attention over a document of `documents` tokens.
    """
    body, embedding = parameters(config)
    return 6 * body + 6 * embedding * masked_share + 12 * config.layers * config.width * documents
