import dataclasses
import json
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from training import ar_ness, coupled, coupled_grpo, export, lora, measure_grpo, plot, policy, rollouts
from training.corpus import Document
from training.coupled_grpo import Settings, Trainer
from training.fill import Filler
from training.infill_client import InfillServer
from training.model import Model, ModelConfig
from training.prompts import Holes, Prompt, Tasks, python_documents
from training.rewards import Scorer, Scores
from training.rollouts import Completion, Sampler, SamplerSettings
from training.tasks import Question
from training.tests import support
from training.tokenizer import MASK

TINY = ModelConfig(vocabulary=900, width=32, layers=2, heads=2, kv_heads=1, hidden=48)
REFERENCE = Path(__file__).parents[2] / "tests" / "data" / "reference" / "golden"
SETTINGS = Settings(batches=4, prompts=2, group=4, micro_rows=4, rate=1e-2, sync_steps=3)


def filler() -> Filler:
    """A random model of its own, float32, that can be trained."""
    support.vocabulary()
    torch.manual_seed(2)
    with tempfile.TemporaryDirectory() as folder:
        export.export(Model(TINY), Path(folder), support.folder() / "tokenizer.model", 64)
        made = Filler.load(Path(folder), None)
        made.model = export.load(Path(folder), half=False)
    with torch.no_grad():  # layers start as the identity: give them something to say
        for parameter in made.model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.05)
    return made


def holes(made: Filler) -> Holes:
    return Holes([Document("python", "p", "a.py", support.SOURCE)], made.tokenizer, max_length=6)


def trainer(settings: Settings = SETTINGS, weights: dict | None = None, prepare=lambda model: None) -> Trainer:
    made = filler()
    prepare(made.model)
    scorer = Scorer(weights or {"similar": 1.0, "parse": 0.3})
    return Trainer(settings, made, holes(made), scorer, Sampler(made, settings.sampler))


class SamplerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.filler = filler()
        cls.prompts = holes(cls.filler).draw(np.random.default_rng(1), 5)

    def test_completions_have_the_length_that_was_asked_and_no_marks(self):
        for prompt, answer in zip(self.prompts, Sampler(self.filler, SamplerSettings()).complete(self.prompts, 3)):
            self.assertEqual(len(answer.tokens), prompt.length)
            self.assertFalse(any(self.filler.tokenizer.is_control(t) for t in answer.tokens))
            self.assertEqual(sorted(answer.order), list(range(prompt.length)))

    def test_the_seed_decides(self):
        sampler = Sampler(self.filler, SamplerSettings())
        one, two, other = (sampler.complete(self.prompts, seed) for seed in (3, 3, 4))
        self.assertEqual(one, two)
        self.assertNotEqual(one, other)

    def test_a_row_is_answered_alike_alone_and_among_longer_ones(self):
        sampler = Sampler(self.filler, SamplerSettings(temperature=0))
        together = sampler.complete(self.prompts, 0)
        for prompt, answer in zip(self.prompts, together):
            self.assertEqual(sampler.complete([prompt], 0)[0].tokens, answer.tokens)

    def test_two_tokens_a_step_take_half_the_passes(self):
        passes = []
        for tokens in (1.0, 2.0):
            sampler = Sampler(self.filler, SamplerSettings(temperature=0, tokens_per_step=tokens))
            seen, draw = [], sampler._draw
            sampler._draw = lambda *a: seen.append(1) or draw(*a)
            sampler.complete([dataclasses.replace(self.prompts[0], length=6)], 0)
            passes.append(len(seen))
        self.assertEqual(passes, [6, 3])

    def test_top_p_keeps_the_token_that_crosses_it(self):
        p = rollouts.distribution(torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log(), SamplerSettings(top_p=0.6))
        torch.testing.assert_close(p, torch.tensor([[0.625, 0.375, 0.0, 0.0]]))


class PolicyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.filler = filler()
        prompts = holes(cls.filler).draw(np.random.default_rng(1), 4)
        answers = Sampler(cls.filler, SamplerSettings()).complete(prompts, 3)
        cls.rollouts = rollouts.lay_out(cls.filler, prompts, [a.tokens for a in answers])
        cls.mask = coupled.draw_mask(5, 4, 4, cls.rollouts.kept.shape[1])

    def test_log_probabilities_are_those_of_the_three_copies(self):
        """Row by row, token by token, without the batching."""
        ours = policy.log_probabilities(self.filler.model, self.rollouts, self.mask, MASK)
        for row in range(4):
            ids = self.rollouts.ids[row][self.rollouts.documents[row] == 0]
            places = [int(self.rollouts.start[row]) + k for k in range(int(self.rollouts.kept[row].sum()))]
            first = self.mask.first[row, : len(places)].tolist()

            def seen(hidden: list[bool]) -> torch.Tensor:
                noised = ids.clone()
                for place, hide in zip(places, hidden):
                    noised[place] = MASK if hide else noised[place]
                logits = self.filler.model(noised[None], torch.tensor(places))
                return logits.log_softmax(-1)[torch.arange(len(places)), ids[places]]

            everything, b, c = seen([True] * len(places)), seen(first), seen([not f for f in first])
            for k in range(len(places)):
                half = b[k] / self.mask.ratio if first[k] else c[k] / (1 - self.mask.ratio)
                self.assertAlmostEqual(ours[row, k].item(), (everything[k] + half).item() / 2, places=3)
            self.assertTrue((ours[row, len(places) :] == 0).all())

    def test_parts_together_are_the_whole(self):
        parts = list(coupled.micro_batches(4, 2))
        with torch.no_grad():
            whole = policy.log_probabilities(self.filler.model, self.rollouts, self.mask, MASK)
        apart = policy.frozen_log_probabilities(self.filler.model, self.rollouts, self.mask, MASK, parts)
        torch.testing.assert_close(apart, whole, rtol=1e-4, atol=1e-4)

    def test_other_weights_are_held_only_inside(self):
        parameters = list(self.filler.model.parameters())
        before = [p.clone() for p in parameters]
        with policy.holding(parameters, [torch.zeros_like(p) for p in parameters]):
            self.assertEqual(sum(p.abs().sum().item() for p in parameters), 0)
        self.assertTrue(all(torch.equal(p, b) for p, b in zip(parameters, before)))


class TrainerTest(unittest.TestCase):
    def test_resumed_run_equals_the_unbroken_one(self):
        unbroken, first, second = trainer(), trainer(), trainer()
        for _ in range(4):
            unbroken.batch()
        for _ in range(2):
            first.batch()
        with tempfile.TemporaryDirectory() as folder:
            first.save(Path(folder) / "checkpoint.pt")
            second.restore(Path(folder) / "checkpoint.pt")
        self.assertEqual(second.progress.update, 4)
        for _ in range(2):
            second.batch()
        for ours, theirs in zip(second.parameters + second.reference, unbroken.parameters + unbroken.reference):
            self.assertTrue(torch.equal(ours, theirs))

    def test_a_checkpoint_of_other_settings_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.pt"
            trainer().save(path)
            with self.assertRaises(SystemExit):
                trainer(dataclasses.replace(SETTINGS, group=2)).restore(path)
            path.write_bytes(b"nonsense")
            with self.assertRaises(SystemExit):
                trainer().restore(path)

    def test_the_first_update_starts_at_a_ratio_of_one_and_no_divergence(self):
        subject, seen = trainer(), []
        update = subject.update
        subject.update = lambda *a: seen.append(update(*a)) or seen[-1]
        subject.batch()
        self.assertAlmostEqual(seen[0]["divergence"], 0, places=6)
        self.assertEqual(seen[0]["clipped"], 0)
        self.assertGreater(seen[1]["divergence"], 1e-6)  # the second iteration has moved away

    def test_the_reference_is_synced_every_so_many_updates(self):
        subject = trainer()  # two updates a batch, synced after the third
        start = [p.clone() for p in subject.reference]
        subject.batch()
        self.assertTrue(all(torch.equal(a, b) for a, b in zip(subject.reference, start)))
        subject.batch()
        self.assertFalse(all(torch.equal(a, b) for a, b in zip(subject.reference, start)))

    def test_gradients_of_micro_batches_are_averaged(self):
        grads = []
        for micro_rows in (4, 8):
            subject = trainer(dataclasses.replace(SETTINGS, micro_rows=micro_rows))
            prompts = [subject.source.draw(np.random.default_rng(1), 1)[0]] * 8  # equal lengths: both means are one
            answers = subject.completer.complete(prompts, 1)
            laid = rollouts.lay_out(subject.filler, prompts, [a.tokens for a in answers])
            mask = coupled.draw_mask(1, 8, 4, laid.kept.shape[1])
            parts = list(coupled.micro_batches(8, micro_rows))
            old = policy.frozen_log_probabilities(subject.model, laid, mask, MASK, parts)
            subject.adam.step = lambda: None
            subject.update(laid, torch.linspace(-1, 1, 8), mask, old, old, parts)
            grads.append(torch.cat([p.grad.flatten() for p in subject.parameters]))
        torch.testing.assert_close(grads[0], grads[1], rtol=1e-3, atol=1e-4)

    def test_it_learns_what_is_rewarded(self):
        settings = dataclasses.replace(SETTINGS, batches=12, prompts=4, group=8, micro_rows=32, rate=2e-2)
        subject = trainer(settings)
        newline = support.pieces().newline
        share = lambda prompts, texts: Scores(torch.tensor([t.count("\n") / max(1, len(t)) for t in texts]), {})
        subject.scorer = SimpleNamespace(score=share)
        prompts = subject.source.draw(np.random.default_rng(5), 4)

        def likelihood() -> float:
            laid = rollouts.lay_out(subject.filler, prompts, [[newline] * p.length for p in prompts])
            mask = coupled.draw_mask(1, 4, 4, laid.kept.shape[1])
            with torch.no_grad():
                return policy.log_probabilities(subject.model, laid, mask, MASK).sum().item() / laid.kept.sum().item()

        before = likelihood()
        for _ in range(12):
            subject.batch()
        self.assertGreater(likelihood(), before + 0.5)

    def test_with_adapters_only_they_move(self):
        subject = trainer(prepare=lambda model: lora.attach(model, lora.LoraSettings(rank=2)))
        table = subject.model.embedding.weight.clone()
        self.assertEqual(len(subject.parameters), 2 * 7 * TINY.layers)
        before = [p.detach().clone() for p in subject.parameters]
        subject.batch()
        self.assertTrue(torch.equal(subject.model.embedding.weight, table))
        self.assertTrue(any(not torch.equal(p, b) for p, b in zip(subject.parameters, before)))

    def test_the_rate_warms_up_and_ends_at_a_tenth(self):
        settings = Settings(batches=50, rate=1.0, warm_up=0.05)
        self.assertEqual(settings.rate_at(0), 0.2)
        self.assertAlmostEqual(settings.rate_at(5), 1.0)
        self.assertAlmostEqual(settings.rate_at(100), 0.1)

    def test_a_run_writes_its_curve_goes_on_and_stops_at_the_end(self):
        with tempfile.TemporaryDirectory() as name:
            folder, finished = Path(name), []
            for batches in (2, 3):
                subject = trainer(dataclasses.replace(SETTINGS, batches=batches))
                coupled_grpo.run(subject, folder, np.inf, 1e9, lambda: finished.append(subject.progress.batch))
            self.assertEqual(finished, [2, 3])
            self.assertEqual(len((folder / "log.csv").read_text().splitlines()), 4)
            points = plot.read_columns(folder / "log.csv", "batch", "reward")
            self.assertEqual([x for x, _ in points], [1, 2, 3])
            self.assertIn("mean reward of a batch", plot.chart_of(folder))


class PromptTest(unittest.TestCase):
    def test_only_files_that_parse_are_asked_about(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.jsonl"
            texts = [support.SOURCE, support.SOURCE.replace("class", "klass"), "x = 1\n"]
            path.write_text("".join(json.dumps(["python", "p", "a.py", t]) + "\n" for t in texts))
            self.assertEqual([d.text for d in python_documents(path)], texts[:1])

    def test_a_wrong_task_is_named_with_its_line(self):
        good = {"language": "python", "before": "x = ", "length": 3, "tests": ["assert x == 1"]}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tasks.jsonl"
            path.write_text(json.dumps(good) + "\n")
            self.assertEqual(Tasks.read(path).prompts[0], Prompt(Question("python", "x = ", "", ""), 3, ("assert x == 1",)))
            for wrong in ("{", "[]", json.dumps(good | {"length": 0}), json.dumps(good | {"before": 1})):
                path.write_text(json.dumps(good) + "\n" + wrong + "\n")
                with self.assertRaises(SystemExit):
                    Tasks.read(path)


class Answering(BaseHTTPRequestHandler):
    asked: list[dict] = []
    answer = b'{"content": "total + 1 and more than was asked for"}'

    def do_POST(self):
        self.asked.append({"path": self.path} | json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_):
        pass


class ServerTest(unittest.TestCase):
    def setUp(self):
        Answering.asked = []
        self.server = HTTPServer(("127.0.0.1", 0), Answering)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        address = f"http://127.0.0.1:{self.server.server_port}"
        self.client = InfillServer(address, support.vocabulary(), SamplerSettings(temperature=0.7))
        self.prompt = Prompt(Question("python", "a = ", "", "\n"), 4)

    def test_it_is_asked_as_llama_cpp_is(self):
        answers = self.client.complete([self.prompt] * 2, 9)
        first = Answering.asked[0]
        self.assertEqual((first["path"], first["input_prefix"], first["input_suffix"]), ("/infill", "a = ", "\n"))
        self.assertEqual((first["n_predict"], first["temperature"], first["seed"]), (4, 0.7, 9))
        self.assertEqual(Answering.asked[1]["seed"], 10)
        self.assertEqual(len(answers[0].tokens), 4)
        self.assertEqual(support.vocabulary().decode(answers[0].tokens), answers[0].text)

    def test_a_server_that_answers_nonsense_is_one_clear_error(self):
        Answering.answer, right = b"[1]", Answering.answer
        self.addCleanup(setattr, Answering, "answer", right)
        with self.assertRaises(SystemExit):
            self.client.complete([self.prompt], 1)

    def test_a_server_that_is_not_there_is_one_clear_error(self):
        with self.assertRaises(SystemExit):
            dataclasses.replace(self.client, address="http://127.0.0.1:1").complete([self.prompt], 1)

    def test_training_works_on_its_answers(self):
        subject = trainer()
        subject.completer = self.client
        self.assertIn("reward", subject.batch())

    def test_answers_without_a_token_teach_nothing(self):
        subject = trainer()
        before = [p.detach().clone() for p in subject.parameters]
        subject.completer = SimpleNamespace(complete=lambda asked, seed: [Completion([], "", [])] * len(asked))
        self.assertEqual(subject.batch()["loss"], 0)
        self.assertTrue(all(torch.equal(p, b) for p, b in zip(subject.parameters, before)))


class MeasureTest(unittest.TestCase):
    def test_ar_ness_is_the_reference(self):
        for case in json.loads((REFERENCE / "ar_ness.json").read_text()):
            for k, value in case["local_sequence_over_T_minus_k"].items():
                self.assertAlmostEqual(ar_ness.local_ar_ness(case["order"], int(k)), value)
            for k, value in case["global_at_k"].items():
                self.assertAlmostEqual(ar_ness.global_ar_ness(case["order"], int(k)), value)

    def test_the_table_has_a_line_for_each_model_and_number_of_steps(self):
        made = filler()
        asked = holes(made).draw(np.random.default_rng(1), 4)
        by_steps = {n: measure_grpo.measure(made, asked, {"exact": 1.0}, t) for n, t in measure_grpo.STEPS.items()}
        lines = measure_grpo.table({"a": by_steps, "b": by_steps}).splitlines()
        self.assertEqual(len(lines), 6)
        self.assertIn("(±0.0)", lines[-1])


if __name__ == "__main__":
    unittest.main()
