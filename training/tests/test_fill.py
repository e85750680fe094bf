import json
import tempfile
import unittest
from pathlib import Path

import torch

from training import evaluate, export, tasks
from training.corpus import Document
from training.fill import Filler, guess_languages
from training.model import Model, ModelConfig
from training.tasks import Question
from training.tests import support
from training.tokenizer import BOF, EOF, EXPAND, LANGUAGE_ID, MASK, PAD

TINY = ModelConfig(vocabulary=900, width=32, layers=2, heads=2, kv_heads=1, hidden=48)
QUESTION = Question("python", "total = 0\nfor line in lines:\n    ", "total += 1", "\nreturn total\n")


class FillTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.vocabulary()
        torch.manual_seed(2)
        with tempfile.TemporaryDirectory() as folder:
            export.export(Model(TINY), Path(folder), support.folder() / "tokenizer.model", 64)
            cls.filler = Filler.load(Path(folder), None)

    def answer_always(self, token: int) -> Filler:
        """A filler whose model is sure of one token."""

        def predict(ids: list[int], positions: list[int]) -> torch.Tensor:
            return torch.nn.functional.one_hot(torch.tensor([token] * len(positions)), 900) * 0.9 + 0.0001

        filler = Filler(self.filler.model, self.filler.tokenizer, self.filler.ids, self.filler.languages, 64)
        filler.predict = predict
        return filler

    def test_canvas_has_the_marks_and_the_masks(self):
        ids, start = self.filler.canvas(QUESTION, 5)
        self.assertEqual(ids[:2], [BOF, LANGUAGE_ID["python"]])
        self.assertEqual(ids[start : start + 5], [MASK] * 5)
        self.assertEqual((ids.count(MASK), ids[-1]), (5, EOF))

    def test_long_text_fills_the_window_and_has_no_file_marks(self):
        ids, _ = self.filler.canvas(Question("python", "a = 1\n" * 200, "b", "c = 2\n" * 200), 8)
        self.assertLessEqual(len(ids), 64)
        self.assertGreater(len(ids), 60)
        self.assertNotIn(BOF, ids)
        self.assertNotIn(EOF, ids)

    def test_fixed_length_never_deletes(self):
        text = self.filler.fill(QUESTION, 4, grow=False)
        self.assertTrue(text)
        self.assertEqual(self.answer_always(PAD).fill(QUESTION, 4, grow=True), "")

    def test_expand_doubles_until_the_budget_is_spent(self):
        newline = support.pieces().newline
        self.assertEqual(self.answer_always(newline).fill(QUESTION, 3, grow=True), "\n" * 3)
        lengths = []
        filler = self.answer_always(EXPAND)
        seen = filler.predict
        filler.predict = lambda ids, positions: lengths.append(len(ids)) or seen(ids, positions)
        filler.fill(QUESTION, 3, grow=True)
        self.assertEqual(max(lengths) - min(lengths), 3)

    def test_languages_are_found_in_a_vocabulary_without_document_format(self):
        self.assertEqual(guess_languages(support.vocabulary()), LANGUAGE_ID)


class TaskTest(unittest.TestCase):
    def test_questions_put_together_are_the_text(self):
        documents = [Document("python", "p", "a.py", support.SOURCE)]
        for kind in ("identifier", "line"):
            asked = tasks.questions(documents, kind, 20, 1)
            self.assertEqual(len(asked), 20)
            self.assertEqual(asked, tasks.questions(documents, kind, 20, 1))
            for q in asked:
                self.assertEqual((q.before + q.answer + q.after).strip(), support.SOURCE.strip())

    def test_long_canvas_is_longer(self):
        self.assertEqual([evaluate.longer_canvas(n) for n in (1, 8, 20, 32)], [8, 16, 32, 40])


class PlotTest(unittest.TestCase):
    def test_exported_settings_name_every_language(self):
        settings = export.model_settings(TINY, 64, torch.float32)
        self.assertEqual(json.loads(json.dumps(settings))["document_format"]["languages"], LANGUAGE_ID)


if __name__ == "__main__":
    unittest.main()
