"""One process or many: the group that a process belongs to, and how the model is spread over it.

  ddp    every process has all of the model and averages gradients (DistributedDataParallel)
  fsdp   every process has a part of each parameter (fully_shard, torch 2.6 or later), for models that
         do not fit otherwise

Processes come from torchrun (RANK and so on in the environment) or from pretrain's own --workers.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.common import fail
from training.model import Model

PATIENCE = datetime.timedelta(hours=2)  # one process measures and saves while the others wait


@dataclass(frozen=True)
class Group:
    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")
    strategy: str = "ddp"

    @property
    def first(self) -> bool:
        return self.rank == 0

    @property
    def sharded(self) -> bool:
        return self.strategy == "fsdp"

    def add_up(self, values: list[float]) -> list[float]:
        """Each of the numbers, summed over the processes; the same everywhere, to the last bit."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total.tolist()

    def least(self, value: int) -> int:
        if self.size == 1:
            return value
        least = torch.tensor(value, device=self.device)
        dist.all_reduce(least, dist.ReduceOp.MIN)
        return int(least)

    def wait(self) -> None:
        if self.size > 1:
            dist.barrier()


def join_group(device: str, strategy: str) -> Group:
    """Of the processes that torchrun started; alone without it."""
    size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    place = torch.device(device)
    if place.type == "cuda":
        if not torch.cuda.is_available():
            fail("--device cuda: PyTorch finds no GPU here")
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(place)
    if "RANK" in os.environ and not dist.is_initialized():
        os.environ.setdefault("USE_LIBUV", "0")  # Debian 13 builds torch without it, and it is the default
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    if strategy == "fsdp" and "RANK" not in os.environ:
        fail("--parallel fsdp needs torchrun, for one process as well")
    return Group(rank, size, place, strategy)


def spread(model: Model, group: Group) -> nn.Module:
    """What to call in a training pass. Sharding changes the parameters of `model` in place."""
    if group.sharded:
        try:
            from torch.distributed.fsdp import fully_shard
        except Exception:  # older versions lack it, or fail to import
            fail(f"--parallel fsdp needs torch 2.6 or later; this is {torch.__version__}")
        for layer in model.layers:
            fully_shard(layer)
        fully_shard(model)
        return model
    if group.size == 1:
        return model
    return nn.parallel.DistributedDataParallel(model)


def without_exchange(module: nn.Module, group: Group):
    """Inside, gradients stay where they are made: for all micro-batches but the last."""
    if group.size == 1:
        return contextlib.nullcontext()
    if group.sharded:
        return _unsynchronised(module)
    return module.no_sync()


@contextlib.contextmanager
def _unsynchronised(module: nn.Module):
    module.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        module.set_requires_gradient_sync(True)


def is_sharded(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")


def local(tensor: Tensor) -> Tensor:
    """This process' part of a tensor."""
    return tensor.to_local() if is_sharded(tensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor. Every process of the group must ask."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


@torch.no_grad()
def put(target: Tensor, value: Tensor) -> None:
    """Copies a whole tensor into one that may be sharded."""
    if is_sharded(target):
        from torch.distributed.tensor import distribute_tensor

        value = distribute_tensor(value.to(target.device, target.dtype), target.device_mesh, target.placements)
        target.to_local().copy_(value.to_local())
    else:
        target.copy_(value)
