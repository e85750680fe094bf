import gzip
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from training import common, corpus
from training.common import Manifest
from training.corpus import Document
from training.decontaminate import Benchmarks
from training.tests import support

TASK = {
    "prompt": "def below_zero(operations):\n    '''Does the balance of a bank account fall below zero at any point?'''\n",
    "canonical_solution": "    balance = 0\n    for op in operations:\n        balance += op\n",
}


class DecontaminateTest(unittest.TestCase):
    def benchmarks(self, tasks: list[dict], name: str = "tasks.jsonl.gz") -> Benchmarks:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            with gzip.open(path, "wt") if name.endswith(".gz") else path.open("w") as out:
                out.writelines(json.dumps(task) + "\n" for task in tasks)
            return Benchmarks([path])

    def test_a_copied_task_is_found_in_other_layout_and_case(self):
        found = self.benchmarks([TASK])
        copied = "# does the balance\n# of a BANK account\n# fall below zero at any point\nbalance = 0\nfor op in x: pass"
        self.assertTrue(found.share_text_with("import os\n" + copied + support.SOURCE))

    def test_a_run_across_prompt_and_solution_is_found(self):
        text = "def f():\n    # at any point?\n    balance = 0\n    for op in operations:\n        balance += op\n"
        self.assertFalse(self.benchmarks([TASK]).share_text_with("account fall below zero " * 3))
        self.assertTrue(self.benchmarks([TASK]).share_text_with("account fall below zero " + text[8:]))

    def test_other_code_is_kept(self):
        self.assertFalse(self.benchmarks([TASK], "tasks.jsonl").share_text_with(support.SOURCE))

    def test_the_frame_of_a_benchmark_is_not_a_task(self):
        frame = "include stdio include vector include math include string using namespace std include algorithm include map\n"
        tasks = [{"prompt": frame + f"void task_{'abcdefghijklmnop'[i]}() {{}}"} for i in range(16)]
        self.assertFalse(self.benchmarks(tasks).share_text_with(frame))
        self.assertTrue(self.benchmarks(tasks[:3]).share_text_with(frame))

    def test_files_that_are_no_benchmarks_are_refused(self):
        for tasks in ([{"question": "what?"}], []):
            with self.assertRaises(SystemExit):
                self.benchmarks(tasks)
        with self.assertRaises(SystemExit):
            Benchmarks([Path("/nonexistent.jsonl")])

    def test_held_out_packages_keep_theirs(self):
        text = TASK["prompt"] + TASK["canonical_solution"]
        documents = [Document("python", name, "a.py", text) for name in ("held", "other")]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "b.jsonl"
            path.write_text(json.dumps(TASK))
            kept = corpus.drop_contaminated(documents, frozenset({"held"}), [path])
        self.assertEqual([d.package for d in kept], ["held"])


class ManifestTest(unittest.TestCase):
    def test_both_manifests_name_a_licence_for_every_package(self):
        small = common.read_manifest()
        large = common.read_manifest(common.MANIFEST.with_name("packages_38m.toml"))
        self.assertTrue({p.name for p in small.packages} < {p.name for p in large.packages})
        self.assertGreater(large.corpus_bytes, 3 * small.corpus_bytes)
        self.assertEqual(large.held_out, small.held_out)
        for manifest in (small, large):
            self.assertAlmostEqual(sum(manifest.mix.values()), 1.0)
            self.assertTrue(all(len(p.licence) > 2 for p in manifest.packages))
            self.assertFalse([p.name for p in manifest.packages if "://" in p.name])

    def test_held_out_packages_are_fetched_alone_when_asked(self):
        command = ["corpus", "fetch", "/nowhere", "--held-out"]
        with mock.patch("training.corpus.sources.fetch") as fetch, mock.patch("sys.argv", command):
            corpus.main()
        packages, folder = fetch.call_args.args
        self.assertEqual({p.name for p in packages}, common.read_manifest().held_out)
        self.assertEqual(folder, Path("/nowhere/archives"))

    def test_nothing_to_measure_on_is_an_error(self):
        manifest = Manifest((common.Package("held", "npm", "MIT"),), frozenset({"held"}), {}, 1, 1, 1)
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(SystemExit):
            corpus.say_what_is_missing(manifest, Path(folder))

    def test_a_damaged_archive_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a-1.tgz"
            path.write_bytes(b"not an archive")
            with self.assertRaises(OSError) as caught:
                corpus.clean_package((common.Package("a", "npm", "MIT"), Path(folder)))
        self.assertEqual(caught.exception.filename, str(path))


class GuardTest(unittest.TestCase):
    def test_a_full_disk_and_too_little_memory_are_one_line(self):
        def full_disk():
            with open("/dev/full", "w") as out:
                out.write("x" * 100_000)

        def no_memory():
            raise MemoryError

        for main in (full_disk, no_memory):
            with self.assertRaises(SystemExit):
                common.guarded(main)


if __name__ == "__main__":
    unittest.main()
