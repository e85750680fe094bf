"""A run that is stopped goes on as if it had not been; what was finished is never lost."""

import contextlib
import csv
import dataclasses
import io
import resource
import shutil
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import torch

from training import checkpoint, export, pretrain, settings, shards
from training.loader import Loader, Order
from training.masks import Mixture
from training.model import Model
from training.settings import Run, Stage, make_stage
from training.tests import support
from training.tests.support import same, train
from training.trainer import Trainer


class FolderTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lacuna-run-"))
        self.addCleanup(shutil.rmtree, self.folder)


class KillTest(FolderTest):
    def check_killed_run(self, **options):
        unbroken = train(support.run(self.folder / "unbroken", **options))
        killed = support.run(self.folder / "killed", **options, save_seconds=0)
        saved = killed.folder / "checkpoint.pt"
        support.kill_when(saved.exists, train, killed)
        step = checkpoint.read(saved)["progress"]["step"]
        self.assertTrue(0 < step < 10, step)
        self.assertTrue(same(train(killed), unbroken))

    def test_pretraining_that_is_killed_ends_with_the_weights_of_the_unbroken_run(self):
        self.check_killed_run()

    def test_a_quantisation_aware_end_that_is_killed_does_too(self):
        """The lines that weights are rounded to are searched now and then, and kept in the checkpoint."""
        self.check_killed_run(stage={"bits": 4, "bits_from": 0.0})

    def test_batches_made_ahead_are_the_same_after_a_resume(self):
        unbroken = train(support.run(self.folder / "unbroken"))
        killed = support.run(self.folder / "killed", save_seconds=0)
        support.kill_when((killed.folder / "checkpoint.pt").exists, train, killed)
        self.assertTrue(same(train(dataclasses.replace(killed, loaders=1)), unbroken))


class KeptCheckpointTest(FolderTest):
    def test_a_run_goes_on_exactly_from_the_checkpoint_before_its_cool_down(self):
        unbroken = train(support.run(self.folder / "run"))
        again = support.run(self.folder / "again")
        again.folder.mkdir()
        shutil.copyfile(self.folder / "run" / "before_cooldown.pt", again.folder / "checkpoint.pt")
        self.assertEqual(checkpoint.read(again.folder / "checkpoint.pt")["progress"]["step"], 7)
        self.assertTrue(same(train(again), unbroken))

    def test_the_best_checkpoint_is_the_one_with_the_least_surprise(self):
        surprises = iter([3.0, 2.0, 2.5, 2.2, 2.1, 2.4, 2.6])
        run = support.run(self.folder / "run", steps=6, probe_seconds=0)
        with unittest.mock.patch("training.probe.Probe.measure", lambda *_: {"token_bits": next(surprises)}):
            train(run)
        best = checkpoint.read(run.folder / "best.pt")
        self.assertEqual((best["progress"]["best"], best["progress"]["step"]), (2.0, 2))
        self.assertEqual(checkpoint.read(run.folder / "checkpoint.pt")["progress"]["best"], 2.0)
        exported = export.load(run.folder / "best").embedding.weight
        self.assertTrue(torch.equal(exported, best["model"]["embedding.weight"].to(torch.bfloat16).float()))

    def test_a_new_run_starts_from_a_kept_checkpoint_with_its_momentum(self):
        train(support.run(self.folder / "run"))
        kept = checkpoint.read(self.folder / "run" / "before_cooldown.pt")
        new = Trainer(support.run(self.folder / "new", start=self.folder / "run" / "before_cooldown.pt"))
        self.assertEqual(new.state.step, 0)
        self.assertTrue(torch.equal(new.muon.buffers[0], kept["muon"]["buffers"][0]))
        self.assertTrue(torch.equal(new.model.norm.weight, kept["model"]["norm.weight"]))

    def test_a_checkpoint_of_another_shape_is_refused(self):
        other = Model(dataclasses.replace(support.TINY, layers=1))
        subject = Trainer(support.run(self.folder))
        wrong = Trainer(support.run(self.folder), model=other)
        checkpoint.save(self.folder / "checkpoint.pt", wrong.model, wrong.muon, wrong.adam, wrong.state)
        with self.assertRaises(SystemExit):
            subject.restore(self.folder / "checkpoint.pt")

    def test_a_damaged_checkpoint_is_one_clear_error(self):
        (self.folder / "checkpoint.pt").write_bytes(b"PK nothing")
        with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
            checkpoint.read(self.folder / "checkpoint.pt")
        self.assertEqual(said.getvalue().count("\n"), 1)


def train_limited(run: Run, size: int, out: Path) -> None:
    with out.open("w") as said, contextlib.redirect_stderr(said):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        train(run)


class ShortageTest(FolderTest):
    def limited(self, run, size: int) -> tuple[int, str]:
        """Exit code and messages of a run that may write files of at most `size` bytes."""
        out = self.folder / "said"
        process = support.processes().Process(target=train_limited, args=(run, size, out))
        process.start()
        process.join()
        return process.exitcode, out.read_text()

    def test_a_full_disk_loses_no_checkpoint_and_is_one_line_at_the_end(self):
        first = train(support.run(self.folder / "run", steps=4))
        code, said = self.limited(support.run(self.folder / "run", steps=8), 40_000)
        self.assertEqual(code, 1)
        self.assertIn("cannot be written", said)
        self.assertIn("before is still there", said)
        self.assertEqual(said.splitlines()[-1][:7], "error: ")
        self.assertTrue(same(checkpoint.read(self.folder / "run" / "checkpoint.pt"), first))
        self.assertEqual(list((self.folder / "run").glob("**/*.tmp")), [])
        export.load(self.folder / "run" / "export")

    def test_a_full_disk_in_the_middle_is_a_warning_and_training_goes_on(self):
        run, calls = support.run(self.folder / "run", save_seconds=0), []
        write = checkpoint.write

        def full_at_first(path, state):
            calls.append(path)
            if len(calls) < 4:
                raise OSError(28, "No space left on device", str(path))
            write(path, state)

        with unittest.mock.patch.object(checkpoint, "write", full_at_first), contextlib.redirect_stderr(io.StringIO()) as said:
            done = train(run)
        self.assertEqual(done["progress"]["step"], 10)
        self.assertEqual(said.getvalue().count("warning: "), 3)

    def test_out_of_memory_halves_the_rows_of_a_pass(self):
        forward, rows = Model.forward, []

        def needs_much(model, ids, positions, packing=None):
            rows.append(len(ids))
            if len(ids) > 2:
                raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
            return forward(model, ids, positions, packing)

        run = support.run(self.folder / "run", steps=2)
        with unittest.mock.patch.object(Model, "forward", needs_much), contextlib.redirect_stderr(io.StringIO()) as said:
            with unittest.mock.patch("training.probe.Probe.measure", lambda *_: {}):
                done = train(run)
        self.assertEqual(rows, [4, 2, 2, 2, 2])
        self.assertEqual(said.getvalue(), "out of memory with 4 rows of a pass; going on with 2\n")
        self.assertEqual(done["progress"]["micro_rows"], 2)

    def test_gradients_do_not_depend_on_the_rows_of_a_pass(self):
        found = []
        for micro_rows in (0, 2):
            subject = Trainer(support.run(self.folder, half=False, micro_rows=micro_rows))
            order = Order(0, subject.stage.batch_shape(0.0), 0.0, (0, 1))
            source = Loader(subject.run)
            source.order(order)
            subject.step(order, source.take()[1], 0.0)
            found.append([p.grad.clone() for p in subject.parameters])
        for ours, theirs in zip(*found):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)

    def test_out_of_memory_with_the_fewest_rows_is_one_line(self):
        def never(*_):
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

        with unittest.mock.patch.object(Model, "forward", never), contextlib.redirect_stderr(io.StringIO()) as said:
            with self.assertRaises(SystemExit):
                train(support.run(self.folder))
        self.assertIn("error: out of memory with 2 rows", said.getvalue().splitlines()[-1])

    def test_a_corrupt_shard_is_one_line_and_leaves_checkpoints_alone(self):
        corpus, packed = support.encoded_corpus(), self.folder / "shards"
        packed.mkdir()
        for name in shards.NAMES:
            with contextlib.redirect_stdout(io.StringIO()):
                shards.write(corpus, name, packed, 500, None)
        shutil.copyfile(corpus / "tokenizer.model", packed / "tokenizer.model")
        run = support.run(self.folder / "run", corpus=packed)
        run.folder.mkdir()
        with contextlib.redirect_stderr(io.StringIO()):
            pretrain.check(run)
        done = train(run)
        self.assertTrue(same(done, train(support.run(self.folder / "plain"))))
        for path in packed.glob("*.u16"):
            path.unlink()
        whole = (packed / "train.001.xz").read_bytes()
        (packed / "train.001.xz").write_bytes(whole[:-5] + b"wrong")
        with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
            pretrain.check(run)
        self.assertIn("train.001.xz: shard is damaged", said.getvalue())
        self.assertEqual(said.getvalue().count("\n"), 1)
        self.assertTrue(same(checkpoint.read(run.folder / "checkpoint.pt"), done))


class RunTest(FolderTest):
    def test_training_learns_and_writes_its_curves(self):
        run = support.run(self.folder, steps=40)
        with unittest.mock.patch.object(pretrain, "LOG_EVERY", 10):
            train(run)
        with (self.folder / "log.csv").open() as lines:
            rows = list(csv.DictReader(lines))
        self.assertEqual([r["step"] for r in rows], ["10", "20", "30", "40"])
        self.assertLess(float(rows[-1]["loss"]), float(rows[0]["loss"]) - 0.3)
        self.assertGreater(float(rows[-1]["tokens_per_second"]), 0)
        self.assertGreater(float(rows[-1]["mfu"]), 0)
        self.assertTrue((self.folder / "held_out.csv").exists())

    def test_a_run_by_minutes_ends_when_they_are_over(self):
        done = train(support.run(self.folder, seconds=0.5))
        self.assertGreaterEqual(done["progress"]["elapsed"], 0.5)
        again = train(support.run(self.folder, seconds=0.5))
        self.assertEqual(again["progress"]["step"], done["progress"]["step"])

    def test_a_run_starts_from_the_weights_of_an_exported_model(self):
        ours = Trainer(support.run(self.folder)).parameters
        for one, other in zip(ours, export.load(support.tiny_start()).parameters()):
            self.assertTrue(torch.equal(one, other))

    def test_weights_that_were_trained_get_all_their_holes_at_once(self):
        stage = Stage()
        self.assertAlmostEqual(stage.mixture(started=True).holes(0.0), Mixture().holes(1.0))
        self.assertEqual(stage.mixture(started=False), Mixture())

    def test_a_corpus_of_another_vocabulary_is_refused(self):
        (self.folder / "tokenizer.model").write_bytes(b"another one")
        with self.assertRaises(SystemExit):
            pretrain.check(support.run(self.folder, tokenizer=self.folder / "tokenizer.model"))

    def test_loader_processes_make_the_pairs_that_are_made_without_them(self):
        order = Order(3, Stage(rows=8, row=64, window=64).batch_shape(0.0), 0.1, (0, 2, 3))
        made = []
        for processes in (0, 2):
            subject = Loader(support.run(self.folder, loaders=processes))
            subject.order(order)
            made.append(subject.take()[1])
            subject.close()
        for ours, theirs in zip(*made, strict=True):
            self.assertTrue((ours.ids == theirs.ids).all() and (ours.targets == theirs.targets).all())


class StageTest(unittest.TestCase):
    def test_rate_warms_up_stays_and_falls_to_almost_nothing(self):
        stage = Stage(warm_up=2)
        self.assertEqual(stage.rate(0, 0.0), 0.5)
        self.assertEqual(stage.rate(5, 0.5), 1.0)
        self.assertAlmostEqual(stage.rate(99, 0.8), 0.5)
        self.assertLess(stage.rate(99, 0.999), 0.02)

    def test_a_cosine_ends_at_its_last_rate(self):
        stage = Stage(warm_up=2, decay="cosine", rate_end=0.1)
        self.assertAlmostEqual(stage.rate(9, 0.5), 0.55)
        self.assertAlmostEqual(stage.rate(9, 1.0), 0.1)

    def test_long_windows_keep_the_number_of_tokens(self):
        stage = Stage(rows=4, row=64, window=64, long_window=128)
        self.assertEqual(dataclasses.astuple(stage.batch_shape(0.1)), (4, 64, 64))
        self.assertEqual(dataclasses.astuple(stage.batch_shape(0.9)), (2, 128, 128))

    def test_every_stage_that_is_shipped_can_be_read(self):
        names = [p.stem for p in settings.STAGES.glob("*.toml")]
        self.assertGreaterEqual(len(names), 6)
        for name in names:
            if name != "grpo":
                settings.read_stage(name, [])

    def test_a_stage_extends_another_and_the_command_line_changes_both(self):
        stage = settings.read_stage("midtrain", ["rows=8", "decay=linear"])
        self.assertEqual((stage.objective, stage.adam_rate, stage.rows, stage.decay), ("bound", 1e-5, 8, "linear"))

    def test_what_does_not_fit_is_one_line(self):
        wrong = ({"rows": 3}, {"rows": "3"}, {"colour": 1}, {"window": 4096}, {"bits": 5}, {"optimiser": "sgd"}, {"blend": {"main": [0.0, 1.0]}})
        for values in wrong:
            with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
                make_stage(values, "test")
            self.assertEqual(said.getvalue().count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
