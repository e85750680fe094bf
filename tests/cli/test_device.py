"""--device cuda of the whole executable: on a GPU, or on the emulator in place of the kernels."""

import json
import unittest

from lacuna_process import ROOT, LacunaTest, json_lines, lacuna

DREAM = ROOT / "tests" / "data" / "reference" / "dream-tiny"
GOLDEN = json.loads((DREAM / "golden.json").read_text())
SAMPLE_FIELDS = ("ids", "steps", "alg", "temperature", "top_p", "top_k", "eps")
TEXT = "def add(a, b):\n    return ⟦?4⟧\n"

DOCTOR = {c["name"]: c for c in json.loads(lacuna("doctor", "--device", "cpu", "--json").stdout)["checks"]}


@unittest.skipUnless(DOCTOR["cuda"]["status"] == "ok" and "without CUDA" not in DOCTOR["cuda"]["found"],
                     "there is no GPU here")
class Device(LacunaTest):
    def test_logits_are_those_of_the_cpu(self):
        entry = GOLDEN["forward"][2]
        request = json.dumps({"ids": entry["ids"]}).encode()
        logits = {}
        for device in ("cpu", "cuda:0"):
            result = self.run_ok("debug", "logits", "--model", DREAM, "--device", device, stdin=request)
            logits[device] = json_lines(result.stdout)[0]["logits"]
        for here, there in zip(logits["cpu"], logits["cuda:0"]):
            largest = max(map(abs, here))
            self.assertLess(max(abs(a - b) for a, b in zip(here, there)), 1e-4 * largest)

    def test_a_sample_is_the_reference(self):
        entry = next(e for e in GOLDEN["sampling"] if e["steps"] == 5)
        request = json.dumps({k: entry[k] for k in SAMPLE_FIELDS}).encode()
        result = self.run_ok("debug", "sample", "--model", DREAM, "--device", "cuda", stdin=request)
        self.assertEqual(json_lines(result.stdout)[0]["result"], entry["result"])

    def test_a_fill_is_that_of_the_cpu(self):
        path = self.write("add.py", TEXT)
        fills = {}
        for device in ("cpu", "cuda"):
            report = json.loads(self.run_ok("fill", path, "--exact", "--steps", 1, "--json",
                                            "--device", device).stdout)
            fills[device] = [hole["text"] for hole in report["holes"]]
            self.assertEqual(report["device"]["kind"], {"cpu": "cpu", "cuda": "cuda:0"}[device])
        self.assertEqual(fills["cuda"], fills["cpu"])

    def test_a_budget_refuses_by_name_and_turns_auto_to_the_cpu(self):
        path = self.write("add.py", TEXT)
        message = self.run_failing("fill", path, "--device", "cuda", "--vram", "0.001")
        self.assertRegex(message, r"needs 0\.\d\d GB of cuda:0 in bf16, and --vram allows 0\.00 GB")
        report = json.loads(self.run_ok("fill", path, "--vram", "0.001", "--json").stdout)
        self.assertEqual(report["device"]["kind"], "cpu")

    def test_a_device_that_is_not_there(self):
        path = self.write("add.py", TEXT)
        self.run_failing("fill", path, "--device", "cuda:99", says="there is no device cuda:99")


if __name__ == "__main__":
    unittest.main()
