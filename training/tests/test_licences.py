import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

from training import licences
from training.common import Package
from training.licences import judge_copyright, judge_npm

MACHINE_READABLE = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: thing

Files: *
Copyright: 2020 Somebody
License: {}

Files: debian/*
Copyright: 2021 Somebody else
License: GPL-2+
"""
PLAIN = "This is the thing.\n\nPermission is hereby granted, free of\n  charge, to any person obtaining a copy"


def packed(path: Path, members: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return path


class CopyrightTest(unittest.TestCase):
    def test_the_licence_of_all_files_must_be_the_manifests(self):
        for wanted, said, agrees in (
            ("MIT", "Expat", True),
            ("Apache-2.0", "Apache-2", True),
            ("MIT OR Apache-2.0", "Expat or Apache-2.0", True),
            ("BSD-3-Clause (offered beside GPL-2.0)", "BSD-3-clause or GPL-2", True),
            ("BSD-3-Clause", "BSD-3-clause-Google", True),
            ("MIT", "Expat with embedded exception", True),
            ("Apache-2.0", "Apache-2.0 and BSD-3-clause", True),
            ("MIT", "Expat and GPL-2+", False),
            ("MIT", "GPL-2+", False),
            ("MIT", "LGPL-2.1", False),
            ("Apache-2.0", "MPL-2.0", False),
        ):
            verdict = judge_copyright(wanted, MACHINE_READABLE.format(said))
            self.assertEqual((verdict.agrees, verdict.found), (agrees, said), wanted)

    def test_a_licence_under_a_name_of_its_own_is_known_by_its_text(self):
        text = MACHINE_READABLE.format("Go") + "\nLicense: Go\n Redistribution and use in source and\n binary forms, with\n"
        self.assertTrue(judge_copyright("BSD-3-Clause", text).agrees)
        self.assertFalse(judge_copyright("MIT", text).agrees)

    def test_what_debian_files_are_under_does_not_count(self):
        self.assertFalse(judge_copyright("GPL-2+", MACHINE_READABLE.format("Expat")).agrees)

    def test_a_file_without_names_must_have_the_text(self):
        self.assertTrue(judge_copyright("MIT", PLAIN).agrees)
        self.assertFalse(judge_copyright("Apache-2.0", PLAIN).agrees)
        self.assertFalse(judge_copyright("MIT", "See the file COPYING.").agrees)

    def test_npm_says_it_in_one_field_or_the_older_ones(self):
        for field in ("MIT", {"type": "MIT", "url": ""}, [{"type": "MIT"}, {"type": "GPL-2.0"}], "(MIT OR CC0-1.0)"):
            self.assertTrue(judge_npm("MIT", field).agrees, field)
        for field in (None, "", "GPL-3.0", "SEE LICENSE IN LICENSE.md", 3):
            self.assertFalse(judge_npm("MIT", field).agrees, field)


class ArchiveTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lacuna-licences-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def judge(self, kind: str, licence: str) -> bool:
        return licences.judge(Package("thing", kind, licence), self.folder).agrees

    def test_a_source_package_is_judged_by_its_debian_part(self):
        packed(self.folder / "thing_1.orig.tar.gz", {"thing/debian/copyright": PLAIN})
        self.assertFalse(self.judge("debian-source", "MIT"))
        packed(self.folder / "thing_1-1.debian.tar.gz", {"debian/copyright": MACHINE_READABLE.format("Expat")})
        self.assertTrue(self.judge("debian-source", "MIT"))
        self.assertFalse(self.judge("debian-source", "ISC"))

    @unittest.skipUnless(shutil.which("dpkg-deb"), "not a Debian system")
    def test_a_binary_package_may_share_the_documents_of_another(self):
        fetched = {}
        for name in ("thing", "thing-data"):
            root = self.folder / f"{name}-root"
            (root / "DEBIAN").mkdir(parents=True)
            fields = {"Package": name, "Version": "1", "Architecture": "all", "Maintainer": "a <a@b.c>", "Description": "a"}
            (root / "DEBIAN" / "control").write_text("".join(f"{k}: {v}\n" for k, v in fields.items()))
            documents = root / "usr" / "share" / "doc"
            documents.mkdir(parents=True)
            if name == "thing":
                (documents / name).mkdir()
                (documents / name / "copyright").write_text(MACHINE_READABLE.format("ISC"))
            else:
                (documents / name).symlink_to("thing")
            fetched[name] = self.folder / "archives" / name
            fetched[name].mkdir(parents=True)
            subprocess.run(["dpkg-deb", "-b", root, fetched[name] / f"{name}_1_all.deb"], check=True, capture_output=True)
        package = Package("thing-data", "debian-binary", "ISC")
        self.assertTrue(licences.judge(package, fetched["thing-data"]).agrees)
        shutil.rmtree(fetched["thing"])
        self.assertFalse(licences.judge(package, fetched["thing-data"]).agrees)

    def test_an_npm_package_is_judged_by_its_own_package_json(self):
        inner = json.dumps({"license": "GPL-3.0"})
        packed(self.folder / "thing-1.tgz", {"package/lib/package.json": inner, "package/package.json": json.dumps({"license": "ISC"})})
        self.assertTrue(self.judge("npm", "ISC"))
        self.assertFalse(self.judge("npm", "GPL-3.0"))

    def test_a_package_that_says_nothing_or_cannot_be_read_is_refused(self):
        self.assertFalse(self.judge("npm", "MIT"))
        (self.folder / "thing-1.tgz").write_bytes(b"not an archive")
        self.assertFalse(self.judge("npm", "MIT"))


if __name__ == "__main__":
    unittest.main()
