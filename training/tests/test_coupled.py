import json
import unittest
from pathlib import Path

import numpy as np
import torch

from training import coupled
from training.coupled import CoupledMask, LossSettings

DATA = Path(__file__).parent / "data"


def close(ours: torch.Tensor, theirs: list, tolerance: float = 2e-5) -> None:
    torch.testing.assert_close(ours, torch.tensor(theirs), rtol=tolerance, atol=tolerance)


class PublishedCodeTest(unittest.TestCase):
    """coupled_grpo_upstream.json was made by running the published functions (apple/ml-diffucoder)."""

    def setUp(self):
        self.cases = json.loads((DATA / "coupled_grpo_upstream.json").read_text())
        self.assertEqual(len(self.cases), 3)

    def log_probabilities(self, case: dict) -> torch.Tensor:
        rows = coupled.log_probabilities_of(torch.tensor(case["logits"]), torch.tensor(case["labels"]).repeat(3, 1))
        mask = CoupledMask(case["mask_ratio"], torch.tensor(case["mask"], dtype=torch.bool))
        return coupled.coupled_log_probabilities(*rows.chunk(3), mask)

    def test_log_probabilities_weigh_a_token_by_the_share_of_its_mask(self):
        for case in self.cases:
            close(self.log_probabilities(case), case["per_token_logps"])

    def test_advantages_leave_the_own_reward_out(self):
        for case in self.cases:
            rewards = torch.tensor(case["rewards"])
            close(coupled.leave_one_out(rewards, len(rewards)), case["advantages_loo"])

    def test_divergence_is_k3(self):
        for case in self.cases:
            close(coupled.k3_divergence(self.log_probabilities(case), torch.tensor(case["ref"])), case["per_token_kl"])

    def test_loss_is_the_mean_over_all_kept_tokens_of_the_batch(self):
        for case in self.cases:
            parts = coupled.grpo_loss(
                self.log_probabilities(case),
                torch.tensor(case["old"]),
                torch.tensor(case["ref"]),
                torch.tensor(case["advantages_loo"]),
                torch.tensor(case["completion_mask"]),
                LossSettings(case["epsilon"], case["beta"]),
            )
            close(parts.loss, case["loss"])


class SecondReferenceTest(unittest.TestCase):
    """coupled_grpo.json: the same formulas on other tensors, with kept tokens of unequal number."""

    def test_log_probabilities_divergence_and_loss_agree(self):
        for case in json.loads((DATA / "coupled_grpo.json").read_text())["cases"]:
            targets = torch.tensor(case["targets"])
            names = ("logits_fully_masked", "logits_masked_p", "logits_masked_complement")
            rows = [coupled.log_probabilities_of(torch.tensor(case[name]), targets) for name in names]
            ours = coupled.coupled_log_probabilities(*rows, CoupledMask(case["mask_ratio"], torch.tensor(case["mask_p"])))
            reference = torch.tensor(case["ref_logps"])
            kept = torch.tensor(case["completion_mask"], dtype=torch.float32)
            close(ours, case["expected_per_token_logps"])
            close(coupled.k3_divergence(ours, reference), case["expected_per_token_kl"], 1e-4)
            settings = LossSettings(case["epsilon"], case["beta"])
            old, advantages = torch.tensor(case["old_logps"]), torch.tensor(case["advantages"])
            parts = coupled.grpo_loss(ours, old, reference, advantages, kept, settings)
            close(parts.loss, case["expected_loss"])


class MaskTest(unittest.TestCase):
    def test_a_seed_gives_the_same_mask_again(self):
        one, two, other = (coupled.draw_mask(seed, 6, 3, 40) for seed in (7, 7, 8))
        self.assertEqual(one.ratio, two.ratio)
        self.assertTrue(torch.equal(one.first, two.first))
        self.assertFalse(torch.equal(one.first, other.first))

    def test_every_micro_batch_has_the_mask_of_the_first(self):
        mask = coupled.draw_mask(3, 7, 3, 40).first
        self.assertEqual(mask.shape, (7, 40))
        self.assertTrue(torch.equal(mask[:3], mask[3:6]))
        self.assertTrue(torch.equal(mask[:1], mask[6:]))

    def test_the_ratio_is_the_share_of_masked_tokens_and_stays_in_its_range(self):
        ratios = []
        for seed in range(60):
            mask = coupled.draw_mask(seed, 40, 40, 200)
            self.assertAlmostEqual(mask.first.float().mean().item(), mask.ratio, delta=0.03)
            ratios.append(mask.ratio)
        self.assertGreater(min(ratios), 0.2)
        self.assertLess(max(ratios), 0.8)
        self.assertGreater(max(ratios) - min(ratios), 0.4)

    def test_iterations_have_seeds_of_their_own(self):
        seeds = coupled.mask_seeds(np.random.default_rng(1), 50)
        self.assertGreater(len(set(seeds)), 40)
        self.assertLess(max(seeds), coupled.SEEDS)


class LossTest(unittest.TestCase):
    def test_a_token_past_the_clip_gets_no_gradient_when_it_would_go_further(self):
        old = torch.zeros(1, 3)
        log_p = torch.tensor([[0.0, 1.0, -1.0]], requires_grad=True)  # ratios 1, 2.7, 0.37
        parts = coupled.grpo_loss(log_p, old, log_p.detach(), torch.tensor([1.0]), torch.ones(1, 3), LossSettings(0.5, 0.0))
        parts.loss.backward()
        self.assertLess(log_p.grad[0, 0].item(), 0)
        self.assertEqual(log_p.grad[0, 1].item(), 0)
        self.assertLess(log_p.grad[0, 2].item(), 0)  # a good token that became rarer may come back
        self.assertAlmostEqual(parts.clipped, 1 / 3, places=6)

    def test_the_divergence_pulls_towards_the_reference(self):
        log_p = torch.tensor([[-1.0]], requires_grad=True)
        for reference, sign in ((-2.0, 1), (-0.5, -1)):
            log_p.grad = None
            parts = coupled.grpo_loss(
                log_p, log_p.detach(), torch.tensor([[reference]]), torch.zeros(1), torch.ones(1, 1), LossSettings(0.5, 1.0)
            )
            parts.loss.backward()
            self.assertGreater(sign * log_p.grad.item(), 0)
            self.assertGreater(parts.divergence, 0)

    def test_groups_do_not_see_each_other(self):
        rewards = torch.tensor([1.0, 0.0, 9.0, 9.0])
        self.assertEqual(coupled.leave_one_out(rewards, 2).tolist(), [1.0, -1.0, 0.0, 0.0])
        with self.assertRaises(ValueError):
            coupled.leave_one_out(rewards, 3)

    def test_a_batch_that_cannot_be_parted_evenly_is_refused(self):
        self.assertEqual(len(list(coupled.micro_batches(6, 2))), 3)
        with self.assertRaises(ValueError):
            coupled.micro_batches(6, 4)


if __name__ == "__main__":
    unittest.main()
