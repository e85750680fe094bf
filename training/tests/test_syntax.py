"""From what the grammar says about a text to holes in rows of token ids."""

import contextlib
import io
import json
import os
import shutil
import stat
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

from training import batches, data, masks, shards, streams, syntax, tokenizer
from training.corpus import Document, write_documents
from training.masks import NOTHING
from training.tests import support
from training.tokenizer import MASK, PAD

ROOT = Path(__file__).parents[2]
LACUNA = Path(os.environ.get("LACUNA_EXECUTABLE", ROOT / "build" / "cpu-release" / "lacuna"))
GO = "package p\n\nfunc Sum(values []int) int {\n\ttotal := 0\n\tfor _, v := range values {\n\t\ttotal += v\n\t}\n\treturn total\n}\n"

# Picks the rest of the cursor's line, and as a body the line below the one that is named.
STAND_IN = """#!{python}
import json, sys
with open({calls!r}, "a") as log:
    log.write(" ".join(sys.argv[1:5]) + "\\n")
text = sys.stdin.buffer.read().decode()
lines, holes = text.split("\\n"), []
starts = [len("\\n".join(lines[:i] + [""]).encode()) for i in range(len(lines))]
options = sys.argv[5:]
for option, value in zip(options[::2], options[1::2]):
    line, _, column = value.partition(":")
    row = int(line) - (option == "--at")
    begin = starts[row] + len(lines[row][: int(column) - 1].encode()) if column else starts[row]
    end = starts[row] + len(lines[row].encode())
    item = {{"begin": {{"line": 1}}}}
    holes.append({{"begin": {{"byte": begin}}, "end": {{"byte": end}}, "item": "f", "item_span": item}})
print(json.dumps({{"holes": holes}}))
"""


class SyntaxTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lacuna-spans-"))
        self.addCleanup(shutil.rmtree, self.folder)
        for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
            hushed = redirect(io.StringIO())
            hushed.__enter__()
            self.addCleanup(hushed.__exit__, None, None, None)
        self.addCleanup(setattr, syntax, "TOKENS_PER_CURSOR", syntax.TOKENS_PER_CURSOR)
        syntax.TOKENS_PER_CURSOR = 4  # short texts, many spans
        support.vocabulary()
        shutil.copyfile(support.folder() / "tokenizer.model", self.folder / "tokenizer.model")
        self.texts = [support.SOURCE, "# größer ÷ 2\n" + support.SOURCE.replace("Reader", "Écran"), GO]
        languages = ("python", "python", "go")
        documents = [Document(name, "p", f"{i}.x", text) for i, (name, text) in enumerate(zip(languages, self.texts))]
        write_documents(self.folder / "train.jsonl", documents)
        self.documents = list(syntax.read_documents(self.folder / "train.jsonl"))
        tokenizer.encode_file(self.folder, "train")

    def stand_in(self) -> Path:
        path = self.folder / "lacuna"
        path.write_text(STAND_IN.format(python=sys.executable, calls=str(self.folder / "calls")))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def find(self, lacuna: Path) -> int:
        return syntax.find(self.folder, syntax.Asker(lacuna, self.folder / "tokenizer.model"), 1)

    def places(self, text: str) -> syntax.Places:
        processor = support.vocabulary()
        return syntax.places_of(text, processor, support.pieces(), syntax.piece_sizes(processor))

    def spelled(self, corpus: data.Corpus, start: int, end: int, cuts: int) -> str:
        """The text of a span, cut pieces without what stays visible."""
        splits, ids = support.pieces().splits, corpus.ids[start:end].tolist()
        first, last = divmod(cuts, 256)
        ids[0] = splits[ids[0]][first - 1][1] if first else ids[0]
        ids[-1] = splits[ids[-1]][last - 1][0] if last else ids[-1]
        return support.vocabulary().decode(ids)


class Places(SyntaxTest):
    def test_every_byte_of_a_text_is_in_the_token_that_spells_it(self):
        for text in self.texts:
            places = self.places(text)
            self.assertEqual(places.starts[-1], len(text.encode()))
            for token, (a, b) in enumerate(zip(places.starts, places.starts[1:])):
                self.assertEqual(places.cut(a), (token, 0))
                spelled = support.vocabulary().decode(places.ids[token : token + 1])
                if "\ufffd" not in spelled:  # a byte of a character that has no piece
                    self.assertEqual(spelled.encode(), text.encode()[a:b])

    def test_a_span_may_begin_and_end_inside_a_piece(self):
        processor, splits = support.vocabulary(), support.pieces().splits
        piece, (first, second) = next((p, s[0]) for p, s in splits.items() if processor.decode([p]).isalpha())
        places = self.places("")
        places.ids, places.starts = [piece, piece], [0]
        for i in places.ids:
            places.starts.append(places.starts[-1] + int(places.sizes[i]))
        size, inside = int(places.sizes[piece]), int(places.sizes[first])
        self.assertEqual(places.span(inside, size + inside), (0, 2, 257))
        self.assertEqual(places.span(0, inside), (0, 1, 1))
        self.assertEqual(places.span(size, 2 * size), (1, 2, 0))

    def test_what_is_empty_or_too_long_is_no_span(self):
        places = self.places("x\n" * (masks.MAX_HOLE + 1))
        self.assertIsNone(places.span(4, 4))
        self.assertIsNotNone(places.span(0, masks.MAX_HOLE))
        self.assertIsNone(places.span(0, masks.MAX_HOLE + 1))

    def test_cursors_lie_on_lines_with_text_and_depend_on_the_document_alone(self):
        for document in self.documents:
            lines = document.text.split("\n")
            cursors = syntax.draw_cursors(document, self.places(document.text))
            self.assertEqual(cursors, syntax.draw_cursors(document, self.places(document.text)))
            self.assertTrue(cursors)
            for line, column in (map(int, c.split(":")) for c in cursors):
                self.assertTrue(lines[line - 1][column - 1 :].strip())
                self.assertFalse(lines[line - 1][column - 1 :].startswith("    "))


class Find(SyntaxTest):
    def test_spans_spell_what_the_grammar_picked(self):
        count = self.find(self.stand_in())
        corpus = data.Corpus(self.folder, "train", 64)
        self.assertEqual(corpus.spans.shape, (3, count))
        self.assertGreater(count, 6)
        self.assertTrue((np.diff(corpus.spans[0].astype(int)) >= 0).all())
        for index, document in enumerate(self.documents):
            lines = document.text.split("\n")
            spans = corpus.spans_of(index) + [[corpus.offsets[index]], [corpus.offsets[index]], [0]]
            spelled = {self.spelled(corpus, *span) for span in spans.T.tolist()}
            self.assertTrue(all(any(line.endswith(s) for line in lines) for s in spelled), spelled)
            self.assertIn(lines[1], spelled | {""}, "the body of the item on line 1")

    def test_a_stopped_search_goes_on_with_what_is_missing(self):
        lacuna, part = self.stand_in(), syntax.PART
        self.addCleanup(setattr, syntax, "PART", part)
        syntax.PART = 1
        self.find(lacuna)
        whole = syntax.spans_path(self.folder).read_bytes()
        calls = len((self.folder / "calls").read_text().splitlines())
        syntax.spans_path(self.folder).unlink()
        (self.folder / "calls").unlink()
        lines = (self.folder / "train.jsonl").read_text()
        (self.folder / "train.jsonl").write_text("".join(lines.splitlines(True)[:2]))
        with self.assertRaises(SystemExit):
            self.find(lacuna)
        (self.folder / "train.jsonl").write_text(lines)
        self.find(lacuna)
        self.assertEqual(syntax.spans_path(self.folder).read_bytes(), whole)
        self.assertEqual(len((self.folder / "calls").read_text().splitlines()), calls)
        self.assertFalse((self.folder / "train.spans.parts").exists())

    def test_text_that_was_not_encoded_is_refused(self):
        changed = [Document(d.language, d.package, d.path, d.text + "more = 1\n") for d in self.documents]
        write_documents(self.folder / "train.jsonl", changed)
        with self.assertRaises(SystemExit):
            self.find(self.stand_in())

    def test_encoding_anew_removes_spans_of_the_old_ids(self):
        self.find(self.stand_in())
        tokenizer.encode_file(self.folder, "train")
        self.assertFalse(syntax.spans_path(self.folder).exists())

    def test_an_executable_that_fails_is_named(self):
        bad = self.folder / "bad"
        bad.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
        bad.chmod(0o755)
        for lacuna in (bad, self.folder / "none"):
            with self.assertRaises(OSError) as caught:
                self.find(lacuna)
            self.assertEqual(str(caught.exception.filename), str(lacuna))

    @unittest.skipUnless(LACUNA.exists(), "lacuna is not built")
    def test_the_grammar_picks_statements_arguments_and_bodies(self):
        self.find(LACUNA)
        corpus = data.Corpus(self.folder, "train", 64)
        spelled = [self.spelled(corpus, *span) for span in corpus.spans.T.tolist()]
        body = GO[GO.index("total") : GO.index("\n}\n")]
        self.assertIn(body, spelled)
        for text in spelled:
            self.assertTrue(any(text in source for source in self.texts), text)


class Holes(SyntaxTest):
    def setUp(self):
        super().setUp()
        self.find(self.stand_in())
        self.corpus = data.Corpus(self.folder, "train", 64)
        self.rng = np.random.default_rng(5)

    def windows(self, length: int):
        for _ in range(200):
            window = self.corpus.draw(self.rng, length)
            if window.spans.size:
                yield window

    def test_spans_of_a_window_are_those_that_lie_in_it_as_a_whole(self):
        seen = 0
        for window in self.windows(64):
            self.assertLessEqual(len(window.ids), 64)
            for start, end, cuts in window.spans.T.tolist():
                self.assertGreaterEqual(start, window.first)
                self.assertLessEqual(end, window.end)
                piece = window.ids[start:end]
                wanted = np.lib.stride_tricks.sliding_window_view(self.corpus.ids, len(piece))
                places = np.flatnonzero((wanted == piece).all(axis=1))
                known = {(int(a), int(c)) for a, c in zip(self.corpus.spans[0], self.corpus.spans[2])}
                self.assertTrue(any((int(p), cuts) in known for p in places))
                seen += 1
        self.assertGreater(seen, 100)

    def test_holes_of_the_grammar_are_cut_where_it_cuts_and_restore_the_text(self):
        finder = masks.SpanFinder(support.pieces(), syntax=1.0)
        seen = 0
        for window in self.windows(64):
            hole = finder.draw(window, self.rng)
            self.assertIn((hole.start, hole.end), {tuple(s) for s in window.spans[:2].T.tolist()})
            decode = support.vocabulary().decode
            self.assertEqual(
                decode([*hole.head, *hole.target, *hole.tail]), decode(window.ids[hole.start : hole.end].tolist())
            )
            seen += bool(hole.head or hole.tail)
        self.assertGreater(seen, 10)

    def test_their_share_is_the_stages(self):
        finder = masks.SpanFinder(support.pieces(), syntax=0.4)
        calls, drawn = [], finder.grammars
        finder.grammars = lambda *arguments: calls.append(1) or drawn(*arguments)
        windows = list(self.windows(128))
        for _ in range(10):
            for window in windows:
                finder.draw(window, self.rng)
        self.assertAlmostEqual(len(calls) / (10 * len(windows)), 0.4, delta=0.05)

    def test_rows_of_a_run_are_made_of_them(self):
        run = support.run(self.folder, corpus=self.folder, stage={"syntax": 1.0, "holes_first": 1.0, "holes_last": 1.0})
        source = streams.open_source(run)
        pair = batches.make_pair(source, [1, 2, 3], batches.Shape(4, 256, 128), 0.5)
        self.assertTrue((pair.targets != NOTHING).any())
        self.assertTrue(((pair.ids == MASK) == (pair.targets != NOTHING)).all())
        again = batches.make_pair(source, [1, 2, 3], batches.Shape(4, 256, 128), 0.5)
        self.assertTrue(np.array_equal(pair.ids, again.ids) and np.array_equal(pair.targets, again.targets))

    def test_a_corpus_without_spans_is_masked_as_before(self):
        window = next(self.windows(128))
        plain = data.Window(window.ids, window.first, window.end)
        with_share, without = masks.SpanFinder(support.pieces(), syntax=0.4), masks.SpanFinder(support.pieces())
        rows = [masks.holes_row(plain, 160, f, np.random.default_rng(9)) for f in (with_share, without)]
        self.assertTrue(np.array_equal(rows[0].inputs, rows[1].inputs))

    def test_rows_with_holes_stay_within_their_length(self):
        finder = masks.SpanFinder(support.pieces(), syntax=1.0)
        rows = [masks.holes_row(w, 128, finder, self.rng) for w in self.windows(128)]
        self.assertGreater(sum(row is not None for row in rows), 20)
        self.assertTrue(all(len(row) <= 128 for row in rows if row))
        self.assertTrue(any((row.targets == PAD).any() for row in rows if row))

    def test_spans_of_another_corpus_are_refused(self):
        np.save(syntax.spans_path(self.folder), np.array([[1], [10**6], [0]], np.uint32))
        with self.assertRaises(SystemExit):
            data.Corpus(self.folder, "train", 64)
        syntax.spans_path(self.folder).write_bytes(b"odd")
        with self.assertRaises(SystemExit):
            data.Corpus(self.folder, "train", 64)


class Carried(SyntaxTest):
    def test_shards_carry_spans_and_give_them_back(self):
        self.find(self.stand_in())
        target = self.folder / "shards"
        target.mkdir()
        shards.write(self.folder, "train", target, 100, None)
        self.assertGreater(len(list(target.glob("train.*.spans.xz"))), 1)
        shards.unpack(target, "train")
        found = np.load(target / "train.spans.npy")
        self.assertTrue(np.array_equal(found, np.load(syntax.spans_path(self.folder))))

    def test_damaged_or_missing_spans_leave_no_half_corpus(self):
        self.find(self.stand_in())
        target = self.folder / "shards"
        target.mkdir()
        shards.write(self.folder, "train", target, 100, None)
        path = target / "train.000.spans.xz"
        whole = path.read_bytes()
        for damage in (lambda: path.write_bytes(whole[:-1]), path.unlink):
            damage()
            with self.assertRaises(SystemExit):
                shards.unpack(target, "train")
            self.assertEqual([*target.glob("*.u16"), *target.glob("*.npy"), *target.glob("*.tmp")], [])
        path.write_bytes(whole)
        shards.unpack(target, "train")
        (target / "train.spans.npy").unlink()
        shards.unpack(target, "train")
        self.assertTrue((target / "train.spans.npy").exists())

    def test_a_corpus_without_spans_has_shards_without(self):
        target = self.folder / "shards"
        target.mkdir()
        shards.write(self.folder, "train", target, 100, None)
        shards.unpack(target, "train")
        self.assertNotIn("spans", json.loads((target / "train.shards.json").read_text())["shards"][0])
        self.assertFalse((target / "train.spans.npy").exists())


if __name__ == "__main__":
    unittest.main()
