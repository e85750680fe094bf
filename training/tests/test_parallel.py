"""Several processes learn what one learns from the same batch."""

import csv
import dataclasses
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import torch

from training import checkpoint, pretrain
from training.parallel import join_group
from training.settings import Run
from training.tests import support

PROCESSES = 2


def can_shard() -> bool:
    try:
        from torch.distributed.fsdp import fully_shard  # noqa: F401
    except Exception:  # torch 1.13 cannot import it with Python 3.11
        return False
    return True


def stand_in_for_streams() -> None:
    """torch 2.6 shards on processors but for two methods that its empty CPU stream lacks; nothing is to be waited for there."""
    stream = getattr(getattr(torch, "cpu", None), "Stream", None)
    for name in ("record_event", "wait_event"):
        if stream and not hasattr(stream, name):
            setattr(stream, name, lambda self, event=None: None)


def member(run: Run, rank: int, port: int) -> None:
    """What torchrun sets, and then a process of the run."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(PROCESSES), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    pretrain.LOG_EVERY = 1
    stand_in_for_streams()
    support.train(run, join_group("cpu", run.parallel))


def train_together(run: Run) -> dict:
    run.folder.mkdir(exist_ok=True)
    port = pretrain.free_port()
    members = [support.processes().Process(target=support.quietly, args=(member, run, r, port)) for r in range(PROCESSES)]
    for process in members:
        process.start()
    for process in members:
        process.join()
    if any(process.exitcode for process in members):
        raise AssertionError("a process of the group failed")
    return checkpoint.read(run.folder / "checkpoint.pt")


def losses(run: Run) -> list[float]:
    """The mean so far is logged: undone, step by step."""
    with (run.folder / "log.csv").open() as lines:
        smooth = [float(row["loss"]) for row in csv.DictReader(lines)]
    return [smooth[0], *((b - 0.97 * a) / 0.03 for a, b in zip(smooth, smooth[1:]))]


class ParallelTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lacuna-run-"))
        self.addCleanup(shutil.rmtree, self.folder)
        logged, pretrain.LOG_EVERY = pretrain.LOG_EVERY, 1
        self.addCleanup(setattr, pretrain, "LOG_EVERY", logged)

    def check_group(self, strategy: str, **stage):
        alone = support.run(self.folder / "alone", stage={"rows": 8} | stage, half=False, steps=4)
        one = support.train(alone)
        together = dataclasses.replace(alone, folder=self.folder / "together", parallel=strategy)
        two = train_together(together)
        for ours, theirs in zip(losses(alone), losses(together), strict=True):
            self.assertAlmostEqual(ours, theirs, delta=0.01)
        self.assertEqual(one["progress"]["tokens"], two["progress"]["tokens"])
        # A group goes on from what one process saved, and the other way round.
        resumed = dataclasses.replace(together, steps=6)
        self.assertEqual(train_together(resumed)["progress"]["step"], 6)
        self.assertEqual(support.train(dataclasses.replace(resumed, steps=7, parallel="ddp"))["progress"]["step"], 7)
        return one, two

    def test_two_processes_have_the_losses_of_one(self):
        self.check_group("ddp")

    def test_they_have_its_weights_too_without_orthogonal_updates(self):
        """Muon's five steps in bfloat16 enlarge differences of rounding; AdamW's updates hardly do."""
        one, two = self.check_group("ddp", optimiser="adamw", adam_rate=1e-3)
        for name, weight in one["model"].items():
            torch.testing.assert_close(two["model"][name], weight, rtol=0, atol=1e-3)

    @unittest.skipUnless(can_shard(), "torch before 2.6")
    def test_sharded_processes_have_the_losses_of_one(self):
        self.check_group("fsdp")
        self.check_group("fsdp", optimiser="adamw")


if __name__ == "__main__":
    unittest.main()
