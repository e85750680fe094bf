#!/usr/bin/env python3
"""Fails when the inner loop of a tile kernel keeps sums in memory instead of in registers.

usage: check_spills.py LIBRARY

GCC 12 does that to harmless-looking changes, and the product then takes twice as long: no test of
results would notice. Only optimised builds for x86-64 can pass.
"""
import re
import subprocess
import sys

KERNELS = {  # function of the library -> the multiplication that it is about
    "tile_f32_rows<6>": "vfmadd",
    "tile_bf16_pairs_rows<6>": "vdpbf16ps",
    "tile_int8_rows<6>": "vpdpbusd",
    "tile_int8_rows<3>": "vpdpbusd|vpmaddwd",
}


def functions(library):
    text = subprocess.run(
        ["objdump", "-d", "-C", "--no-show-raw-insn", library],
        capture_output=True, text=True, check=True).stdout
    for block in text.split("\n\n"):
        head, *lines = block.strip().split("\n")
        name = re.match(r"[0-9a-f]+ <(.*)>:$", head)
        if name:
            yield name[1], [line.split("\t", 1) for line in lines if "\t" in line]


def inner_loop(code, multiplication):
    """The loop with the fewest multiplications: from the target of a jump back to the jump."""
    best, least = [], ()
    for number, (_, text) in enumerate(code):
        jump = re.match(r"j\w+\s+([0-9a-f]+) ", text)
        if not jump:
            continue
        starts = [i for i, (address, _) in enumerate(code[:number])
                  if address.strip(" :") == jump[1]]
        body = [text for _, text in code[starts[0]:number + 1]] if starts else []
        count = sum(bool(re.search(multiplication, line)) for line in body)
        size = (count, len(body))  # an outer loop has as many
        if count and (not best or size < least):
            best, least = body, size
    return best


found, bad = 0, []
for name, code in functions(sys.argv[1]):
    for kernel, multiplication in KERNELS.items():
        if kernel not in name:
            continue
        found += 1
        loop = inner_loop(code, multiplication)
        spills = [line for line in loop if re.search(r"\(%r[sb]p", line)]
        if not loop:
            bad.append(f"{name}: no loop with {multiplication} found")
        if spills:
            bad.append(f"{name}: the inner loop uses the stack:\n  " + "\n  ".join(spills))
if found < 6:  # tile_f32 of AVX2 and AVX512, tile_bf16_pairs, tile_int8 of AVX2 and (twice) VNNI
    bad.append(f"only {found} tile kernels found in {sys.argv[1]}")
print("\n".join(bad) or f"{found} inner loops stay in registers")
sys.exit(bool(bad))
