"""A few tasks of our own, in the formats of the published benchmarks."""

import gzip
import json


def infilling_task(number, prompt, middle, suffix, entry_point, asserts):
    return {
        "task_id": f"Own/{number}",
        "entry_point": entry_point,
        "prompt": prompt,
        "suffix": suffix,
        "canonical_solution": middle,
        "test": "def check(candidate):\n" + "".join(f"    assert {line}\n" for line in asserts),
    }


INFILLING = [
    infilling_task(
        0, "def total(prices):\n    result = 0\n", "    for price in prices:\n",
        "        result += price\n    return result\n", "total",
        ["candidate([]) == 0", "candidate([1, 2, 3]) == 6"],
    ),
    infilling_task(
        1, "def clamp(x, low, high):\n    if x < low:\n", "        return low\n",
        "    return min(x, high)\n", "clamp",
        ["candidate(1, 2, 3) == 2", "candidate(9, 2, 3) == 3", "candidate(2, 1, 3) == 2"],
    ),
    infilling_task(
        2, "import math\n\ndef hypotenuse(a, b):\n    square = ", "a * a + b * b",
        "\n    return math.sqrt(square)\n", "hypotenuse", ["candidate(3, 4) == 5"],
    ),
    infilling_task(
        3, "def words(text):\n    return ", "sorted(set(text.split()))", "\n", "words",
        ["candidate('b a b') == ['a', 'b']", "candidate('') == []"],
    ),
    infilling_task(
        4, "def fib(n):\n    a, b = 0, 1\n", "    for _ in range(n):\n        a, b = b, a + b\n",
        "    return a\n", "fib", ["candidate(0) == 0", "candidate(10) == 55"],
    ),
]

HUMAN_EVAL = [
    {
        "task_id": "Own/0",
        "entry_point": "add",
        "prompt": 'def add(a, b):\n    """Add two numbers."""\n',
        "canonical_solution": "    return a + b\n",
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
    },
    {
        "task_id": "Own/1",
        "entry_point": "is_even",
        "prompt": 'def is_even(n):\n    """Whether n is even."""\n',
        "canonical_solution": "    return n % 2 == 0\n",
        "test": "def check(candidate):\n    assert candidate(2) and not candidate(3)\n",
    },
]

MBPP = [
    {
        "task_id": 1,
        "text": "Write a function to add two numbers.",
        "code": "def add(a, b):\r\n  return a + b",
        "test_setup_code": "",
        "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
    },
    {
        "task_id": 2,
        "text": "Write a function to round up.",
        "code": "def up(x):\r\n  return math.ceil(x)",
        "test_setup_code": "import math",
        "test_list": ["assert up(1.5) == 2"],
    },
]


def json_lines(tasks):
    return "".join(json.dumps(task) + "\n" for task in tasks).encode()


def compressed(tasks):
    return gzip.compress(json_lines(tasks))
