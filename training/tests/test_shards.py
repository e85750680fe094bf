import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np

from training import shards
from training.data import Corpus
from training.tests import support


class ShardTest(unittest.TestCase):
    def setUp(self):
        support.vocabulary()
        self.corpus = support.encoded_corpus()
        self.folder = Path(tempfile.mkdtemp(prefix="lacuna-shards-"))
        self.addCleanup(shutil.rmtree, self.folder)
        for name in shards.NAMES:
            shards.write(self.corpus, name, self.folder, 500, None)

    def test_what_is_unpacked_is_what_was_written(self):
        shards.unpack_all(self.folder)
        for name in shards.NAMES:
            for ending in (".u16", ".offsets.npy"):
                self.assertEqual(*((f / (name + ending)).read_bytes() for f in (self.corpus, self.folder)))
        self.assertGreater(len(list(self.folder.glob("train.*.xz"))), 1)
        Corpus(self.folder, "train", 64)

    def test_damaged_or_missing_shards_leave_no_half_corpus(self):
        path = self.folder / "train.001.xz"
        whole = path.read_bytes()
        damages = (lambda: path.write_bytes(whole[:-1]), lambda: path.write_bytes(whole[:9] + b"?" + whole[10:]), path.unlink)
        for damage in damages:
            path.write_bytes(whole)
            damage()
            with self.assertRaises(SystemExit):
                shards.unpack_all(self.folder)
            self.assertEqual(list(self.folder.glob("train*.u16")) + list(self.folder.glob("*.tmp")), [])
        path.write_bytes(whole)
        shards.unpack_all(self.folder)
        self.assertTrue((self.folder / "train.u16").exists())

    def test_a_damaged_list_is_refused(self):
        listed = json.loads((self.folder / "train.shards.json").read_text())
        for damaged in ("{", json.dumps(listed | {"ids": 1}), "[]"):
            (self.folder / "train.shards.json").write_text(damaged)
            with self.assertRaises(SystemExit):
                shards.unpack_all(self.folder)

    def test_a_limit_leaves_whole_shards_out(self):
        size = shards.write(self.corpus, "train", self.folder, 500, 700)
        self.assertLessEqual(size, 700)
        shards.unpack_all(self.folder)
        ids = np.fromfile(self.folder / "train.u16", np.uint16)
        self.assertTrue(np.array_equal(ids, np.fromfile(self.corpus / "train.u16", np.uint16)[: len(ids)]))
        with self.assertRaises(SystemExit):
            shards.write(self.corpus, "train", self.folder, 500, 10)


if __name__ == "__main__":
    unittest.main()
