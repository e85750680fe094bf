"""The Debian package: what is in it is enough, wherever it is unpacked."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["LACUNA_BUILD"])


@unittest.skipUnless(shutil.which("dpkg-deb"), "no dpkg-deb on this machine")
class DebianPackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="lacuna_package_"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        subprocess.run(
            ["cpack", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder],
            check=True,
            capture_output=True,
            cwd=cls.folder,
        )
        (cls.package,) = cls.folder.glob("lacuna_*.deb")
        cls.root = cls.folder / "root"
        subprocess.run(["dpkg-deb", "-x", cls.package, cls.root], check=True)
        cls.lacuna = cls.root / "usr/bin/lacuna"

    def run_lacuna(self, *args, **kwargs):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return subprocess.run(
            [self.lacuna, *args], check=True, capture_output=True, env=environment, **kwargs
        ).stdout.decode()

    def field(self, name):
        command = ["dpkg-deb", "-f", self.package, name]
        return subprocess.run(command, check=True, capture_output=True).stdout.decode().strip()

    def test_says_what_it_needs(self):
        self.assertEqual(self.field("Package"), "lacuna")
        needs = self.field("Depends")
        for library in ("libc6", "libsentencepiece", "libpcre2-8", "libutf8proc"):
            self.assertIn(library, needs)

    def test_fills_with_the_model_that_it_brings(self):
        folder = self.root / "usr/share/lacuna/models/lacuna-small"
        self.assertEqual(self.run_lacuna("model", "path"), f"{folder}\n")
        source = "def area(width, height):\n    return width ⟦?3⟧\n"
        filled = self.run_lacuna("fill", "-", "--lang", "python", input=source.encode())
        self.assertTrue(filled.startswith("def area(width, height):\n    return width "), filled)
        self.assertNotIn("⟦", filled)

    def test_has_the_plugin_where_neovim_looks(self):
        plugin = self.root / "usr/share/nvim/site/pack/lacuna/opt/lacuna"
        for name in ("plugin/lacuna.lua", "lua/lacuna/init.lua", "doc/lacuna.txt", "lsp/lacuna.lua"):
            self.assertTrue((plugin / name).is_file(), name)
        self.assertFalse((plugin / "tests").exists())
        self.assertIn("lacuna-install\tlacuna.txt\t/*lacuna-install*", (plugin / "doc/tags").read_text())

    def test_has_the_licence_of_all_that_is_linked_in(self):
        text = (self.root / "usr/share/doc/lacuna/copyright").read_text(errors="replace")
        packages = pathlib.Path(__file__).parents[2] / "grammar/node_modules"
        names = [p.name for p in packages.glob("**/tree-sitter*") if (p / "package.json").exists()]
        self.assertGreater(len(names), 10)
        for name in ["Apache License", "tree-sitter", *names]:
            self.assertIn(f"\n{name}\n" if name in names else name, text)

    def test_files_belong_to_root_and_nobody_else_may_write(self):
        listed = subprocess.run(["dpkg-deb", "-c", self.package], check=True, capture_output=True)
        for line in listed.stdout.decode().splitlines():
            mode, owner = line.split()[:2]
            self.assertEqual(owner, "root/root", line)
            if not mode.startswith("l"):
                self.assertEqual(mode[5] + mode[8], "--", line)


if __name__ == "__main__":
    unittest.main()
