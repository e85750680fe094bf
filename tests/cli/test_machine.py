"""lacuna model, doctor and bench: what they say about models and machines."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from lacuna_process import EXECUTABLE, MODEL, ROOT, LacunaTest, lacuna

sys.path.insert(0, str(ROOT / "tests" / "daemon"))
from lsp_client import Client  # noqa: E402

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
        self.assertEqual(
            names,
            ["cpu", "memory", "cuda", "device", "model", "fill", "settings", "daemon", "terminal"],
        )
        text = self.run_ok("doctor").stdout.decode()
        self.assertRegex(text, r"(?m)^ok +fill +4 tokens in")

    def test_says_what_is_missing_and_what_to_do(self):
        result = lacuna("doctor", "--model", "./nowhere")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout.decode(), r"(?m)^fail +model .*nowhere")
        self.assertIn("-> ", result.stdout.decode())


    def test_says_where_each_setting_comes_from(self):
        environment = {f"XDG_{name}": str(self.folder / name) for name in
                       ("RUNTIME_DIR", "STATE_HOME", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME")}
        for folder in environment.values():
            pathlib.Path(folder).mkdir(mode=0o700)
        config = self.write("config.json", '{"maxQueued": 32, "http": {"token": "a secret"}}')
        environment |= {"LACUNA_CONFIG": str(config), "LACUNA_THREADS": "1"}

        def found(name, *args):
            report = json.loads(self.run_ok("doctor", "--json", *args, env=environment).stdout)
            return next(check["found"] for check in report["checks"] if check["name"] == name)

        with self.subTest("file, environment and command line"):
            text = found("settings", "--device", "cpu")
            for one in ("maxQueued = 32 (file)", "threads = 1 (environment)",
                        'device = "cpu" (command line)', 'http.token = "(hidden)" (file)'):
                self.assertIn(one, text)
            self.assertNotIn("a secret", text)
            self.assertIn("not running", found("daemon"))

        with self.subTest("what a daemon and its editors were told"):
            daemon = subprocess.Popen([EXECUTABLE, "serve", "--set", "idle.exitMinutes=5"],
                                      env={**os.environ, **environment}, stderr=subprocess.PIPE)
            self.addCleanup(daemon.stderr.close)
            self.addCleanup(daemon.wait)
            self.addCleanup(daemon.terminate)
            self.assertIn(b"listening", daemon.stderr.readline())
            editor = Client([EXECUTABLE, "lsp"], env={**os.environ, **environment})
            self.addCleanup(editor.close)
            editor.initialize(clientInfo={"name": "Ed"}, initializationOptions={"profile": "quality"})
            config.write_text("{}")
            text = found("daemon")
            for one in ("idle.exitMinutes = 5 (command line)", "maxQueued = 32 (file)", "1 editor;",
                        'profile = "quality" (editor: Ed)'):
                self.assertIn(one, text)
            self.assertNotIn("a secret", text)
            self.assertNotIn("maxQueued", found("settings"))


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

    def test_a_shape_without_files_is_measured(self):
        result = self.run_ok("bench", "--random", "qwen2-0.5b", "--tokens", 16, "--runs", 1, "--dtype", "bf16", "--json")
        (entry,) = json.loads(result.stdout)["dtypes"]
        self.assertEqual([(p["tokens"], p["rows"]) for p in entry["passes"]], [(16, 16), (16, 8)])
        self.assertGreater(entry["load"]["megabytes_per_second"], 0)

    def test_an_edit_computes_a_part_of_a_large_canvas(self):
        options = ("--tokens", "160", "--runs", 1, "--dtype", "f32", "--json")
        passes = json.loads(self.run_ok("bench", *options).stdout)["dtypes"][0]["passes"]
        after = [it for it in passes if it.get("after_edit")]
        self.assertEqual(len(after), 1)
        self.assertLess(after[0]["rows"], 80)

    def test_daemon_is_measured_through_editors(self):
        report = json.loads(self.run_ok("bench", "daemon", "--runs", 1, "--json").stdout)
        names = [sample["name"] for sample in report["times"]]
        for name in (
            "request without the model",
            "didChange, 10,000 lines",
            "process start and initialize",
            "question behind a request, 20 files",
            "1 editor, a suggestion each",
            "8 editors at once, a suggestion each",
        ):
            self.assertIn(name, names)
        # On a fast machine some fills are ready before they can be cancelled.
        cancels = [name for name in names if name.startswith("cancel until idle, ")]
        self.assertTrue(cancels)
        self.assertEqual(len(names), 6 + len(cancels))
        for sample in report["times"]:
            self.assertGreater(sample["samples"], 0)
            self.assertLessEqual(0, sample["median_ms"])
            self.assertLessEqual(sample["median_ms"], sample["p99_ms"])
        self.assertEqual([editors["count"] for editors in report["editors"]], [1, 8])

    def test_reuse_is_compared_with_full_passes(self):
        (self.folder / "files").mkdir()
        for number in range(8):  # a part of the files is left to calibration
            body = "".join(f"def f{number}_{i}(value):\n    return value + {i}\n\n" for i in range(60))
            self.write(f"files/m{number}.py", body.encode())
        options = ("--edits", "0,4", "--limit", 2, "--context", 256, "--json")
        report = json.loads(self.run_ok("bench", "reuse", self.folder / "files", *options).stdout)
        full, again, typed = report["settings"]
        self.assertEqual([it["setting"] for it in report["settings"]], ["full pass", "after 0 edits", "after 4 edits"])
        self.assertEqual(full["same_as_anew"], 1)
        self.assertEqual(full["first_rows"], full["canvas"])
        self.assertLess(again["first_rows"], full["first_rows"])
        self.assertLess(typed["first_rows"], full["first_rows"])
        self.run_failing("bench", "reuse", self.folder / "none", says="none")

    def test_decode_compares_each_way_with_the_first(self):
        tasks = [
            {"task_id": f"T/{i}", "prompt": "def double(x):\n", "suffix": "",
             "canonical_solution": f"    return {i} * x\n", "test": "", "entry_point": "double"}
            for i in range(2, 5)
        ]
        path = self.write("tasks.jsonl", "".join(json.dumps(t) + "\n" for t in tasks).encode())
        report = json.loads(self.run_ok("bench", "decode", path, "--limit", 2, "--json").stdout)
        self.assertEqual(report["cases"], 2)
        rows = {row["setting"]: row for row in report["settings"]}
        first = report["settings"][0]
        self.assertEqual(first["same_as_first"], 1)
        self.assertEqual(rows["cache, refresh 8, verify 4"]["same_as_first"],
                         rows["cache, refresh 8"]["same_as_first"])
        self.assertLess(rows["8 tokens a pass"]["passes_per_fill"], first["passes_per_fill"])
        for name in ("dual cache", "info gain 8, no cache", "profile fast", "profile exact"):
            self.assertIn(name, rows)
        self.assertEqual(rows["profile exact"]["passes_per_fill"], first["passes_per_fill"])
        self.run_failing("bench", "decode", path, "--holes", 2, says="2 holes")
        self.assertIn("tokens/pass", self.run_ok("bench", "decode", path, "--limit", 1).stdout.decode())
        self.run_failing("bench", "decode", self.folder / "none.jsonl", says="none.jsonl")


class Calibrate(LacunaTest):
    def test_keeps_what_it_measured_beside_the_model(self):
        model = self.folder / "model"
        shutil.copytree(ROOT / "models" / "lacuna-small", model)
        file = model / "length_calibration.json"
        file.write_bytes(b"nonsense")
        source = self.write("a.py", b"for i in range(10):\n    total = total + i * 2\nprint(total)\n" * 8)
        wrong = self.run_failing("fill", self.write("b.py", "x = \u27e6?\u27e7\n".encode()), "--model",
                                 model, "--length", "probe", says="lacuna model calibrate")
        self.assertIsNotNone(wrong)
        command = ("model", "calibrate", source, "--model", model, "--samples", 12, "--json")
        report = json.loads(self.run_ok(*command).stdout)
        self.assertEqual(report["holes"], 12)
        self.assertEqual(json.loads(file.read_bytes()), report["calibration"])
        self.assertIn("at least 50 are needed", report["copies"]["error"])
        self.assertEqual(json.loads(self.run_ok(*command).stdout), report, "the same seed")
        self.run_ok("fill", self.folder / "b.py", "--model", model, "--length", "probe")

    def test_needs_something_to_measure(self):
        model = self.folder / "model"
        shutil.copytree(ROOT / "models" / "lacuna-small", model)
        self.run_failing("model", "calibrate", self.write("empty.py", b"\n\n"), "--model", model,
                         says="at least 20 are needed")


if __name__ == "__main__":
    unittest.main()
