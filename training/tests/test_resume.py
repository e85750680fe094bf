import dataclasses
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from training import checkpoint, export, pretrain
from training.batches import BatchMaker
from training.data import Corpus
from training.masks import Mixture, SpanFinder
from training.model import ModelConfig
from training.tests import support

TINY = ModelConfig(vocabulary=900, width=32, layers=2, heads=2, kv_heads=1, hidden=48)


def trainer() -> pretrain.Trainer:
    settings = pretrain.Settings(Path(), Path(), until=0, workers=1, rows=4, length=64, long_length=128, warm_up=2)
    return pretrain.Trainer(settings, TINY, 0)


def train(subject: pretrain.Trainer, batches: BatchMaker, steps: range) -> list[float]:
    return [subject.step(batches, step / 10, float(step)) for step in steps]


class ResumeTest(unittest.TestCase):
    def setUp(self):
        support.vocabulary()
        corpus = Corpus(support.encoded_corpus(), "train", 64)
        self.batches = BatchMaker(corpus, SpanFinder(support.pieces()), Mixture(), 1, 0)

    def test_resumed_run_equals_the_unbroken_one(self):
        unbroken = trainer()
        train(unbroken, self.batches, range(10))
        first, second = trainer(), trainer()
        train(first, self.batches, range(6))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.pt"
            checkpoint.save(path, first.model, first.muon, first.adam, first.state)
            second.state = checkpoint.restore(path, second.model, second.muon, second.adam)
        self.assertEqual(second.state.step, 6)
        train(second, self.batches, range(6, 10))
        self.assertEqual(vars(second.state), vars(unbroken.state))
        for ours, theirs in zip(second.parameters, unbroken.parameters):
            self.assertTrue(torch.equal(ours, theirs))

    def test_a_run_starts_from_the_weights_of_an_exported_model(self):
        first = trainer()
        train(first, self.batches, range(2))
        with tempfile.TemporaryDirectory() as folder:
            export.export(first.model, Path(folder), None, 64, torch.float32)
            settings = dataclasses.replace(first.settings, start=Path(folder))
            second = pretrain.Trainer(settings, export.load(Path(folder)).config, 0)
        for ours, theirs in zip(second.parameters, first.parameters):
            self.assertTrue(torch.equal(ours, theirs))
        self.assertAlmostEqual(settings.mixture().holes(0.0), Mixture().holes(1.0))

    def test_a_start_with_another_vocabulary_is_refused(self):
        corpus = support.encoded_corpus()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "tokenizer.model").write_bytes(b"another one")
            settings = pretrain.Settings(corpus, Path(), until=0, start=Path(folder))
            with self.assertRaises(SystemExit):
                pretrain.check_start(settings)

    def test_training_learns(self):
        losses = train(trainer(), self.batches, range(9))
        self.assertLess(np.mean(losses[-2:]), losses[0] - 0.3)

    def test_checkpoint_of_another_shape_is_refused(self):
        subject = trainer()
        other = pretrain.Trainer(subject.settings, dataclasses.replace(TINY, layers=1), 0)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.pt"
            checkpoint.save(path, other.model, other.muon, other.adam, other.state)
            with self.assertRaises(SystemExit):
                checkpoint.restore(path, subject.model, subject.muon, subject.adam)


class ScheduleTest(unittest.TestCase):
    def test_rate_warms_up_stays_and_falls_to_almost_nothing(self):
        settings = trainer().settings
        self.assertEqual(settings.rate(0, 0.0), 0.5)
        self.assertEqual(settings.rate(5, 0.5), 1.0)
        self.assertAlmostEqual(settings.rate(99, 0.8), 0.5)
        self.assertLess(settings.rate(99, 0.999), 0.02)

    def test_long_windows_keep_the_number_of_tokens(self):
        settings = trainer().settings
        self.assertEqual(settings.shape(0.1), (4, 64))
        self.assertEqual(settings.shape(0.9), (2, 128))


if __name__ == "__main__":
    unittest.main()
