"""lacuna model, doctor and bench: what they say about models and machines."""

import json
import shutil
import unittest

from lacuna_process import MODEL, ROOT, LacunaTest, lacuna

DREAM = ROOT / "tests" / "data" / "reference" / "dream-tiny"


class Models(LacunaTest):
    def environment(self):
        return {"XDG_DATA_HOME": str(self.folder)}

    def test_default_is_the_embedded_one(self):
        path = self.run_ok("model", "path").stdout.decode()
        self.assertEqual(path, f"{MODEL.resolve()}\n")

    def test_list_names_installed_ones(self):
        shelf = self.folder / "lacuna" / "models"
        shutil.copytree(DREAM, shelf / "tiny")
        listed = json.loads(self.run_ok("model", "list", "--json", env=self.environment()).stdout)
        self.assertEqual([m["name"] for m in listed], ["lacuna-small", "tiny"])
        self.assertEqual([m["default"] for m in listed], [True, False])
        text = self.run_ok("model", "list", env=self.environment()).stdout.decode()
        self.assertIn("* lacuna-small", text)
        shown = json.loads(
            self.run_ok("model", "show", "tiny", "--json", env=self.environment()).stdout
        )
        self.assertEqual(shown["parameters"], 179008)
        environment = dict(self.environment(), LACUNA_MODEL="tiny")
        path = self.run_ok("model", "path", env=environment).stdout.decode()
        self.assertEqual(path, f"{(shelf / 'tiny').resolve()}\n")

    def test_show(self):
        report = json.loads(self.run_ok("model", "show", "--json").stdout)
        self.assertEqual(report["architecture"], "Dream")
        self.assertIn("mask", report["control_tokens"])
        self.assertGreater(report["tokenizer"]["size"], 1000)
        self.assertIn("model.safetensors", [f["name"] for f in report["files"]])
        text = self.run_ok("model", "show").stdout.decode()
        for word in ("architecture", "parameters", "tokenizer", "control tokens", "memory", "files"):
            self.assertIn(word, text)

    def test_show_without_tokenizer(self):
        text = self.run_ok("model", "show", DREAM).stdout.decode()
        self.assertRegex(text, r"tokenizer +none")

    def test_wrong_ones(self):
        self.run_failing("model", "show", "nowhere", says="nowhere")
        self.run_failing("model", "path", "./nowhere", says="nowhere")
        self.write("config.json", b'{"model_type":"gpt2"}')
        self.run_failing("model", "show", self.folder, says="gpt2")


class Doctor(LacunaTest):
    def test_finds_this_machine_well(self):
        report = json.loads(self.run_ok("doctor", "--json").stdout)
        self.assertIs(report["ok"], True)
        names = [check["name"] for check in report["checks"]]
        self.assertEqual(names, ["cpu", "memory", "cuda", "device", "model", "fill", "terminal"])
        text = self.run_ok("doctor").stdout.decode()
        self.assertRegex(text, r"(?m)^ok +fill +4 tokens in")

    def test_says_what_is_missing_and_what_to_do(self):
        result = lacuna("doctor", "--model", "./nowhere")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout.decode(), r"(?m)^fail +model .*nowhere")
        self.assertIn("-> ", result.stdout.decode())


class Bench(LacunaTest):
    def test_reports_everything(self):
        result = self.run_ok("bench", "--json", "--tokens", "16,48", "--runs", 1, "--threads", 2)
        report = json.loads(result.stdout)
        self.assertEqual(report["cpu"]["threads"], 2)
        self.assertEqual(len(report["dtypes"]), 2)
        for entry in report["dtypes"]:
            shapes = [(p["tokens"], p["rows"]) for p in entry["passes"]]
            self.assertEqual(shapes, [(16, 16), (48, 48), (48, 8), (48, 16), (48, 32)])
            self.assertGreater(entry["fill"]["tokens_per_forward"], 0)
            self.assertGreater(entry["load"]["best_ms"], 0)
        self.assertGreater(report["tokenizer"]["megabytes_per_second"], 0)

    def test_prints_a_table(self):
        options = ("--tokens", "16", "--runs", 1, "--dtype", "f32")
        text = self.run_ok("bench", *options).stdout.decode()
        self.assertRegex(text, r"(?m)^full pass, 16 tokens +[\d.]+ +[\d.]+ +[\d.]+ GFLOP/s$")


if __name__ == "__main__":
    unittest.main()
