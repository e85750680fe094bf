"""The four stages of DiffuCoder (arXiv:2506.20639), each on a tiny model, each killed and resumed."""

import contextlib
import dataclasses
import io
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from training import adapt, coupled_grpo, export, settings, sft, streams
from training.loader import Loader, Order
from training.masks import NOTHING
from training.packing import Packing
from training.settings import Run
from training.tests import support, test_grpo
from training.tests.support import same, train
from training.tokenizer import EOF, MASK, PAD
from training.trainer import Trainer

SMALL = {"rows": 8, "row": 64, "window": 64, "warm_up": 2}
EXAMPLES = [
    {"language": "python", "instruction": "return the sum", "before": "def f(a, b):\n    ", "answer": "return a + b"},
    {"language": "python", "instruction": "rename", "old": "total += 1", "before": "count = 0\n", "answer": "count += 1", "after": "\n"},
]


def stage(name: str, **changes) -> dict:
    """A stage that is shipped, made small."""
    return settings.read_stage_file(name) | SMALL | changes


def write_examples(folder: Path) -> Path:
    folder.mkdir()
    for name in ("train", "held_out"):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(e) + "\n" for e in EXAMPLES))
    return folder


def grpo_run(folder: Path) -> None:
    coupled_grpo.run(test_grpo.trainer(dataclasses.replace(test_grpo.SETTINGS, batches=4)), folder, np.inf, 0, lambda: None)


class StageTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lacuna-stage-"))
        self.addCleanup(shutil.rmtree, self.folder)
        said = contextlib.redirect_stderr(io.StringIO())
        said.__enter__()
        self.addCleanup(said.__exit__, None, None, None)

    def check_killed(self, **options) -> dict:
        unbroken = train(support.run(self.folder / "unbroken", **options))
        killed = support.run(self.folder / "killed", **options, save_seconds=0)
        support.kill_when((killed.folder / "checkpoint.pt").exists, train, killed)
        self.assertTrue(same(train(killed), unbroken))
        return unbroken

    def loss(self, run: Run, model=None) -> float:
        """Of one fixed batch, at the end of the run."""
        subject, source = Trainer(run, model=model), Loader(run)
        order = Order(99, run.stage.batch_shape(1.0), 1.0, (0, 1, 2, 3))
        source.order(order)
        totals = subject.gradients(order, source.take()[1], 0.0)
        return totals[0] / totals[1]

    def check_learns(self, run: Run) -> None:
        before = self.loss(run)
        train(run)
        self.assertLess(self.loss(run, export.load(run.folder / "export")), before - 0.2)

    def test_adaptation_learns_and_survives_a_kill(self):
        self.check_killed(stage=stage("adapt", anneal=0.5))
        self.check_learns(support.run(self.folder / "run", stage=stage("adapt", anneal=0.5, adam_rate=1e-2), steps=25))

    def test_mid_training_moves_from_one_corpus_to_the_other_and_survives_a_kill(self):
        other = support.second_corpus()
        options = {"stage": stage("midtrain"), "also": {"chosen": other}}
        self.check_killed(**options)
        blend = streams.read_blend(support.run(self.folder, **options))
        self.assertEqual([blend.weights(p).round(2).tolist() for p in (0.0, 0.5, 1.0)], [[0.8, 0.2], [0.45, 0.55], [0.1, 0.9]])
        rng, shares = np.random.default_rng(1), []
        for progress in (0.0, 1.0):
            texts = [support.vocabulary().decode(blend.window(rng, 64, progress).ids.tolist()) for _ in range(200)]
            shares.append(np.mean(["unmistakable" in text for text in texts]))
        self.assertGreater(shares[1], shares[0] + 0.3)

    def test_a_corpus_that_is_not_named_or_not_blended_is_one_line(self):
        for options in ({"stage": stage("midtrain")}, {"also": {"chosen": support.second_corpus()}}):
            with self.assertRaises(SystemExit):
                streams.read_blend(support.run(self.folder, **options))

    def test_instruction_tuning_learns_and_survives_a_kill(self):
        examples = write_examples(self.folder / "examples")
        options = {"corpus": examples, "stage": stage("sft"), "tokenizer": support.tiny_start() / "tokenizer.model"}
        self.check_killed(**options)
        options["stage"] = stage("sft", adam_rate=1e-2)
        self.check_learns(support.run(self.folder / "run", **options, steps=25))
        columns = (self.folder / "run" / "held_out.csv").read_text().splitlines()[0]
        self.assertIn("answer_bits", columns)

    def test_coupled_grpo_that_is_killed_ends_with_the_weights_of_the_unbroken_run(self):
        states = []
        for name in ("unbroken", "killed"):
            folder = self.folder / name
            folder.mkdir()
            if name == "killed":
                support.kill_when((folder / "checkpoint.pt").exists, grpo_run, folder)
            with contextlib.redirect_stdout(io.StringIO()):
                grpo_run(folder)
            states.append(torch.load(folder / "checkpoint.pt"))
        for ours, theirs in zip(states[0]["parameters"], states[1]["parameters"], strict=True):
            self.assertTrue(torch.equal(ours, theirs))

    def test_the_shipped_configuration_of_coupled_grpo_is_read(self):
        asked = ["MODEL", "RUN", "--tasks", "T", "--group", "4", "--config", str(settings.STAGES / "grpo.toml")]
        read = coupled_grpo.read_arguments(asked)
        self.assertEqual((read.group, read.sync_steps, read.rewards), (4, 64, "code=2,format=0.5"))
        wrong = self.folder / "wrong.toml"
        for text in ("colour = 1", 'group = "4"', "="):
            wrong.write_text(text)
            with self.assertRaises(SystemExit):
                coupled_grpo.read_arguments([*asked[:-1], str(wrong)])


class AnnealingTest(unittest.TestCase):
    def setUp(self):
        self.model = export.load(support.tiny_start(), half=False)
        self.ids = torch.randint(20, 900, (2, 16), generator=torch.Generator().manual_seed(1))

    def rows(self, share: float) -> torch.Tensor:
        visible = adapt.visible_pairs(1, 0, [0], 16, share)
        return self.model.rows(self.ids, Packing(torch.zeros_like(self.ids), visible))

    def test_it_begins_as_the_autoregressive_model(self):
        """A position sees what is before it: the rest of the text may be anything, or missing."""
        rows, other = self.rows(0.0), self.ids.clone()
        other[:, 9:] = 50
        none = Packing(torch.zeros(2, 9, dtype=torch.int64), adapt.visible_pairs(1, 0, [0], 9, 0.0))
        causal = Packing(torch.zeros_like(other), adapt.visible_pairs(1, 0, [0], 16, 0.0))
        for changed in (self.model.rows(other, causal), self.model.rows(self.ids[:, :9], none)):
            torch.testing.assert_close(rows[:, :9], changed[:, :9], rtol=1e-4, atol=1e-5)
        self.assertFalse(torch.allclose(rows[:, 10], self.rows(1.0)[:, 10], rtol=1e-2, atol=1e-2))

    def test_it_ends_as_the_bidirectional_one(self):
        torch.testing.assert_close(self.rows(1.0), self.model.rows(self.ids))

    def test_in_between_a_share_of_the_later_positions_is_visible(self):
        visible = adapt.visible_pairs(1, 5, [0, 3], 64, 0.3)
        later = torch.ones(64, 64).triu(1).bool()
        self.assertTrue(visible[:, ~later].all())
        self.assertAlmostEqual(visible[:, later].float().mean().item(), 0.3, delta=0.02)
        self.assertEqual([adapt.visible_share(p, 0.5) for p in (0.0, 0.25, 0.7)], [0.0, 0.5, 1.0])
        self.assertEqual(adapt.visible_share(0.0, 0.0), 1.0)

    def test_an_autoregressive_checkpoint_in_several_files_is_read(self):
        """As Qwen2.5 is published: config.json says qwen2, an index names the files."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            tensors = export.read_weights(support.tiny_start())
            config = json.loads((support.tiny_start() / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps(config | {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}))
            parts = {f"model-{i}.safetensors": dict(list(tensors.items())[i::2]) for i in range(2)}
            for file, part in parts.items():
                export.write_safetensors(folder / file, part)
            where = {tensor: file for file, part in parts.items() for tensor in part}
            (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
            torch.testing.assert_close(export.load(folder, half=False).rows(self.ids), self.model.rows(self.ids))

    def test_the_shift_needs_no_turning_round(self):
        """The row that an autoregressive model uses for the next token is the one that predicts a masked one."""
        logits = self.model(self.ids, torch.tensor([5]))
        torch.testing.assert_close(logits[0], self.model.rows(self.ids)[0, 4])


class AnswerTest(unittest.TestCase):
    def setUp(self):
        self.examples = [sft.lay_out(e, support.vocabulary()) for e in EXAMPLES]
        self.rng = np.random.default_rng(2)

    def test_the_prompt_is_never_noised(self):
        for example in self.examples:
            for _ in range(50):
                row = sft.answer_row(example, 64, self.rng)
                first, last = len(example.head), len(row) - len(example.tail)
                self.assertTrue(np.array_equal(row.inputs[:first], example.head))
                self.assertTrue(np.array_equal(row.inputs[last:], example.tail))
                masked = row.targets != NOTHING
                self.assertFalse(masked[:first].any() or masked[last:].any())
                self.assertTrue((row.inputs[masked] == MASK).all())

    def test_spare_positions_are_told_to_go_and_weigh_as_one_token(self):
        seen = set()
        for _ in range(60):
            row = sft.answer_row(self.examples[0], 100, self.rng, 1.0)
            spare = row.targets == PAD
            seen.add(int(spare.sum()))
            if spare.any():
                self.assertAlmostEqual(row.weights[spare].sum(), 1.0, places=5)
            self.assertEqual(row.inputs[-1], EOF)
        self.assertGreater(len(seen), 3)

    def test_a_rewrite_shows_the_old_text(self):
        head = self.examples[1].head.tolist()
        old = support.vocabulary().encode("total += 1")
        at = head.index(sft.OLD)
        self.assertEqual(head[at + 1 : at + 1 + len(old)], old)
        self.assertLess(at, head.index(sft.BEFORE))

    def test_what_is_no_example_is_named_with_its_line(self):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "train.jsonl"
            for wrong in ("{", "[]", '{"language": "python"}', '{"language": "latin", "answer": "x"}', '{"language": "c", "answer": 1}'):
                path.write_text(json.dumps(EXAMPLES[0]) + "\n" + wrong + "\n")
                with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
                    sft.read_examples(path, support.vocabulary(), 64)
                self.assertIn("line 2", said.getvalue())

    def test_examples_that_do_not_fit_are_left_out_and_counted(self):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "train.jsonl"
            path.write_text("".join(json.dumps(e | {"before": e["before"] * n}) + "\n" for e in EXAMPLES for n in (1, 40)))
            with contextlib.redirect_stdout(io.StringIO()) as said:
                self.assertEqual(len(sft.read_examples(path, support.vocabulary(), 64)), 2)
            self.assertIn("2 of 4", said.getvalue())


if __name__ == "__main__":
    unittest.main()
