import json
import tempfile
import unittest
from pathlib import Path

import torch

from training import export, golden, lora
from training.lora import LoraSettings


def adapted(settings: LoraSettings = LoraSettings(rank=3, alpha=6)):
    model = golden.random_model()
    lora.attach(model, settings)
    torch.manual_seed(1)
    with torch.no_grad():
        for delta in lora.adapters(model).values():
            delta.b.normal_(0, 0.1)
    return model


class LoraTest(unittest.TestCase):
    def setUp(self):
        self.ids = torch.tensor([golden.cases()[1]])

    def test_a_fresh_adapter_changes_nothing(self):
        model = golden.random_model()
        before = model.rows(self.ids)
        lora.attach(model, LoraSettings())
        self.assertTrue(torch.equal(model.rows(self.ids), before))

    def test_only_adapters_get_gradients(self):
        model = adapted()
        model.rows(self.ids).square().mean().backward()
        for name, parameter in model.named_parameters():
            self.assertEqual(parameter.grad is not None, name.endswith((".a", ".b")), name)

    def test_merged_weights_answer_the_same(self):
        model = adapted()
        before = model.rows(self.ids)
        lora.merge(model)
        torch.testing.assert_close(model.rows(self.ids), before, rtol=1e-4, atol=1e-4)
        self.assertEqual([n for n, _ in model.named_parameters() if "parametrizations" in n], [])
        with tempfile.TemporaryDirectory() as folder:
            export.export(model, Path(folder), None, 64, torch.float32)
            torch.testing.assert_close(export.load(Path(folder), half=False).rows(self.ids), before, rtol=1e-4, atol=1e-4)

    def test_files_have_the_layout_of_peft(self):
        with tempfile.TemporaryDirectory() as folder:
            lora.save(adapted(LoraSettings(rank=3, alpha=6, targets=("q", "down"))), Path(folder), "base")
            settings = json.loads((Path(folder) / "adapter_config.json").read_text())
            tensors = export.read_safetensors(Path(folder) / "adapter_model.safetensors")
        self.assertEqual((settings["peft_type"], settings["r"], settings["lora_alpha"]), ("LORA", 3, 6))
        self.assertEqual(settings["target_modules"], ["down_proj", "q_proj"])
        self.assertEqual(len(tensors), 2 * 2 * golden.TINY.layers)
        name = "base_model.model.model.layers.1.mlp.down_proj"
        self.assertEqual(tensors[f"{name}.lora_A.weight"].shape, (3, golden.TINY.hidden))
        self.assertEqual(tensors[f"{name}.lora_B.weight"].shape, (golden.TINY.width, 3))

    def test_saved_adapters_come_back(self):
        model, again = adapted(), golden.random_model()
        with tempfile.TemporaryDirectory() as folder:
            lora.save(model, Path(folder), "base")
            lora.load(again, Path(folder))
        self.assertTrue(torch.equal(again.rows(self.ids), model.rows(self.ids)))

    def test_the_scale_is_alpha_over_rank(self):
        model = golden.random_model()
        plain = model.layers[0].q.weight.detach().clone()
        lora.attach(model, LoraSettings(rank=4, alpha=8))
        delta = model.layers[0].q.parametrizations.weight[0]
        with torch.no_grad():
            delta.b.fill_(1)
        torch.testing.assert_close(model.layers[0].q.weight - plain, 2 * (delta.b @ delta.a), rtol=1e-3, atol=1e-5)

    def test_an_adapter_of_another_model_is_refused(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with self.assertRaises(SystemExit):
                lora.load(golden.random_model(), folder)
            lora.save(adapted(), folder, "base")
            settings = json.loads((folder / "adapter_config.json").read_text())
            for change in ({"r": 2}, {"target_modules": ["q_proj"]}, {"target_modules": ["qkv"]}, {"bias": "all"}):
                (folder / "adapter_config.json").write_text(json.dumps(settings | change))
                with self.assertRaises(SystemExit):
                    lora.load(golden.random_model(), folder)


if __name__ == "__main__":
    unittest.main()
