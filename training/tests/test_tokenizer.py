import unittest

from training import tokenizer
from training.tests import support
from training.tokenizer import SPACE

TEXTS = (
    support.SOURCE,
    "\t\tif a  ==  b:\n\t\t\treturn\n",
    "no newline at the end",
    "caf\u00e9 \u6f22\u5b57 \U0001f600\n",
    " \n\n   \n",
    "x = 1234567890\n" + " " * 37 + "deep\n",
)


class TokenizerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.processor = support.vocabulary()

    def pieces(self, text: str) -> list[str]:
        return self.processor.encode(text, out_type=str)

    def test_every_text_comes_back(self):
        for text in TEXTS:
            self.assertEqual(self.processor.decode(self.processor.encode(text)), text)

    def test_control_symbols_have_the_promised_ids(self):
        expected = ["<unk>", "<mask>", "<pad>", "<eof>", "<expand>", "<bof>", "<lang_any>", "<lang_python>", "<lang_c>"]
        self.assertEqual([self.processor.id_to_piece(i) for i in range(len(expected))], expected)
        self.assertEqual(self.processor.id_to_piece(tokenizer.FIRST_TEXT_ID), "\n")

    def test_control_symbols_in_text_are_plain_text(self):
        ids = self.processor.encode("a <mask> b <pad>")
        self.assertTrue(all(i >= tokenizer.FIRST_TEXT_ID for i in ids))

    def test_lines_and_indentation_are_pieces_of_their_own(self):
        self.assertEqual(self.pieces("a\n        b")[1:3], ["\n", SPACE * 8])
        self.assertEqual(self.pieces("\t\tb")[0], "\t\t")
        self.assertEqual(self.pieces("\n\n"), ["\n", "\n"])

    def test_indented_word_has_the_pieces_of_the_bare_word(self):
        self.assertEqual(self.pieces("    return")[1:], self.pieces("return"))

    def test_splits_spell_the_piece(self):
        pieces, spell = support.pieces(), self.processor.id_to_piece
        self.assertGreater(len(pieces.splits), 100)
        for whole, pairs in pieces.splits.items():
            for left, right in pairs:
                self.assertEqual(spell(left) + spell(right), spell(whole))


if __name__ == "__main__":
    unittest.main()
