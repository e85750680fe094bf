import contextlib
import io
import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path

from training import half_hour
from training.corpus import Document, write_documents
from training.tests import support

ROOT = Path(__file__).parents[2]
LACUNA = Path(os.environ.get("LACUNA_EXECUTABLE", ROOT / "build" / "cpu-release" / "lacuna"))


class StepsTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lacuna-run-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.said = io.StringIO()
        for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
            hushed = redirect(self.said)
            hushed.__enter__()
            self.addCleanup(hushed.__exit__, None, None, None)

    def test_a_step_that_is_done_is_not_done_again(self):
        calls = []
        for _ in range(2):
            half_hour.Steps(self.folder / "steps.json").do("train", lambda: calls.append(1) or {"loss": 2})
        self.assertEqual(len(calls), 1)
        self.assertEqual(json.loads((self.folder / "steps.json").read_text()), {"train": {"loss": 2}})

    def test_a_step_that_was_left_out_or_stopped_is_made_up_for(self):
        def stopped():
            raise KeyboardInterrupt

        path = self.folder / "steps.json"
        half_hour.Steps(path).do("store", lambda: None)
        with self.assertRaises(KeyboardInterrupt):
            half_hour.Steps(path).do("store", stopped)
        half_hour.Steps(path).do("store", lambda: {"bits": 4})
        self.assertEqual(half_hour.Steps(path).done, {"store": {"bits": 4}})

    def test_a_damaged_list_of_steps_is_one_line(self):
        (self.folder / "steps.json").write_text("{")
        with self.assertRaises(SystemExit):
            half_hour.Steps(self.folder / "steps.json")

    def test_a_damaged_corpus_is_found_before_the_training(self):
        corpus = self.folder / "corpus"
        shutil.copytree(support.encoded_corpus(), corpus, ignore=shutil.ignore_patterns("start", "second"))
        run = support.run(self.folder / "run", corpus=corpus)
        found = half_hour.check(run)
        self.assertEqual(found["pieces"], 900)
        self.assertIn("evaluation will be left out", self.said.getvalue())
        (corpus / "train.u16").write_bytes(b"odd")
        with self.assertRaises(SystemExit):
            half_hour.check(run)

    def test_what_needs_the_executable_or_text_is_left_out_without_them(self):
        run = support.run(self.folder / "run", stage={"bits": 4})
        self.assertIsNone(half_hour.store(run, None))
        self.assertIsNone(half_hour.compare(run, None))
        self.assertIsNone(half_hour.evaluate(run, []))
        self.assertIsNone(half_hour.calibrate(run, None, 1))
        self.assertIsNone(half_hour.measure_holes(run, None, 1))

    def test_the_corpus_of_a_dry_run_is_these_sources(self):
        corpus = half_hour.dry_corpus(self.folder / "corpus")
        self.assertGreater((corpus / "train.u16").stat().st_size, 10_000)
        self.assertGreaterEqual(len((corpus / "held_out.jsonl").read_text().splitlines()), 20)

    @unittest.skipUnless(LACUNA.exists(), "lacuna is not built")
    def test_a_trained_model_is_stored_compared_with_the_engine_and_measured(self):
        corpus = self.folder / "corpus"
        shutil.copytree(support.encoded_corpus(), corpus, ignore=shutil.ignore_patterns("start", "second"))
        texts = [Document("python", "test", f"{i}.py", support.SOURCE) for i in range(20)]
        write_documents(corpus / "held_out.jsonl", texts)
        run = support.run(self.folder / "run", corpus=corpus, stage={"bits": 4, "bits_from": 0.5}, steps=4)
        support.train(run)
        self.assertEqual(half_hour.store(run, LACUNA), {"bits": 4})
        self.assertTrue((run.folder / "stored" / "config.json").exists())
        self.assertLess(half_hour.compare(run, LACUNA)["largest"], 0.01)
        self.assertEqual(half_hour.evaluate(run, half_hour.DRY_QUESTIONS)["line"]["n"], 1)
        self.assertIn("| python |", (run.folder / "evaluation.md").read_text())
        self.assertEqual(half_hour.calibrate(run, LACUNA, 10), {"samples": 10})
        self.assertTrue((run.folder / "stored" / "length_calibration.json").exists())
        self.assertEqual(half_hour.measure_holes(run, LACUNA, 1), {"limit": 1})
        self.assertRegex((run.folder / "holes.md").read_text(), r"\| python +\| auto +\| oracle")


if __name__ == "__main__":
    unittest.main()
