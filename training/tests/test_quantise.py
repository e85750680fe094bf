import contextlib
import io
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import torch

from training import export, golden, parity, quantise
from training.quantise import RoundedWeights
from training.tests import support

ROOT = Path(__file__).parents[2]
LACUNA = Path(os.environ.get("LACUNA_EXECUTABLE", ROOT / "build" / "cpu-release" / "lacuna"))
built = unittest.skipUnless(LACUNA.exists(), "lacuna is not built")


class RoundingTest(unittest.TestCase):
    def setUp(self):
        self.weight = torch.randn(12, 64, generator=torch.Generator().manual_seed(3))

    def test_8_bits_miss_by_half_a_step_at_most(self):
        rounded = quantise.round_8(self.weight)
        step = self.weight.abs().amax(1, keepdim=True) / 127
        self.assertTrue(((rounded - self.weight).abs() <= step * 0.5001).all())

    def test_4_bits_have_16_values_in_a_group_and_lose_little(self):
        rounded = quantise.round_4(self.weight, 32)
        for group in rounded.reshape(-1, 32):
            self.assertLessEqual(len(group.unique()), 16)
        self.assertLess(((rounded - self.weight).square().mean() / self.weight.square().mean()).sqrt().item(), 0.1)

    def test_rounded_twice_is_rounded_once(self):
        once = quantise.round_8(self.weight)
        torch.testing.assert_close(quantise.round_8(once), once)

    def test_a_row_of_zeros_stays(self):
        zeros = torch.zeros(2, 32)
        self.assertTrue(torch.equal(quantise.round_8(zeros), zeros))
        self.assertTrue(torch.equal(quantise.round_4(zeros, 32), zeros))


class FinishTest(unittest.TestCase):
    """Quantisation-aware training: rounded weights in the passes, unrounded ones in the optimiser."""

    def setUp(self):
        self.model, self.ids = golden.random_model(), torch.tensor([golden.cases()[1]])

    def test_passes_see_rounded_weights_and_the_optimiser_the_others(self):
        before = {n: p.detach().clone() for n, p in self.model.named_parameters()}
        rounding = RoundedWeights(self.model, bits=4, group=8)
        with rounding.held(0):
            inside = {n: p.detach().clone() for n, p in self.model.named_parameters()}
            self.model.rows(self.ids).square().mean().backward()
        for name, parameter in self.model.named_parameters():
            self.assertTrue(torch.equal(parameter, before[name]))
            self.assertEqual(torch.equal(inside[name], before[name]), parameter.ndim == 1, name)
            self.assertIsNotNone(parameter.grad)
        torch.testing.assert_close(inside["embedding.weight"], quantise.round_8(before["embedding.weight"]))

    def test_it_learns_weights_that_suit_rounding(self):
        """Trained through its rounding, the rounded model comes nearer to what it should say."""
        target = self.model.rows(self.ids).detach()
        rounding = RoundedWeights(self.model, bits=4, group=8, refresh=1)
        optimiser, losses = torch.optim.Adam(self.model.parameters(), 5e-4), []
        for step in range(40):
            optimiser.zero_grad()
            with rounding.held(step):
                loss = (self.model.rows(self.ids) - target).square().mean()
                loss.backward()
            optimiser.step()
            losses.append(loss.item())
        self.assertLess(min(losses[-3:]), 0.6 * losses[0])

    def test_other_widths_are_refused(self):
        with self.assertRaises(ValueError):
            RoundedWeights(self.model, bits=3)
        with self.assertRaises(ValueError):
            quantise.round_4(torch.zeros(2, 20), 32)


@built
class EngineTest(unittest.TestCase):
    """Rounding here and in the files that the engine writes."""

    def setUp(self):
        self.model = golden.random_model()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        export.export(self.model, self.folder / "model", None, 64, torch.float32)

    def engine_answers(self, bits: int) -> torch.Tensor:
        with contextlib.redirect_stdout(io.StringIO()):
            quantise.store(LACUNA, self.folder / "model", self.folder / "small", bits, 8)
        ids = golden.cases()[1]
        return parity.engine_logits(LACUNA, self.folder / "small", ids, list(range(1, len(ids))))

    def test_a_model_held_in_rounded_weights_answers_as_the_stored_one(self):
        ids = golden.cases()[1]
        for bits in (8, 4):
            with RoundedWeights(self.model, bits, group=8).held(0):
                ours = parity.trainer_logits(self.model, ids, list(range(1, len(ids))))
            theirs = self.engine_answers(bits)
            torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-3)
            plain = parity.trainer_logits(self.model, ids, list(range(1, len(ids))))
            self.assertGreater((plain - theirs).abs().max().item(), 0.02)
            shutil.rmtree(self.folder / "small")

    def test_an_existing_folder_is_one_clear_error(self):
        (self.folder / "out").mkdir()
        with self.assertRaises(SystemExit):
            quantise.store(LACUNA, self.folder / "model", self.folder / "out", 8)


class ParityTest(unittest.TestCase):
    def test_masks_are_spread_over_a_window(self):
        ids, positions = parity.masked(list(range(100, 130)), 1)
        self.assertEqual(positions, [3, 11, 19, 27])
        self.assertEqual([i for i, token in enumerate(ids) if token == 1], positions)

    def test_long_texts_are_seen_in_part_and_short_rests_left_out(self):
        self.assertEqual([len(w) for w in parity.windows([7] * 1000, 64)], [64] * 4)
        self.assertEqual([len(w) for w in parity.windows([7] * 70, 64)], [64])

    def test_differences_are_found(self):
        ours = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
        same = parity.difference(ours, ours)
        self.assertEqual((same.largest, same.same_token, same.divergence), (0.0, 1.0, 0.0))
        other = parity.difference(ours, torch.tensor([[0.0, 1.0], [0.0, 0.5]]))
        self.assertEqual((other.largest, other.same_token), (2.0, 0.5))
        self.assertGreater(other.divergence, 0.1)

    @built
    def test_engine_and_trainer_agree_on_the_model_that_ships(self):
        result = parity.compare(LACUNA, ROOT / "models" / "lacuna-small", [support.SOURCE], 64)
        self.assertGreater(result.positions, 15)
        self.assertLess(result.largest, 2e-3)
        self.assertEqual(result.same_token, 1)


if __name__ == "__main__":
    unittest.main()
