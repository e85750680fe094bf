"""The network: Dream's architecture, exactly as the engine runs it.

A Qwen2 body (RMSNorm, biases on q, k and v only, grouped-query attention, rotate-half RoPE, SwiGLU,
tied embeddings) without a causal mask: every position sees every other one of its document.
Logits are shifted as in Dream (Ye et al. 2025): the row at position p - 1 predicts position p, so
position 0 is never masked. There is no time input: how much is masked shows in the canvas itself.

Arithmetic follows the amount of rounding the engine has: matrices in bfloat16 (when `half` is set),
norms, softmax and the residual stream in float32. The parameters stay in float32 and are rounded as
they are used. On a processor norms and gates have hand-written gradients; elsewhere they are composed
of plain operations, which torch.compile joins.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import attention
from training.packing import Packing


@dataclass(frozen=True)
class ModelConfig:
    vocabulary: int = 8192
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 704
    rope_theta: float = 10_000.0
    norm_epsilon: float = 1e-6
    tied: bool = True  # the output matrix is the embedding

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    def as_dict(self) -> dict:
        return asdict(self)


class RmsNormFunction(torch.autograd.Function):
    """RMSNorm with a hand-written backward: a third of the memory traffic of the composed one."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, epsilon: float, out_dtype: torch.dtype) -> Tensor:
        inverse = x.pow(2).mean(-1, keepdim=True).add_(epsilon).rsqrt_()
        normed = x * inverse
        ctx.save_for_backward(normed, inverse, weight)
        return (normed * weight).to(out_dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        normed, inverse, weight = ctx.saved_tensors
        grad = grad.float()
        grad_weight = (grad * normed).flatten(0, -2).sum(0)
        grad = grad * weight
        mean = (grad * normed).mean(-1, keepdim=True)
        return grad.sub_(normed * mean).mul_(inverse), grad_weight, None, None


def composed_norm(x: Tensor, weight: Tensor, epsilon: float, out_dtype: torch.dtype) -> Tensor:
    return (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight).to(out_dtype)


class RmsNorm(nn.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor, out_dtype: torch.dtype) -> Tensor:
        norm = RmsNormFunction.apply if x.device.type == "cpu" else composed_norm
        return norm(x, self.weight, self.epsilon, out_dtype)


class SwiGluFunction(torch.autograd.Function):
    """silu(gate) * up from one sigmoid: torch's own silu is three times slower in bfloat16."""

    @staticmethod
    def forward(ctx, gate: Tensor, up: Tensor) -> Tensor:
        sigmoid = torch.sigmoid(gate)
        ctx.save_for_backward(gate, up, sigmoid)
        return gate * sigmoid * up

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up, sigmoid = ctx.saved_tensors
        silu = gate * sigmoid
        slope = torch.addcmul(silu, sigmoid, 1 - silu)
        return slope.mul_(grad).mul_(up), silu.mul_(grad)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    return SwiGluFunction.apply(gate, up) if gate.device.type == "cpu" else F.silu(gate) * up


def rope_tables(length: int, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """cos and sin of shape [length, head_width], both halves alike (rotate-half)."""
    steps = torch.arange(0, config.head_width, 2) / config.head_width
    angles = torch.arange(length)[:, None] / config.rope_theta ** steps[None]
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class Layer(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, kv_width = config.width, config.kv_heads * config.head_width
        self.config = config
        self.input_norm = RmsNorm(width, config.norm_epsilon)
        self.post_norm = RmsNorm(width, config.norm_epsilon)
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, kv_width)
        self.v = nn.Linear(width, kv_width)
        self.o = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, config.hidden, bias=False)
        self.up = nn.Linear(width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, width, bias=False)
        # Layers start as the identity; the residual stream is filled as they learn.
        nn.init.zeros_(self.o.weight)
        nn.init.zeros_(self.down.weight)
        for linear in (self.q, self.k, self.v):
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        packing: Packing | None,
        wanted: Tensor | None,
        dtype: torch.dtype,
    ) -> Tensor:
        """x is [rows, length, width]; with `wanted`, only those flat positions are carried on: [wanted, width]."""
        mixed = self.attend(self.input_norm(x, dtype), rope, packing)
        if wanted is not None:
            x, mixed = (z.reshape(-1, self.config.width)[wanted] for z in (x, mixed))
        x = x + F.linear(mixed, self.o.weight.to(dtype))
        y = self.post_norm(x, dtype)
        gate, up = F.linear(y, self.gate.weight.to(dtype)), F.linear(y, self.up.weight.to(dtype))
        return x + F.linear(swiglu(gate, up), self.down.weight.to(dtype))

    def attend(self, x: Tensor, rope: tuple[Tensor, Tensor], packing: Packing | None) -> Tensor:
        c, (rows, length, _) = self.config, x.shape
        weight = torch.cat([self.q.weight, self.k.weight, self.v.weight]).to(x.dtype)
        bias = torch.cat([self.q.bias, self.k.bias, self.v.bias]).to(x.dtype)
        qkv = F.linear(x, weight, bias).view(rows, length, c.heads + 2 * c.kv_heads, c.head_width)
        qkv = qkv.transpose(1, 2)
        q, k = rotate(qkv[:, : c.heads + c.kv_heads], *rope).split([c.heads, c.kv_heads], 1)
        mixed = attention.attend(q, k, qkv[:, c.heads + c.kv_heads :], packing)
        return mixed.transpose(1, 2).reshape(rows, length, c.width)


class Model(nn.Module):
    def __init__(self, config: ModelConfig, half: bool = True) -> None:
        super().__init__()
        self.config = config
        self.dtype = torch.bfloat16 if half else torch.float32
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RmsNorm(config.width, config.norm_epsilon)
        self.output = None if config.tied else nn.Linear(config.width, config.vocabulary, bias=False)
        self.ropes: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}
        self.compiled = False

    def rope(self, length: int, packing: Packing | None) -> tuple[Tensor, Tensor]:
        """cos and sin, [length, head_width], or [rows, 1, length, head_width] with positions that restart."""
        device = self.embedding.weight.device
        if (length, device) not in self.ropes:
            self.ropes[length, device] = tuple(t.to(device, self.dtype) for t in rope_tables(length, self.config))
        cos, sin = self.ropes[length, device]
        if packing is None:
            return cos, sin
        return cos[packing.places][:, None], sin[packing.places][:, None]

    def compile_layers(self) -> None:
        """One by one: they are alike, so it is done once for all of them."""
        for layer in self.layers:
            layer.compile()
        self.compiled = True

    def body(self, ids: Tensor, packing: Packing | None = None, wanted: Tensor | None = None) -> Tensor:
        """The residual stream after the last layer, which finishes only the `wanted` flat positions."""
        x = self.embedding(ids).float()
        rope = self.rope(ids.shape[1], packing)
        for layer in self.layers[:-1]:
            x = layer(x, rope, packing, None, self.dtype)
        # Compiled code wants the same shapes in every pass, and the number of wanted positions varies.
        x = self.layers[-1](x, rope, packing, None if self.compiled else wanted, self.dtype)
        return x.reshape(-1, self.config.width)[wanted] if self.compiled and wanted is not None else x

    def head(self, x: Tensor) -> Tensor:
        matrix = self.embedding.weight if self.output is None else self.output.weight
        return F.linear(self.norm(x, self.dtype), matrix.to(self.dtype))

    def rows(self, ids: Tensor, packing: Packing | None = None) -> Tensor:
        """All rows of logits, not shifted: row p predicts position p + 1."""
        return self.head(self.body(ids, packing))

    def forward(self, ids: Tensor, positions: Tensor, packing: Packing | None = None) -> Tensor:
        """Logits for the flat `positions` of ids [rows, length]; without packing, a row is one document."""
        if ids.device.type == "cpu":  # elsewhere the check would wait for the device
            starts = positions % ids.shape[1] == 0 if packing is None else packing.starts.view(-1)[positions]
            if bool(starts.any()):
                raise ValueError("the first position of a document has no row before it that could predict it")
        return self.head(self.body(ids, packing, positions - 1))

    def freeze(self) -> Model:
        """Rounds the matrices once instead of at every pass; for use without training."""
        for parameter in self.parameters():
            parameter.requires_grad_(False)
            if parameter.ndim == 2:
                parameter.data = parameter.data.to(self.dtype)
        return self

    def count(self) -> int:
        return sum(p.numel() for p in self.parameters())
