"""Attention within documents, by four kernels that give the same result.

  plain   products and a softmax: works everywhere, and is the reference for the others
  sdpa    torch's scaled_dot_product_attention with a mask (2.0 or later)
  flex    FlexAttention, which skips blocks of other documents (2.5 or later; only fast when compiled)
  varlen  FlashAttention over the documents of the flattened batch (2.10 or later, CUDA, bfloat16)

All take q [rows, heads, length, width], k and v [rows, key heads, length, width] and a Packing (None: a
row is one document) and return [rows, heads, length, width]. `choose` tries the fast ones on the device.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from training.packing import Packing

TOLERANCE = {torch.bfloat16: 3e-2, torch.float32: 1e-4}


def repeated(x: Tensor, q: Tensor) -> Tensor:
    """A copy of each key head for every query head that reads it."""
    group = q.shape[1] // x.shape[1]
    return x if group == 1 else x.repeat_interleave(group, 1)


def plain(q: Tensor, k: Tensor, v: Tensor, packing: Packing | None) -> Tensor:
    rows, heads, length, width = q.shape
    keys = k.shape[1]
    # Query heads of one group share a key head: fold them into the rows of one product.
    q = q.reshape(rows * keys, heads // keys * length, width)
    k, v = k.reshape(rows * keys, length, width), v.reshape(rows * keys, length, width)
    scores = torch.bmm(q * (1 / math.sqrt(width)), k.transpose(1, 2))
    if packing is not None:
        hidden = packing.hidden[:, None]
        scores = scores.view(rows, heads, length, length).masked_fill(hidden, -torch.inf).view_as(scores)
    return torch.bmm(torch.softmax(scores, -1), v).view(rows, heads, length, width)


def sdpa(q: Tensor, k: Tensor, v: Tensor, packing: Packing | None) -> Tensor:
    mask = None if packing is None else ~packing.hidden[:, None]
    return F.scaled_dot_product_attention(q, repeated(k, q), repeated(v, q), attn_mask=mask)


def flex(q: Tensor, k: Tensor, v: Tensor, packing: Packing | None) -> Tensor:
    from torch.nn.attention.flex_attention import flex_attention

    return flex_attention(q, repeated(k, q), repeated(v, q), block_mask=None if packing is None else packing.block_mask)


def varlen(q: Tensor, k: Tensor, v: Tensor, packing: Packing | None) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    rows, heads, length, width = q.shape
    if packing is None:
        bounds = torch.arange(0, rows * length + 1, length, dtype=torch.int32, device=q.device)
    else:
        bounds = packing.bounds
    flat = [x.transpose(1, 2).reshape(rows * length, heads, width) for x in (q, repeated(k, q), repeated(v, q))]
    mixed = varlen_attn(*flat, bounds, bounds, length, length)
    return mixed.view(rows, length, heads, width).transpose(1, 2)


KERNELS = {"plain": plain, "sdpa": sdpa, "flex": flex, "varlen": varlen}


def attend(q: Tensor, k: Tensor, v: Tensor, packing: Packing | None) -> Tensor:
    return KERNELS["plain" if packing is None else packing.kernel](q, k, v, packing)


def complaint(name: str, device: torch.device, dtype: torch.dtype, compiled: bool) -> str | None:
    """Why a kernel cannot be used here: it is missing, fails, or differs from `plain`. Tries a small case, both ways."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, heads, 256, 64, generator=generator).to(device, dtype) for heads in (4, 2, 2))
    documents = torch.tensor([[0] * 100 + [1] * 156, [2] * 30 + [3] * 200 + [-1] * 26], device=device)
    results = []
    for kernel in ("plain", name):
        leaves = [x.clone().requires_grad_() for x in (q, k, v)]
        packing = Packing(documents, kernel=kernel)
        try:
            run = torch.compile(KERNELS[kernel]) if compiled and kernel == "flex" else KERNELS[kernel]
            mixed = run(*leaves, packing.prepared())
            mixed.float().square().sum().backward()
        except Exception as error:  # whatever a kernel that this build or device lacks raises
            return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120] if str(error).strip() else ''}"
        results.append([mixed.detach(), *(x.grad for x in leaves)])
    for ours, theirs in zip(*results):
        gap = (ours.float() - theirs.float()).abs().max().item() / max(1.0, ours.float().abs().max().item())
        if not gap < TOLERANCE[dtype]:
            return f"differs from the plain one by {gap:.2g}"
    return None


def choose(wanted: str, device: torch.device, dtype: torch.dtype, compiled: bool) -> tuple[str, list[str]]:
    """The kernel to use, and what was tried in vain. On a processor `plain` is as fast as any."""
    if wanted == "auto":
        order = ["varlen", *(["flex"] if compiled else []), "sdpa"] if device.type == "cuda" else []
    else:
        order = [wanted] if wanted != "plain" else []
    refused = []
    for name in order:
        why = complaint(name, device, dtype, compiled)
        if why is None:
            return name, refused
        refused.append(f"{name} ({why})")
    return "plain", refused


def with_kernel(packing: Packing, kernel: str) -> Packing:
    """Masks between pairs within a document are something that only the kernels with a dense mask know."""
    return replace(packing, kernel="sdpa" if packing.visible is not None and kernel in ("flex", "varlen") else kernel)
