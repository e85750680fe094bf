import json
import tempfile
import unittest
from pathlib import Path

import torch
import torch.nn.functional as F

from training import export, golden, muon, shapes
from training.loss import weighted_cross_entropy
from training.model import Model, ModelConfig, RmsNormFunction, SwiGluFunction, composed_norm
from training.packing import Packing, of_lengths

FIXTURE = Path(__file__).parents[2] / "tests" / "data" / "lacuna_tiny"


class ModelTest(unittest.TestCase):
    def setUp(self):
        self.model = golden.random_model()
        self.ids = torch.randint(20, 96, (2, 12), generator=torch.Generator().manual_seed(1))

    def test_logits_are_shifted(self):
        positions = torch.tensor([1, 5, 12 + 7])
        rows = self.model.rows(self.ids).reshape(24, -1)
        torch.testing.assert_close(self.model(self.ids, positions), rows[positions - 1])

    def test_position_0_cannot_be_predicted(self):
        with self.assertRaises(ValueError):
            self.model(self.ids, torch.tensor([12]))

    def test_later_tokens_are_seen(self):
        other = self.ids.clone()
        other[:, 11] = 20
        self.assertFalse(torch.allclose(self.model.rows(self.ids)[:, 2], self.model.rows(other)[:, 2]))

    def test_filler_changes_nothing(self):
        longer = torch.cat([self.ids, torch.full((2, 4), 33)], 1)
        packing = Packing(of_lengths([12, 12], 16))
        short = self.model(self.ids, torch.tensor([3, 11]))
        torch.testing.assert_close(self.model(longer, torch.tensor([3, 11]), packing), short)

    def test_norm_and_gate_are_composed_the_same_way_elsewhere(self):
        """What other devices than processors compute, here on one."""
        x, gate = torch.randn(3, 5, 8), torch.randn(3, 5, 8)
        weight = torch.rand(8)
        ours = RmsNormFunction.apply(x, weight, 1e-6, torch.float32)
        torch.testing.assert_close(composed_norm(x, weight, 1e-6, torch.float32), ours)
        torch.testing.assert_close(F.silu(gate) * x, SwiGluFunction.apply(gate, x))

    def test_an_output_matrix_of_its_own_is_exported_and_read_back(self):
        model = Model(ModelConfig(64, 16, 1, 2, 1, 24, tied=False), half=False)
        ids = torch.tensor([[20, 21, 22]])
        with tempfile.TemporaryDirectory() as folder:
            export.export(model, Path(folder), None, 64, torch.float32)
            self.assertIn("lm_head.weight", export.read_weights(Path(folder)))
            torch.testing.assert_close(export.load(Path(folder), half=False).rows(ids), model.rows(ids))

    def test_named_shapes_have_the_parameters_that_are_counted(self):
        for name in ("tiny", "small"):
            self.assertEqual(sum(shapes.parameters(shapes.SHAPES[name])), Model(shapes.SHAPES[name]).count())
        self.assertAlmostEqual(sum(shapes.parameters(shapes.SHAPES["38m"])) / 1e6, 37.9, places=1)
        self.assertAlmostEqual(shapes.training_flops(shapes.SHAPES["38m"], 1024, 0.5) / 1e6, 265, places=0)
        with self.assertRaises(SystemExit):
            shapes.shape("39m")

    def test_norm_gradient_is_the_composed_one(self):
        x = torch.randn(3, 5, 8, dtype=torch.float64, requires_grad=True)
        weight = torch.rand(8, dtype=torch.float64, requires_grad=True)
        upstream = torch.randn(3, 5, 8, dtype=torch.float64)
        (RmsNormFunction.apply(x, weight, 1e-6, torch.float64) * upstream).sum().backward()
        ours = x.grad.clone(), weight.grad.clone()
        x.grad = weight.grad = None
        (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight * upstream).sum().backward()
        torch.testing.assert_close(ours[0], x.grad, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(ours[1], weight.grad, rtol=1e-5, atol=1e-6)

    def test_swiglu_gradient_is_the_composed_one(self):
        gate, up = (torch.randn(7, 9, dtype=torch.float64, requires_grad=True) for _ in range(2))
        torch.testing.assert_close(SwiGluFunction.apply(gate, up), F.silu(gate) * up)
        self.assertTrue(torch.autograd.gradcheck(SwiGluFunction.apply, (gate, up)))

    def test_loss_and_its_gradient_are_the_composed_ones(self):
        logits = torch.randn(150, 40, requires_grad=True)
        targets, weights = torch.randint(0, 40, (150,)), torch.rand(150)
        ours = weighted_cross_entropy(logits, targets, weights)
        ours.backward()
        gradient, logits.grad = logits.grad.clone(), None
        plain = (F.cross_entropy(logits, targets, reduction="none") * weights).sum() / weights.sum()
        plain.backward()
        torch.testing.assert_close(ours, plain)
        torch.testing.assert_close(gradient, logits.grad)


    def test_the_loss_with_a_penalty_on_the_norm_has_the_composed_gradient(self):
        logits = torch.randn(70, 40, requires_grad=True)
        targets, weights = torch.randint(0, 40, (70,)), torch.rand(70)
        ours = weighted_cross_entropy(logits, targets, weights, 50.0, z_share=0.1)
        ours.backward()
        gradient, logits.grad = logits.grad.clone(), None
        penalty = 0.1 * logits.logsumexp(-1).square()
        plain = ((F.cross_entropy(logits, targets, reduction="none") + penalty) * weights).sum() / 50.0
        plain.backward()
        torch.testing.assert_close(ours, plain)
        torch.testing.assert_close(gradient, logits.grad)


class MuonTest(unittest.TestCase):
    def test_matrices_together_are_the_matrices_one_by_one(self):
        torch.manual_seed(0)
        stack = torch.randn(3, 24, 16)
        together = muon.orthogonalise(stack)
        for one, made in zip(stack, together):
            torch.testing.assert_close(muon.orthogonalise(one), made, rtol=0.05, atol=0.05)

    def test_update_is_nearly_orthogonal(self):
        torch.manual_seed(0)
        for shape in ((64, 64), (96, 32), (32, 96)):
            values = torch.linalg.svdvals(muon.orthogonalise(torch.randn(shape)))
            # The smallest values of a square random matrix are too near 0 for five steps.
            self.assertGreater(values.quantile(0.1).item(), 0.5, shape)
            self.assertLess(values.max().item(), 1.4, shape)

    def test_singular_vectors_stay(self):
        torch.manual_seed(0)
        matrix = torch.randn(32, 48)
        u, _, v = torch.linalg.svd(matrix, full_matrices=False)
        cosine = F.cosine_similarity(muon.orthogonalise(matrix).flatten(), (u @ v).flatten(), dim=0)
        self.assertGreater(cosine.item(), 0.95)


class ExportTest(unittest.TestCase):
    def test_exported_model_answers_the_same(self):
        model = golden.random_model()
        with tempfile.TemporaryDirectory() as folder:
            export.export(model, Path(folder), None, 64, torch.float32)
            again = export.load(Path(folder), half=False)
        ids = torch.tensor([golden.cases()[1]])
        torch.testing.assert_close(again.rows(ids), model.rows(ids))

    def test_bfloat16_weights_are_rounded_once(self):
        model = Model(ModelConfig(vocabulary=64, width=16, layers=1, heads=2, kv_heads=1, hidden=24))
        with tempfile.TemporaryDirectory() as folder:
            export.export(model, Path(folder), None, 64)
            tensors = export.read_safetensors(Path(folder) / "model.safetensors")
            settings = json.loads((Path(folder) / "config.json").read_text())
        self.assertTrue(torch.equal(tensors["model.embed_tokens.weight"], model.embedding.weight.to(torch.bfloat16)))
        self.assertEqual(settings["torch_dtype"], "bfloat16")
        self.assertEqual(len(tensors), 2 + 12)

    def test_stored_fixture_is_what_the_trainer_computes(self):
        model = export.load(FIXTURE, half=False)
        for case in json.loads((FIXTURE / "forward.json").read_text()):
            ours = golden.shifted_logits(model, case["input_ids"])
            torch.testing.assert_close(ours, torch.tensor(case["logits"]), rtol=1e-4, atol=1e-4)

    def test_damaged_file_is_one_clear_error(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0nonsense")
            with self.assertRaises(SystemExit):
                export.read_safetensors(Path(folder) / "model.safetensors")


if __name__ == "__main__":
    unittest.main()
