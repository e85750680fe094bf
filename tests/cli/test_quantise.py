"""lacuna model quantise: what it writes, says and refuses; and models of 8 and 4 bits in use."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import time
import unittest

from lacuna_process import EXECUTABLE, MODEL, ROOT, LacunaTest

DREAM = ROOT / "tests" / "data" / "reference" / "dream-tiny"
SOURCE = "def add(a, b):\n    return ⟦?4⟧\n"


class Quantise(LacunaTest):
    def quantise(self, *args, source="lacuna-small"):
        out = self.folder / "out"
        self.run_ok("model", "quantise", source, out, *args)
        return out

    def leftovers(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_reports_the_error_of_every_matrix_and_of_the_predictions(self):
        for bits, most, least_same in ((8, 0.011, 0.9), (4, 0.09, 0.8)):
            out = self.folder / str(bits)
            result = self.run_ok("model", "quantise", "lacuna-small", out, "--bits", bits, "--json")
            report = json.loads(result.stdout)
            self.assertEqual(result.stderr, b"")
            self.assertEqual(report["bits"], bits)
            self.assertEqual(report.get("group"), 32 if bits == 4 else None)
            self.assertEqual(len(report["tensors"]), 1 + 6 * 7)
            for tensor in report["tensors"]:
                layer = "layers" in tensor["name"]
                self.assertEqual(tensor["bits"], bits if layer else 8)
                # One scale for a row: the embedding of a rare piece has a few large numbers.
                self.assertLess(tensor["relative_error"], most if layer else 0.02)
            self.assertEqual(report["bytes"], (out / "model.safetensors").stat().st_size)
            self.assertLess(report["bytes"], report["source_bytes"] * bits / 8 * 0.75)
            self.assertGreater(report["logits"]["positions"], 50)
            self.assertGreater(report["logits"]["same_token"], least_same)
            self.assertLess(report["logits"]["mean_kl"], 0.05)

    def test_prints_a_table(self):
        text = self.run_ok("model", "quantise", MODEL, self.folder / "out").stdout.decode()
        self.assertRegex(text, r"(?m)^layer +q +k +v +o +gate +up +down$")
        self.assertRegex(text, r"(?m)^5( +0\.\d\d){7}$")
        self.assertRegex(text, r"(?m)^weights +12\.5 MiB before, \d\.\d MiB now$")
        self.assertRegex(text, r"the same token at \d+\.\d\d % of \d+ masks")

    def test_the_result_is_a_model_like_any_other(self):
        out = self.quantise("--bits", 4, "--group", 64)
        shown = json.loads(self.run_ok("model", "show", out, "--json").stdout)
        self.assertEqual(shown["dtype"], "int4")
        self.assertEqual(shown["quantization"], {"bits": 4, "group": 64})
        self.assertIn("4 bits in groups of 64", self.run_ok("model", "show", out).stdout.decode())
        path = self.write("a.py", SOURCE)
        fill = json.loads(self.run_ok("fill", path, "--model", out, "--json").stdout)
        self.assertEqual(fill["model"]["numbers"], "int8")
        exact = json.loads(self.run_ok("fill", path, "--model", out, "--exact", "--json").stdout)
        self.assertEqual(exact["model"]["numbers"], "f32")
        self.run_ok("fill", path, "--model", out, "--dtype", "bf16")
        same = [self.run_ok("fill", path, "--model", out, "--threads", n).stdout for n in (1, 3)]
        self.assertEqual(*same)

    def test_compares_on_a_text_of_your_own(self):
        path = self.write("text.py", "total = 0\nfor i in range(10):\n    total += i\n" * 3)
        out = self.folder / "out"
        result = self.run_ok("model", "quantise", MODEL, out, "--text", path, "--json")
        self.assertGreater(json.loads(result.stdout)["logits"]["positions"], 5)

    def test_a_model_without_tokenizer_is_not_compared(self):
        out = self.folder / "out"
        report = json.loads(self.run_ok("model", "quantise", DREAM, out, "--json").stdout)
        self.assertIn("tokenizer", report["logits"]["skipped"])
        self.assertEqual(len(report["tensors"]), 1 + 7 * (len(report["tensors"]) // 7) + 1)

    def test_int8_without_quantising_first(self):
        path = self.write("a.py", SOURCE)
        fill = json.loads(self.run_ok("fill", path, "--dtype", "int8", "--json").stdout)
        self.assertEqual(fill["model"]["numbers"], "int8")
        self.run_failing("fill", path, "--dtype", "int8", "--exact", says="--exact")

    def test_refuses_with_one_line_and_writes_nothing(self):
        out = self.folder / "out"
        out.mkdir()
        self.run_failing("model", "quantise", MODEL, out, says="exists already")
        self.assertEqual(list(out.iterdir()), [])
        out.rmdir()
        self.run_failing("model", "quantise", "nowhere", out, says="nowhere")
        self.run_failing("model", "quantise", MODEL, self.folder / "no" / "out", says="beside")
        self.run_failing("model", "quantise", MODEL, out, "--text", "./no.py", says="no.py")
        self.run_failing("model", "quantise", MODEL, out, "--bits", 3, code=2, says="--bits")
        self.run_failing("model", "quantise", MODEL, out, "--group", 32, code=2, says="--bits 4")
        self.run_failing(
            "model", "quantise", MODEL, out, "--bits", 4, "--group", 7, code=2, says="--group"
        )
        self.run_failing("model", "quantise", MODEL, code=2, says="OUT")
        self.assertEqual(self.leftovers(), [])
        self.quantise()
        self.run_failing("model", "quantise", out, self.folder / "x", says="8 bits already")
        self.assertEqual(self.leftovers(), ["out"])

    def test_damaged_models_are_refused(self):
        out = self.quantise("--bits", 4)
        config = json.loads((out / "config.json").read_text())
        weights = (out / "model.safetensors").read_bytes()
        path = self.write("a.py", SOURCE)
        for change, says in (
            ({"bits": 8}, "has shape [256, 128]"),
            ({"bits": 4, "group": 16}, "_step' has shape"),
            ({"bits": 4, "group": 32, "kind": "nf4"}, "'kind'"),
            ({"bits": 4, "group": 1 << 40}, "group"),
            ([], "must be an object"),
            (None, "dtype I8"),
        ):
            changed = dict(config, lacuna_quantization=change)
            (out / "config.json").write_text(json.dumps(changed))
            self.run_failing("fill", path, "--model", out, says=says)
            self.run_failing("model", "show", out, says=says)
        (out / "config.json").write_text(json.dumps(config))
        (out / "model.safetensors").write_bytes(weights[:-1])
        self.run_failing("fill", path, "--model", out, says="model.safetensors")

    def big_model(self):
        """A model of one file, sparse and large, that takes seconds to round."""
        source = self.folder / "big"
        source.mkdir()
        config = json.loads((DREAM / "config.json").read_text())
        config.update(
            {"vocab_size": 4000, "hidden_size": 1024, "intermediate_size": 8192,
             "num_hidden_layers": 24, "num_attention_heads": 8, "num_key_value_heads": 8,
             "mask_token_id": 5, "pad_token_id": 4, "bos_token_id": 1, "eos_token_id": 2,
             "tie_word_embeddings": True}
        )
        config.pop("head_dim", None)
        (source / "config.json").write_text(json.dumps(config))
        d, f = 1024, 8192
        shapes = {"model.embed_tokens.weight": [4000, d], "model.norm.weight": [d]}
        for i in range(24):
            p = f"model.layers.{i}."
            for name in "qkv":
                shapes[p + f"self_attn.{name}_proj.weight"] = [d, d]
                shapes[p + f"self_attn.{name}_proj.bias"] = [d]
            shapes[p + "self_attn.o_proj.weight"] = [d, d]
            shapes[p + "input_layernorm.weight"] = [d]
            shapes[p + "post_attention_layernorm.weight"] = [d]
            shapes[p + "mlp.gate_proj.weight"] = [f, d]
            shapes[p + "mlp.up_proj.weight"] = [f, d]
            shapes[p + "mlp.down_proj.weight"] = [d, f]
        header, at = {}, 0
        for name, shape in shapes.items():
            size = 2 * shape[0] * (shape[1] if len(shape) == 2 else 1)
            header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(header).encode()
        with open(source / "model.safetensors", "wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            out.truncate(8 + len(text) + at)  # zeros
        return source

    def test_a_terminal_shows_a_bar_and_an_interrupt_leaves_nothing(self):
        source = self.big_model()
        terminal, other_end = pty.openpty()
        process = subprocess.Popen(
            [EXECUTABLE, "model", "quantise", source, self.folder / "out", "--bits", "4"],
            stdout=subprocess.PIPE, stderr=other_end, env=dict(os.environ, TERM="xterm"),
        )
        os.close(other_end)
        seen = b""
        deadline = time.monotonic() + 60
        while b"%" not in seen and time.monotonic() < deadline:
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
        os.close(terminal)
        self.assertRegex(seen.decode(errors="replace"), "\u2501|\u2500")
        self.assertEqual(process.returncode, 130)
        self.assertEqual(output, b"")
        shutil.rmtree(source)
        self.assertEqual(self.leftovers(), [])


if __name__ == "__main__":
    unittest.main()
