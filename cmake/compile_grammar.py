#!/usr/bin/env python3
"""Compiles the grammar.json of a tree-sitter package to the tables of grammar/checker/tables.h.

usage: compile_grammar.py LANGUAGE NODE_MODULES OUTPUT.cpp

Precedences, fields and aliases do not matter for recognition and are dropped, which can only make
the grammar accept more.
"""
import json
import pathlib
import re
import sys

import grammar_regex
from grammar_languages import LANGUAGES

FLAGS = {"tight": 1, "extra": 2, "block": 4, "any": 8, "keyword": 16, "word": 32, "reserved": 64}
VIRTUAL = {"semicolon": 1, "newline": 2, "indent": 3, "dedent": 4, "end": 5}
WRAPPERS = ("FIELD", "PREC", "PREC_LEFT", "PREC_RIGHT", "PREC_DYNAMIC")
TOKENS = ("STRING", "PATTERN", "TOKEN", "IMMEDIATE_TOKEN")


def bare(node):
    """Without the wrappers that do not change what is recognised."""
    while node["type"] in ("ALIAS", *WRAPPERS):
        node = node["content"]
    return node


def pattern_of(node):
    """The regular expression of a token rule."""
    kind = node["type"]
    if kind == "STRING":
        return grammar_regex.escape(node["value"])
    if kind == "PATTERN":
        return f"({node['value']})"
    if kind == "BLANK":
        return ""
    if kind == "CHOICE":
        return "(" + "|".join(map(pattern_of, node["members"])) + ")"
    if kind == "SEQ":
        return "".join(map(pattern_of, node["members"]))
    if kind in ("REPEAT", "REPEAT1"):
        return f"({pattern_of(node['content'])})" + ("*" if kind == "REPEAT" else "+")
    return pattern_of(node["content"])


class Compiler:
    def __init__(self, grammar, language):
        self.grammar, self.language, self.rules = grammar, language, grammar["rules"]
        self.word = grammar.get("word")
        self.terminals = {}  # key -> (name, [(pattern, flags, ignore case)], virtual kind)
        self.heads, self.productions, self.helpers = {}, [], {}
        self.aligned = set(language.get("aligned", []))
        self.reserved = set(language.get("reserved", []))
        self.reserved |= {x["value"] for x in next(iter(grammar.get("reserved", {}).values()), [])}
        self.word_pattern = None
        if self.word:
            self.word_pattern = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

    def terminal(self, key, name, patterns, virtual=0):
        self.terminals.setdefault(key, (name, patterns, virtual))
        return ("t", key)

    def token(self, node, context):
        node = bare(node)
        tight = False
        ignore_case = "i" in (node.get("flags") or "")
        while node["type"] in ("TOKEN", "IMMEDIATE_TOKEN") or node["type"].startswith("PREC"):
            tight |= node["type"] == "IMMEDIATE_TOKEN"
            node = node["content"]
        flags = "tight" if tight else ""
        if node["type"] == "STRING":
            text = node["value"]
            if text == "\0":
                return self.terminal(("end",), "end of file", [], VIRTUAL["end"])
            if self.word_pattern and self.word_pattern.fullmatch(text):
                flags += " keyword" + (" reserved" if text in self.reserved else "")
        words = [bare(m) for m in node["members"]] if node["type"] == "CHOICE" else []
        if words and self.word_pattern and all(
                w["type"] == "STRING" and self.word_pattern.fullmatch(w["value"]) for w in words):
            flags += " keyword"
        pattern = pattern_of(node)
        pattern = self.language.get("tokens", {}).get(pattern, pattern)
        return self.terminal((pattern, flags, ignore_case), pattern, [(pattern, flags, ignore_case)])

    def symbol(self, name, context):
        """One symbol for the rule `name`."""
        known = self.language["patterns"].get(name)
        if known:
            return self.terminal(("rule", name), name, [(p, f, False) for p, f in known])
        virtual = self.language.get("virtual", {}).get(name)
        if virtual:
            return self.terminal(("virtual", virtual), virtual, [], VIRTUAL[virtual])
        if name not in self.rules:
            raise SystemExit(f"{self.grammar['name']}: no model for the external token {name!r}")
        body = bare(self.rules[name])
        if name == self.word:
            checked = "" if context else " checked"
            return self.terminal(("word", context), name, [(pattern_of(body), "word" + checked, False)])
        if body["type"] in TOKENS:
            return self.token(body, context)
        if name not in self.heads:
            self.heads[name] = True
            without = self.language.get("without", {}).get(name, [])
            context = name if name in self.language.get("free_names", []) else context
            for body in self.alternatives(self.rules[name], context):
                if [x[1] for x in body] not in [[("virtual", self.language["virtual"][w])] for w in without]:
                    self.productions.append((name, body))
        return ("n", name)

    def helper(self, kind, alternatives):
        key = (kind, tuple(sorted(set(map(tuple, alternatives)), key=repr)))
        if key not in self.helpers:
            name = self.helpers[key] = f"#{len(self.helpers)}"
            if kind != "choice" and any(k == "n" and x in self.language.get("lines", []) for b in alternatives for k, x in b):
                self.aligned.add(name)
            loop = [[("n", name), *body] for body in alternatives] if kind != "choice" else []
            first = [[]] if kind == "REPEAT" else alternatives
            self.productions += [(name, body) for body in first + loop]
        return ("n", self.helpers[key])

    def alternatives(self, node, context):
        """Every sequence of symbols that the node stands for; helper rules where they would multiply."""
        while node["type"] == "ALIAS" and node["value"] not in self.language.get("free_names", []):
            node = node["content"]
        if node["type"] == "ALIAS":
            return self.alternatives(node["content"], node["value"])
        if node["type"] in WRAPPERS:
            return self.alternatives(node["content"], context)
        kind = node["type"]
        if kind == "BLANK":
            return [[]]
        if kind == "RESERVED":
            return self.alternatives(node["content"], node["context_name"])
        if kind in TOKENS:
            return [[self.token(node, context)]]
        if kind == "SYMBOL":
            return [[self.symbol(node["name"], context)]]
        if kind == "CHOICE":
            return [body for member in node["members"] for body in self.alternatives(member, context)]
        if kind in ("REPEAT", "REPEAT1"):
            return [[self.helper(kind, self.alternatives(node["content"], context))]]
        sequence = []
        for member in node["members"]:
            found = self.alternatives(member, context)
            sequence += found[0] if len(found) == 1 else [self.helper("choice", found)]
        return [sequence]

    def simplified(self, start):
        """Productions without those that derive nothing, are not reached, or only rename."""
        rules = list(dict.fromkeys((head, tuple(body)) for head, body in self.productions))
        while True:
            by_head = {}
            for head, body in rules:
                by_head.setdefault(head, []).append(body)
            renamed = {h: b[0][0] for h, b in by_head.items()
                       if h != start and len(b) == 1 and len(b[0]) == 1 and b[0][0] != ("n", h)
                       and h not in self.aligned}
            if not renamed:
                break

            def final(symbol, seen=()):
                while symbol[0] == "n" and symbol[1] in renamed and symbol[1] not in seen:
                    symbol, seen = renamed[symbol[1]], (*seen, symbol[1])
                return symbol
            rules = list(dict.fromkeys((h, tuple(map(final, b))) for h, b in rules if h not in renamed))
        productive, before = set(), -1
        while before != len(productive):
            before = len(productive)
            productive |= {h for h, b in rules if all(k == "t" or x in productive for k, x in b)}
        rules = [(h, b) for h, b in rules if all(k == "t" or x in productive for k, x in b)]
        reached, todo = {start}, [start]
        while todo:
            head = todo.pop()
            for h, body in rules:
                for kind, name in body if h == head else ():
                    if kind == "n" and name not in reached:
                        reached.add(name)
                        todo.append(name)
        return [(h, b) for h, b in rules if h in reached]

    def compile(self):
        start = next(iter(self.rules))
        self.symbol(start, "")
        if ("n", start) != self.symbol(start, ""):
            raise SystemExit("the start rule is a token")
        for extra in map(bare, self.grammar["extras"]):
            if extra["type"] == "SYMBOL":
                key = self.symbol(extra["name"], "")[1]
            elif extra["type"] in TOKENS:
                key = self.token(extra, "")[1]
            name, patterns, virtual = self.terminals[key]
            self.terminals[key] = (name, [(p, f if "extra" in f else f + " extra", i) for p, f, i in patterns], virtual)
        return start, self.simplified(start)


def array(kind, name, values):
    values = list(values)
    text = ",".join(map(str, values)) or "0"
    return f"const {kind} {name}[] = {{{text}}};\n"


def c_string(text):
    return '"' + "".join(c if " " <= c <= "~" and c not in '"\\?' else f"\\{b:03o}"
                         for c in text for b in ([ord(c)] if ord(c) < 128 else c.encode())) + '"'


def write(language, compiler, start, rules):
    used = {x for _, body in rules for kind, x in body if kind == "t"}
    used |= {key for key, (_, patterns, _) in compiler.terminals.items() if any("extra" in f for _, f, _ in patterns)}
    terminals = {key: i for i, key in enumerate(k for k in compiler.terminals if k in used)}
    heads = {head: i for i, head in enumerate(dict.fromkeys(h for h, _ in rules))}
    number = {**{("t", k): i for k, i in terminals.items()},
              **{("n", h): len(terminals) + i for h, i in heads.items()}}
    first_symbols, symbols = [0], []
    for _, body in rules:
        symbols += [number[s] for s in body]
        first_symbols.append(len(symbols))
    patterns, states, moves = [], [], []
    for key, i in terminals.items():
        for pattern, flags, ignore_case in compiler.terminals[key][1]:
            automaton, accepting = grammar_regex.automaton(pattern, ignore_case)
            words = flags.split()
            if "extra" in words:  # the lexer skips these bytes itself
                spaces = range(9, 14), range(32, 33)
                rest = [(b, t) for low, high, t in automaton[0] for b in range(low, high + 1)
                        if not any(b in some for some in spaces)]
                automaton = [grammar_regex.ranges(dict(rest)), *automaton[1:]]
            bits = sum(FLAGS.get(w, 0) for w in words) | (128 if "checked" in words else 0)
            not_before = next((ord(w[4:]) for w in words if w.startswith("not:")), 0)
            patterns.append(f"{{{i},{bits},{not_before},{len(states)},{len(automaton)}}}")
            first = len(states)
            for row, accept in zip(automaton, accepting):
                states.append(f"{{{len(moves)},{len(row)},{int(accept)},{len(patterns) - 1}}}")
                moves += [f"{{{low},{high},{first + target}}}" for low, high, target in row]
    aligned = [int(h in compiler.aligned) for h in heads]
    out = ['#include "grammar/checker/tables.h"\n', "namespace lacuna::grammar {\nnamespace {\n",
           array("std::uint16_t", "kHeads", (number[("n", h)] for h, _ in rules)),
           array("std::uint32_t", "kBodies", first_symbols), array("std::uint16_t", "kSymbols", symbols),
           array("TokenPattern", "kPatterns", patterns), array("TokenState", "kStates", states),
           array("TokenMove", "kMoves", moves),
           array("std::uint8_t", "kVirtual", (compiler.terminals[k][2] for k in terminals)),
           array("std::uint8_t", "kAligned", aligned),
           array("char* const", "kNames", map(c_string, [compiler.terminals[k][0] for k in terminals] + list(heads))),
           "}\n",
           f"extern const GrammarTables k_{language}_tables;\n"
           f"const GrammarTables k_{language}_tables = {{{c_string(language)},{len(terminals)},{len(heads)},"
           f"{number[('n', start)]},kHeads,kBodies,kSymbols,{len(rules)},kPatterns,{len(patterns)},kStates,"
           f"{len(states)},kMoves,kVirtual,kAligned,kNames,"
           f"{'true' if LANGUAGES[language].get('layout') else 'false'}}};\n}}\n"]
    return "".join(out)


def main():
    language, modules, output = sys.argv[1:]
    package = pathlib.Path(modules) / LANGUAGES[language]["package"]
    compiler = Compiler(json.loads((package / "src/grammar.json").read_text()), LANGUAGES[language])
    start, rules = compiler.compile()
    pathlib.Path(output).write_text(write(language, compiler, start, rules))


if __name__ == "__main__":
    main()
