import unittest
import unittest.mock

import numpy as np
import torch

from training import attention, batches, golden, masks, packing, probe, sft
from training.batches import Shape, join, make_pair
from training.loss import weighted_cross_entropy
from training.masks import NOTHING, Row
from training.model import Model
from training.packing import FILLER, Packing

DOCUMENTS = torch.tensor([[0] * 5 + [1] * 7, [0] * 9 + [FILLER] * 3])
ALONE = ((0, 0, 5), (0, 5, 12), (1, 0, 9))  # row, start, end


def made_row(length: int, seed: int) -> Row:
    rng = np.random.default_rng(seed)
    return masks.masked_row(masks.Window(rng.integers(20, 96, length), 1, length), np.arange(length) % 3 == 1)


class PackedModelTest(unittest.TestCase):
    def setUp(self):
        self.model: Model = golden.random_model()
        self.ids = torch.randint(20, 96, (2, 12), generator=torch.Generator().manual_seed(1))

    def test_logits_of_a_packed_document_are_those_of_the_document_alone(self):
        together = self.model.rows(self.ids, Packing(DOCUMENTS))
        for row, start, end in ALONE:
            alone = self.model.rows(self.ids[row : row + 1, start:end])[0]
            torch.testing.assert_close(together[row, start:end], alone, rtol=1e-5, atol=1e-5)

    def test_without_packing_documents_would_see_each_other(self):
        together = self.model.rows(self.ids)
        alone = self.model.rows(self.ids[:1, :5])[0]
        self.assertFalse(torch.allclose(together[0, :5], alone, rtol=1e-3, atol=1e-3))

    def test_loss_and_gradient_of_packed_rows_are_those_of_the_rows_alone(self):
        rows = [made_row(n, n) for n in (11, 9, 14, 6)]
        packed = join([batches.pack([rows[:2], rows[2:]], 24)])
        results = []
        for parts in ([packed], [batches.stack([row], len(row)) for row in rows]):
            self.model.zero_grad(set_to_none=True)
            norm, total = sum(p.norm for p in parts), 0.0
            for part in parts:
                logits = self.model(part.ids, part.positions, part.packing)
                loss = weighted_cross_entropy(logits, part.targets, part.weights, norm)
                loss.backward()
                total += loss.item()
            results.append((total, [p.grad.clone() for p in self.model.parameters()]))
        self.assertAlmostEqual(results[0][0], results[1][0], places=5)
        for ours, theirs in zip(results[0][1], results[1][1]):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)

    def test_the_probe_scores_filled_rows_as_the_rows_alone(self):
        rows = [made_row(n, n) for n in (11, 24, 17)]
        right, bits, count = probe.score(self.model, batches.stack(rows, 24))
        alone = [probe.score(self.model, batches.stack([row], len(row))) for row in rows]
        self.assertEqual((right, count), (sum(a[0] for a in alone), sum(a[2] for a in alone)))
        self.assertAlmostEqual(bits, sum(a[1] for a in alone), places=3)

    def test_the_first_position_of_a_packed_document_cannot_be_predicted(self):
        with self.assertRaises(ValueError):
            self.model(self.ids, torch.tensor([5]), Packing(DOCUMENTS))
        self.model(self.ids, torch.tensor([6]), Packing(DOCUMENTS))


class PackingTest(unittest.TestCase):
    def test_places_restart_with_every_document(self):
        self.assertEqual(Packing(DOCUMENTS).places.tolist(), [[*range(5), *range(7)], [*range(9), *range(3)]])

    def test_bounds_are_the_documents_of_the_flattened_batch(self):
        self.assertEqual(Packing(DOCUMENTS).bounds.tolist(), [0, 5, 12, 21, 24])

    def test_rows_of_one_document_have_filler_behind_it(self):
        self.assertEqual(packing.of_lengths([2, 3], 3).tolist(), [[0, 0, FILLER], [0, 0, 0]])


class KernelTest(unittest.TestCase):
    """The kernels that this version of torch has agree with the plain one, gradients included."""

    def test_sdpa_agrees_where_it_exists(self):
        if not hasattr(torch.nn.functional, "scaled_dot_product_attention"):
            self.assertIn("AttributeError", attention.complaint("sdpa", torch.device("cpu"), torch.float32, False))
        else:
            self.assertIsNone(attention.complaint("sdpa", torch.device("cpu"), torch.float32, False))

    def test_a_kernel_that_fails_is_named_and_the_plain_one_taken(self):
        # On a processor there is no variable-length FlashAttention in any version.
        kernel, refused = attention.choose("varlen", torch.device("cpu"), torch.float32, False)
        self.assertEqual(kernel, "plain")
        self.assertTrue(refused[0].startswith("varlen ("))

    def test_a_kernel_that_is_wrong_is_refused(self):
        broken = attention.KERNELS | {"sdpa": lambda q, k, v, packing: attention.plain(q, k, v, None)}
        with unittest.mock.patch.object(attention, "KERNELS", broken):
            self.assertIn("differs", attention.complaint("sdpa", torch.device("cpu"), torch.float32, False))

    def test_masks_within_documents_need_a_dense_mask(self):
        visible = torch.ones(2, 12, 12, dtype=torch.bool)
        self.assertEqual(attention.with_kernel(Packing(DOCUMENTS, visible), "varlen").kernel, "sdpa")
        self.assertEqual(attention.with_kernel(Packing(DOCUMENTS), "varlen").kernel, "varlen")


class Rows:
    """A source of rows of random lengths, every other one with a twin."""

    def draw(self, rng, room, twin_room, progress):
        length = int(rng.integers(8, 40))
        if length > room:
            return []
        twins = 1 + (rng.random() < 0.5 and length <= twin_room)
        return [made_row(length, int(rng.integers(1000)))] * twins


class PairTest(unittest.TestCase):
    def test_rows_are_full_but_for_less_than_the_smallest_room(self):
        for seed in range(20):
            pair = make_pair(Rows(), [1, seed], Shape(2, 128, 64), 0.0)
            room = (pair.documents == FILLER).sum(1)
            self.assertLess(room.max(), batches.SMALLEST_ROOM + 40)
            self.assertTrue((pair.targets[pair.documents == FILLER] == NOTHING).all())

    def test_a_source_that_has_nothing_that_fits_leaves_filler(self):
        class Nothing:
            def draw(self, *_):
                return []

        self.assertTrue((make_pair(Nothing(), [1], Shape(2, 64, 64), 0.0).documents == FILLER).all())

    def test_a_pair_depends_on_its_number_only(self):
        one, again, other = (make_pair(Rows(), [1, 7, n], Shape(2, 128, 64), 0.0) for n in (3, 3, 4))
        self.assertTrue(np.array_equal(one.ids, again.ids))
        self.assertFalse(np.array_equal(one.ids, other.ids))

    def test_processes_share_the_pairs_of_a_step(self):
        shares = [batches.pairs_of(Shape(12, 8, 8), p, 3) for p in range(3)]
        self.assertEqual(sorted(n for share in shares for n in share), list(range(6)))

    def test_answers_of_examples_are_packed_with_their_marks(self):
        example = sft.Example(np.array([5, 7, 17, 30]), np.array([40, 41, 42]), np.array([50, 3]))
        pair = make_pair(sft.AnswerSource([example]), [1], Shape(2, 64, 64), 0.0)
        starts = Packing(torch.from_numpy(pair.documents.astype(np.int64))).starts.numpy() & (pair.documents >= 0)
        self.assertTrue((pair.ids[starts] == 5).all())
        self.assertGreater(starts.sum(), 2)


if __name__ == "__main__":
    unittest.main()
