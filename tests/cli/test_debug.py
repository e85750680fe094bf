"""lacuna debug: parity with the reference data, several requests, wrong requests."""

import json
import shutil
import unittest

from lacuna_process import ROOT, LacunaTest, json_lines, lacuna

DREAM = ROOT / "tests" / "data" / "reference" / "dream-tiny"
GOLDEN = json.loads((DREAM / "golden.json").read_text())
SAMPLE_FIELDS = ("ids", "steps", "alg", "temperature", "top_p", "top_k", "eps")


def lines(*requests):
    return b"".join(json.dumps(request).encode() + b"\n" for request in requests)


class DebugLogits(LacunaTest):
    def test_match_the_reference(self):
        entries = GOLDEN["forward"]
        requests = lines(*({"ids": entry["ids"]} for entry in entries))
        result = self.run_ok("debug", "logits", "--model", DREAM, stdin=requests)
        answers = json_lines(result.stdout)
        self.assertEqual(len(answers), len(entries))
        for answer, entry in zip(answers, entries):
            logits = answer["logits"]
            self.assertEqual(len(logits), len(entry["ids"]))
            tops = [max(range(len(row)), key=row.__getitem__) for row in logits]
            self.assertEqual(tops, entry["argmax_after_shift"])
            for row, top in zip(logits, entry["top1_after_shift"]):
                self.assertAlmostEqual(max(row), top, delta=2e-3)

    def test_rows_are_the_same_rows(self):
        request = lines({"ids": GOLDEN["sampling"][0]["ids"]})
        every = json_lines(self.run_ok("debug", "logits", "--model", DREAM, stdin=request).stdout)
        some = json_lines(
            self.run_ok("debug", "logits", "--model", DREAM, "--rows", "0,3", stdin=request).stdout
        )
        self.assertEqual(some[0]["logits"], [every[0]["logits"][row] for row in (0, 3)])


class DebugSample(LacunaTest):
    def test_matches_the_reference(self):
        entries = GOLDEN["sampling"]
        requests = lines(*({k: entry[k] for k in SAMPLE_FIELDS} for entry in entries))
        result = self.run_ok("debug", "sample", "--model", DREAM, stdin=requests)
        for answer, entry in zip(json_lines(result.stdout), entries):
            self.assertEqual(answer["commits_per_step"], entry["commits_per_step"])
            self.assertEqual(answer["result"], entry["result"])
            self.assertEqual(answer["forward_passes"], entry["steps"])

    def test_a_cache_refreshed_each_step_is_exact(self):
        entry = {k: GOLDEN["sampling"][0][k] for k in SAMPLE_FIELDS}
        requests = lines(entry, dict(entry, cache="cached", refresh=1), dict(entry, cache="cached"))
        answers = json_lines(self.run_ok("debug", "sample", "--model", DREAM, stdin=requests).stdout)
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(len(answers[2]["result"]), len(entry["ids"]))
        others = [dict(entry, cache=cache, refresh=1) for cache in ("dual", "prefix")]
        others.append(dict(entry, cache="cached", look_before=4096, look_after=4096))
        answers = answers[:1] + json_lines(
            self.run_ok("debug", "sample", "--model", DREAM, stdin=lines(*others)).stdout)
        for answer in answers[1:]:
            self.assertEqual(answer, answers[0])

    def test_a_drift_that_everything_falls_below_is_a_refresh_at_each_step(self):
        entry = dict({k: GOLDEN["sampling"][0][k] for k in SAMPLE_FIELDS}, cache="cached")
        never = dict(entry, refresh=1000, refresh_drift=1e-6)
        always = dict(entry, refresh=1000, refresh_drift=1.5)
        answers = json_lines(self.run_ok("debug", "sample", "--model", DREAM, stdin=lines(
            dict(entry, refresh=1), always, never)).stdout)
        for field in ("commits_per_step", "result"):
            self.assertEqual(answers[0][field], answers[1][field])
        steps = entry["steps"]
        self.assertEqual([answer["forward_passes"] for answer in answers],
                         [steps, 2 * steps - 1, steps])

    def test_looking_ahead(self):
        entry = dict({k: GOLDEN["sampling"][0][k] for k in SAMPLE_FIELDS}, alg="entropy",
                     tokens_per_step=1, info_gain=8)
        requests = lines(entry, entry, dict(entry, gain_bypass=0), dict(entry, info_gain=0))
        answers = json_lines(self.run_ok("debug", "sample", "--model", DREAM, stdin=requests).stdout)
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[2], answers[3])
        self.assertEqual(len(answers[0]["commits_per_step"][0]), 1)

    def test_seeds(self):
        entry = dict({k: GOLDEN["sampling"][0][k] for k in SAMPLE_FIELDS}, temperature=1, alg="origin")
        requests = lines(*(dict(entry, seed=seed) for seed in (1, 1, 2)))
        answers = json_lines(self.run_ok("debug", "sample", "--model", DREAM, stdin=requests).stdout)
        self.assertEqual(answers[0], answers[1])
        self.assertNotEqual(answers[0], answers[2])


class DebugTokens(LacunaTest):
    def test_round_trip(self):
        texts = ["def f(x):\n\treturn x\r\n", "größe = '日本'  # \U0001f600", "", "<mask>"]
        encoded = json_lines(
            self.run_ok("debug", "tokens", stdin=lines(*({"text": text} for text in texts))).stdout
        )
        self.assertEqual(encoded[2], {"ids": []})
        decoded = json_lines(self.run_ok("debug", "tokens", stdin=lines(*encoded)).stdout)
        self.assertEqual([answer["text"] for answer in decoded], texts)


class DebugProgram(LacunaTest):
    def test_is_judged_by_its_tests(self):
        double = "def double(x):\n    return 2 * x\n"
        requests = lines(
            {"solution": double, "tests": "assert double(2) == 4\n"},
            {"solution": double, "tests": "assert double(2) == 5\n"},
            {"solution": "def double(x:\n", "tests": "assert True\n"},
            {"solution": "import os\nos._exit(0)\n"},
            {"solution": "x = 1\n"},
        )
        answers = json_lines(self.run_ok("debug", "program", stdin=requests).stdout)
        self.assertEqual([(a["verdict"], a["parses"]) for a in answers],
                         [("passed", True), ("failed", True), ("failed", False), ("failed", True),
                          ("passed", True)])

    def test_is_killed_when_its_time_is_over(self):
        request = lines({"solution": "while True: pass\n"})
        answers = json_lines(self.run_ok("debug", "program", "--timeout", 1, stdin=request).stdout)
        self.assertEqual(answers[0]["verdict"], "timed out")

    def test_needs_a_text(self):
        for request in (b"{}", b'{"solution":1}', b'{"solution":"x","tests":[]}', b'{"tests":""}'):
            result = lacuna("debug", "program", stdin=request)
            self.assertEqual(result.returncode, 1)
            self.assertIn("error", json.loads(result.stdout))


class WrongRequests(LacunaTest):
    def answers(self, command, *requests, code=1):
        result = lacuna("debug", command, "--model", DREAM, stdin=b"\n".join(requests))
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stderr, b"")
        return json_lines(result.stdout)

    def test_are_answered_in_their_place(self):
        good = lines({"ids": [1, 2, 3]}).strip()
        answers = self.answers("logits", b"{", good, b'{"ids":[999]}', b"", good)
        self.assertEqual([list(answer) for answer in answers],
                         [["error"], ["logits"], ["error"], ["logits"]])
        self.assertEqual(answers[1], answers[3])

    def test_of_every_kind(self):
        for request in (
            b"[]", b"1", b"{}", b'{"ids":1}', b'{"ids":[]}', b'{"ids":[-1]}', b'{"ids":[1.5]}',
            b'{"ids":["a"]}', b'{"ids":[18446744073709551615]}', b'{"ids":[1e300]}',
            b'{"ids":[' + b"1," * 600 + b"1]}", b'{"ids":[null]}', b"\xff\xfe", b"[" * 100000,
        ):
            self.assertIn("error", self.answers("logits", request)[0], request[:40])
        for extra in (
            '"steps":0', '"steps":-1', '"steps":1.5', '"steps":99999999999', '"alg":"best"',
            '"alg":1', '"temperature":-1', '"temperature":"hot"', '"top_p":2', '"top_k":0',
            '"cache":"maybe"', '"refresh":0', '"eps":5', '"alg_temp":-1', '"seed":-1',
            '"refresh_share":2', '"refresh_drift":-1', '"info_gain":65', '"info_gain":2', '"look_after":-1',
            '"prompt":[1]', '"cfg_scale":-1', '"verify":99', '"block_length":0',
        ):
            request = ('{"ids":[1,380],' + extra + "}").encode()
            self.assertIn("error", self.answers("sample", request)[0], extra)
        for request in (b"{}", b'{"text":1}', b'{"ids":"x"}', b'{"ids":[-1]}', b'{"text":"\xff"}'):
            result = lacuna("debug", "tokens", stdin=request)
            self.assertEqual(result.returncode, 1)
            self.assertIn("error", json.loads(result.stdout))

    def test_rows_past_the_end(self):
        result = lacuna("debug", "logits", "--model", DREAM, "--rows", 3, stdin=b'{"ids":[1,2,3]}')
        self.assertIn("past the end", json.loads(result.stdout)["error"])

    def test_nothing_to_answer(self):
        self.run_failing("debug", "sample", "--model", DREAM, says="no request", stdin=b"\n \n")

    def test_a_model_without_tokenizer_has_no_tokens(self):
        self.run_failing("debug", "tokens", "--model", DREAM, says="tokenizer", stdin=b'{"ids":[1]}')

    def test_damaged_models(self):
        model = self.folder / "model"
        shutil.copytree(DREAM, model)
        weights = (model / "model.safetensors").read_bytes()
        for content in (b"", weights[:100], weights[: len(weights) // 2], b"\xff" * 1000):
            (model / "model.safetensors").write_bytes(content)
            self.run_failing("debug", "logits", "--model", model, stdin=b'{"ids":[1]}')


if __name__ == "__main__":
    unittest.main()
