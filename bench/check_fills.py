"""Whether the texts that `syntax_bench --keep FOLDER` wrote parse: another process, another parse.

    python3 bench/check_fills.py LACUNA FOLDER

Each text is parsed by `lacuna debug holes`; Python is compiled as well, by this interpreter. Prints a
line for each that does not parse, then how many do, by extension. Ends with 1 if any does not.
"""

import collections
import json
import pathlib
import subprocess
import sys
import warnings


def problem_of(lacuna, path):
    """What is wrong with a file, or None."""
    language = path.suffix[1:]  # an extension is a name, too
    text = path.read_bytes()
    result = subprocess.run([lacuna, "debug", "holes", "--lang", language, "--at", "1:1"],
                            input=text, capture_output=True, check=False)
    if result.returncode != 0:
        return result.stderr.decode().strip()
    errors = json.loads(result.stdout)["errors"]
    if errors:
        return f"{len(errors)} errors, the first at {errors[0]['begin']}"
    if path.suffix == ".py":
        try:
            compile(text, str(path), "exec")
        except (SyntaxError, ValueError) as error:
            return f"compile(): {error}"
    return None


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")  # of invalid escapes and the like
    lacuna, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    good, all_of = collections.Counter(), collections.Counter()
    for path in sorted(folder.iterdir()):
        problem = problem_of(lacuna, path)
        all_of[path.suffix] += 1
        good[path.suffix] += problem is None
        if problem is not None:
            print(f"{path}: {problem}")
    for suffix, n in sorted(all_of.items()):
        print(f"{suffix}: {good[suffix]} of {n} parse")
    sys.exit(0 if good == all_of else 1)


if __name__ == "__main__":
    main()
