import unittest

import numpy as np

from training import batches, data, masks
from training.masks import NOTHING
from training.packing import FILLER
from training.tests import support
from training.tokenizer import BOF, EOF, EXPAND, LANG_ANY, LANGUAGE_ID, MASK, PAD

ROUNDS = 300


def restored(row: masks.Row) -> list[int]:
    """The row with its targets said, <pad> deleted; <expand> stays, it stands for two unknown ids."""
    said = np.where(row.targets == NOTHING, row.inputs, row.targets)
    return [i for i in said.tolist() if i != PAD]


class MaskTest(unittest.TestCase):
    def setUp(self):
        self.rng = np.random.default_rng(3)
        self.window = support.window()
        self.finder = masks.SpanFinder(support.pieces())

    def hole_rows(self):
        for _ in range(ROUNDS):
            row = masks.holes_row(self.window, 256, self.finder, self.rng)
            if row:
                yield row

    def spelled(self, ids: list[int]) -> str:
        """Text of a canvas without its marks."""
        return support.vocabulary().decode([i for i in ids if i not in (BOF, EOF) and i not in LANGUAGE_ID.values()])

    def test_complementary_rows_predict_every_token_once(self):
        first, second = masks.random_rows(self.window, self.rng)
        predicted = (first.targets != NOTHING).astype(int) + (second.targets != NOTHING)
        self.assertTrue((predicted[self.window.first : self.window.end] == 1).all())
        self.assertEqual(predicted.sum(), self.window.end - self.window.first)

    def test_marks_and_position_0_are_never_masked(self):
        rows = [masks.uniform_row(self.window, self.rng) for _ in range(50)] + list(self.hole_rows())
        for row in rows:
            self.assertEqual(row.inputs[:2].tolist(), [BOF, LANGUAGE_ID["python"]])
            self.assertNotIn(EOF, row.targets)

    def test_masked_positions_and_targets_agree(self):
        for row in self.hole_rows():
            self.assertTrue(((row.inputs == MASK) == (row.targets != NOTHING)).all())
            self.assertTrue(((row.weights > 0) == (row.targets != NOTHING)).all())

    def test_holes_without_expand_restore_the_text(self):
        seen = 0
        for row in self.hole_rows():
            if EXPAND not in row.targets:
                # Cut pieces spell the same text with other ids; rows keep what fits behind.
                self.assertTrue(support.SOURCE.startswith(self.spelled(restored(row))[:-8]))
                seen += 1
        self.assertGreater(seen, ROUNDS // 2)

    def test_every_expand_stands_for_two_tokens(self):
        for length in range(2, 30):
            target = tuple(range(100, 100 + length))
            squeezed = masks.squeeze(target, self.rng)
            self.assertIn(EXPAND, squeezed)
            self.assertEqual(len(squeezed) + squeezed.count(EXPAND), length)

    def test_pads_close_the_hole_and_weigh_one_token_together(self):
        hole = masks.Hole(10, 15, (100, 101, 102, 103, 104))
        seen = 0
        for _ in range(ROUNDS):
            row = masks.hole_row(hole, 40, self.rng)
            pads = np.flatnonzero(row.targets == PAD)
            if len(pads):
                self.assertEqual(pads.tolist(), list(range(5, len(row))))
                self.assertAlmostEqual(float(row.weights[pads].sum()), 1.0, places=5)
                seen += 1
        self.assertGreater(seen, ROUNDS // 4)

    def test_rows_never_exceed_the_length(self):
        self.assertLessEqual(max(map(len, self.hole_rows())), 256)

    def test_words_are_found_whole(self):
        spans = {self.finder.word(self.window, self.rng) for _ in range(ROUNDS)} - {None}
        words = {support.vocabulary().decode(self.window.ids[a:b].tolist()).strip() for a, b in spans}
        self.assertTrue({"count_words", "number"} <= words, words)

    def test_blocks_are_the_deeper_lines(self):
        spans = {self.finder.block(self.window, self.rng) for _ in range(ROUNDS)}
        texts = {support.vocabulary().decode(self.window.ids[a:b].tolist()) for a, b in spans}
        self.assertIn("total += len(line.split())", texts)


class WindowTest(unittest.TestCase):
    def setUp(self):
        self.rng = np.random.default_rng(4)
        self.document = np.array([BOF, LANGUAGE_ID["go"], *range(100, 300), EOF])

    def test_windows_are_laid_out_like_the_canvas(self):
        for _ in range(300):
            window = data.window_of(self.document, 64, self.rng)
            ids = window.ids.tolist()
            language = ids[window.first - 1]
            self.assertIn(language, (LANG_ANY, LANGUAGE_ID["go"]))
            self.assertEqual(ids[0] == BOF, window.first == 2)
            self.assertEqual(ids[0] == BOF, ids[window.first] == 100)
            self.assertEqual(ids[-1] == EOF, window.end == len(ids) - 1)
            self.assertEqual(len(ids), 64)

    def test_short_document_is_one_window_with_both_marks(self):
        for length in (203, 204, 300):
            window = data.window_of(self.document, length, self.rng)
            self.assertEqual((window.ids[0], window.ids[-1], len(window.ids)), (BOF, EOF, 203))

    def test_stack_hides_the_filler_and_nothing_else(self):
        rows = [masks.uniform_row(data.window_of(self.document, n, self.rng), self.rng) for n in (40, 64)]
        batch = batches.stack(rows, 64)
        self.assertEqual((batch.packing.documents[0] == FILLER).tolist(), [False] * 40 + [True] * 24)
        self.assertFalse((batch.packing.documents[1] == FILLER).any())
        self.assertEqual(batch.tokens, 104)
        self.assertEqual(len(batch.positions), sum(int((r.targets != NOTHING).sum()) for r in rows))

    def test_the_bound_weighs_each_target_by_one_over_the_masked_share(self):
        window = data.window_of(self.document, 203, self.rng)
        rules = masks.BoundRules(0.0, 0.0)
        shares, sums = [], []
        for _ in range(300):
            row = masks.bound_row(window, self.rng, rules)
            masked = row.targets != NOTHING
            self.assertEqual(row.norm, masked.sum())
            if masked.any():
                shares.append(1 / row.weights[masked][0])
                sums.append(row.weights.sum())
        self.assertAlmostEqual(np.mean(shares), 0.5, delta=0.06)
        self.assertAlmostEqual(np.mean(sums) / (window.end - window.first), 1.0, delta=0.1)

    def test_a_clean_prefix_is_not_masked(self):
        window = data.window_of(self.document, 203, self.rng)
        first = [int(np.argmax(masks.bound_row(window, self.rng, masks.BoundRules(0.0, 1.0)).targets != NOTHING)) for _ in range(40)]
        self.assertGreater(np.mean(first), 50)


if __name__ == "__main__":
    unittest.main()
