import unittest

from training import corpus, dedupe
from training.common import Manifest
from training.corpus import Document


def text(seed: int, lines: int = 80) -> str:
    return "".join(f"value_{(seed * 7919 + i * 104729) % 9973} = compute({i}, {seed})\n" for i in range(lines))


class DedupeTest(unittest.TestCase):
    def setUp(self):
        self.seen = dedupe.Seen()

    def add(self, content: str) -> bool:
        return self.seen.add(*dedupe.sketch(content))

    def test_the_same_text_is_new_once(self):
        self.assertTrue(self.add(text(1)))
        self.assertFalse(self.add(text(1)))

    def test_indentation_does_not_make_a_text_new(self):
        self.assertTrue(self.add(text(1)))
        self.assertFalse(self.add(text(1).replace("value", "    value")))

    def test_one_changed_line_does_not_make_a_text_new(self):
        self.assertTrue(self.add(text(1, 300)))
        self.assertFalse(self.add(text(1, 300).replace("compute(150, 1)", "something_else(1)")))

    def test_different_texts_are_new(self):
        self.assertTrue(all(self.add(text(seed)) for seed in range(20)))

    def test_short_texts_are_compared_exactly(self):
        self.assertTrue(self.add("a = 1\nb = 2\n"))
        self.assertTrue(self.add("a = 1\nb = 3\n"))
        self.assertFalse(self.add("a = 1\nb = 2\n"))


class ChooseTest(unittest.TestCase):
    def manifest(self, megabytes: float) -> Manifest:
        return Manifest((), frozenset({"held"}), {"python": 1.0}, int(megabytes * 1e6), 0.5, 1_000_000)

    def test_a_copy_of_a_held_out_file_is_not_trained_on(self):
        documents = [Document("python", "other", "a.py", text(1)), Document("python", "held", "b.py", text(1))]
        held_out, train = corpus.choose(documents, self.manifest(1))
        self.assertEqual([d.path for d in held_out], ["b.py"])
        self.assertEqual(train, [])

    def test_no_package_exceeds_its_share(self):
        documents = [Document("python", "big", f"{i}.py", text(i)) for i in range(30)]
        _, train = corpus.choose(documents, self.manifest(0.02))
        size = sum(len(d.text) for d in train)
        self.assertLessEqual(size, 10_000)
        self.assertGreater(size, 5_000)


if __name__ == "__main__":
    unittest.main()
