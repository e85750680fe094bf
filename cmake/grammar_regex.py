"""The regular expressions of tree-sitter grammars as minimal automata over bytes.

A character above 0x7F becomes its UTF-8 bytes. Unicode classes (`\\p{L}`), negated classes and `.`
take every such character: the checker keeps shorter matches where one follows, so that a class that
is too wide stays harmless.
"""
import functools

DIGIT = frozenset(range(48, 58))
WORD = DIGIT | frozenset(range(65, 91)) | frozenset(range(97, 123)) | {95}
SPACE = frozenset(b" \t\n\r\f\v")
ASCII = frozenset(range(128))
UNICODE_SPACE = frozenset([0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, *range(0x2000, 0x200B)])
ANY = "any"  # every character above 0x7F
ESCAPES = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "0": 0, "a": 7, "b": 8}


def escape(text):
    return "".join("\\" + c if c in r"\.^$|?*+()[]{}/-" else c for c in text)


class Parser:
    """Text to a tree: ("class", ascii set, others), ("seq", [..]), ("alt", [..]), ("*"|"?"|"+", x)."""

    def __init__(self, text, ignore_case=False):
        self.text, self.at, self.ignore_case = text, 0, ignore_case

    def parse(self):
        tree = self.alternatives()
        if self.at != len(self.text):
            raise ValueError(f"unexpected {self.text[self.at:]!r} in {self.text!r}")
        return tree

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self):
        self.at += 1
        return self.text[self.at - 1]

    def alternatives(self):
        found = [self.sequence()]
        while self.peek() == "|":
            self.take()
            found.append(self.sequence())
        return ("alt", found)

    def sequence(self):
        found = []
        while self.peek() and self.peek() not in "|)":
            found.append(self.repeated())
        return ("seq", found)

    def repeated(self):
        tree = self.atom()
        while self.peek() and self.peek() in "*+?{":
            if self.peek() != "{":
                tree = (self.take(), tree)
                continue
            end = self.text.index("}", self.at)
            low, comma, high = self.text[self.at + 1:end].partition(",")
            self.at = end + 1
            more = [] if not comma else [("*", tree)] if not high else [("?", tree)] * (int(high) - int(low))
            tree = ("seq", [tree] * int(low) + more)
        return tree

    def atom(self):
        c = self.take()
        if c == "(":
            if self.text.startswith("?:", self.at):
                self.at += 2
            tree = self.alternatives()
            if self.take() != ")":
                raise ValueError(f"no ) in {self.text!r}")
            return tree
        if c == "[":
            return self.char_class()
        if c == ".":
            return ("class", ASCII - {10}, ANY)
        return self.as_class(*(self.escaped() if c == "\\" else ({ord(c)} & ASCII, {ord(c)} - ASCII)))

    def as_class(self, ascii_set, others):
        if self.ignore_case:
            ascii_set = {ord(x) for c in ascii_set for x in (chr(c).lower(), chr(c).upper())}
        return ("class", frozenset(ascii_set), others if others == ANY else frozenset(others))

    def escaped(self):
        c = self.take()
        if c in "dws":
            return ({"d": DIGIT, "w": WORD, "s": SPACE}[c], UNICODE_SPACE if c == "s" else ANY)
        if c in "DWS":
            return (ASCII - {"D": DIGIT, "W": WORD, "S": SPACE}[c], ANY)
        if c in "pP":
            end = self.text.index("}", self.at)
            name, self.at = self.text[self.at + 1:end], end + 1
            if c == "P":
                return (ASCII, ANY)
            if name == "Zs":
                return (frozenset(b" "), UNICODE_SPACE - {0x85, 0x2028, 0x2029})
            letters = WORD - DIGIT - {95}
            known = {"L": letters, "XID_Start": letters, "XID_Continue": WORD, "ID_Start": letters, "ID_Continue": WORD,
                     "Nl": frozenset(), "Mn": frozenset(), "Mc": frozenset(), "Nd": DIGIT, "Pc": frozenset({95}),
                     "Control": frozenset(range(32)) | {127}, "Sm": frozenset(b"+<=>|~"), "So": frozenset()}
            return (known[name], ANY)
        if c in "xuU":
            if self.peek() == "{":
                end = self.text.index("}", self.at)
                code, self.at = int(self.text[self.at + 1:end], 16), end + 1
            else:
                width = {"x": 2, "u": 4, "U": 8}[c]
                code, self.at = int(self.text[self.at:self.at + width], 16), self.at + width
            return ({code}, set()) if code < 128 else (set(), {code})
        code = ESCAPES.get(c, ord(c))
        return ({code}, set()) if code < 128 else (set(), {code})

    def char_class(self):
        negated = self.peek() == "^"
        if negated:
            self.take()
        ascii_set, others = set(), set()
        while self.peek() != "]":
            c = self.take()
            some, more = self.escaped() if c == "\\" else ({ord(c)} & ASCII, {ord(c)} - ASCII)
            single = [*some, *more] if more != ANY and len(some) + len(more) == 1 else None
            if single and self.peek() == "-" and self.text[self.at + 1] != "]":
                self.take()
                c = self.take()
                last = max(*(max(x, default=0) for x in self.escaped()), 0) if c == "\\" else ord(c)
                some = {x for x in range(single[0], min(last, 127) + 1)}
                more = ANY if last - max(single[0], 128) > 64 else set(range(max(single[0], 128), last + 1))
            ascii_set |= set(some)
            others = ANY if ANY in (others, more) else others | set(more)
        self.take()
        if negated:
            ascii_set, others = ASCII - ascii_set, ANY
        return self.as_class(ascii_set, others)


class Nfa:
    def __init__(self):
        self.empty, self.moves = [], []

    def state(self):
        self.empty.append([])
        self.moves.append([])
        return len(self.empty) - 1

    def chars(self, start, end, ascii_set, others):
        if ascii_set:
            self.moves[start].append((ascii_set, end))
        if others == ANY:
            tail = frozenset(range(0x80, 0xC0))
            one, two, three = self.state(), self.state(), self.state()
            for lead, state in ((range(0xC2, 0xE0), one), (range(0xE0, 0xF0), two), (range(0xF0, 0xF5), three)):
                self.moves[start].append((frozenset(lead), state))
            for state, after in ((three, two), (two, one), (one, end)):
                self.moves[state].append((tail, after))
            return
        for code in others:
            at = start
            encoded = chr(code).encode()
            for i, byte in enumerate(encoded):
                after = end if i + 1 == len(encoded) else self.state()
                self.moves[at].append((frozenset([byte]), after))
                at = after

    def build(self, tree):
        kind, start, end = tree[0], self.state(), self.state()
        if kind == "class":
            self.chars(start, end, tree[1], tree[2])
        elif kind == "seq":
            at = start
            for part in tree[1]:
                first, last = self.build(part)
                self.empty[at].append(first)
                at = last
            self.empty[at].append(end)
        elif kind == "alt":
            for part in tree[1]:
                first, last = self.build(part)
                self.empty[start].append(first)
                self.empty[last].append(end)
        else:
            first, last = self.build(tree[1])
            self.empty[start].append(first)
            self.empty[last].append(end)
            if kind in "*?":
                self.empty[start].append(end)
            if kind in "*+":
                self.empty[last].append(first)
        return start, end

    def closure(self, states):
        found, todo = set(states), list(states)
        while todo:
            for state in self.empty[todo.pop()]:
                if state not in found:
                    found.add(state)
                    todo.append(state)
        return frozenset(found)


def determinise(tree):
    nfa = Nfa()
    start, end = nfa.build(tree)
    first = nfa.closure([start])
    ids, order, rows = {first: 0}, [first], []
    for states in order:  # grows while it is walked
        row = {}
        moves = [move for state in states for move in nfa.moves[state]]
        for byte in sorted({byte for chars, _ in moves for byte in chars}):
            target = nfa.closure([state for chars, state in moves if byte in chars])
            if target not in ids:
                ids[target] = len(order)
                order.append(target)
            row[byte] = ids[target]
        rows.append(row)
    return rows, [end in states for states in order]


def minimise(rows, accepting):
    group = [int(accept) for accept in accepting]
    while True:
        keys = {}
        after = [keys.setdefault((group[i], tuple(sorted((b, group[t]) for b, t in row.items()))), len(keys))
                 for i, row in enumerate(rows)]
        if len(set(after)) == len(set(group)):
            break
        group = after
    names = {}
    order = [names.setdefault(g, len(names)) for g in group]  # the start state stays first
    result, accept = [None] * len(names), [False] * len(names)
    for i, row in enumerate(rows):
        result[order[i]] = {byte: order[target] for byte, target in row.items()}
        accept[order[i]] = accepting[i]
    return result, accept


def ranges(row):
    """{byte: target} as (first, last, target), joined."""
    found = []
    for byte, target in sorted(row.items()):
        if found and found[-1][1] == byte - 1 and found[-1][2] == target:
            found[-1][1] = byte
        else:
            found.append([byte, byte, target])
    return found


@functools.lru_cache(maxsize=None)
def automaton(pattern, ignore_case=False):
    """([[(first byte, last byte, target)]], [accepting]) of the minimal automaton; 0 is the start."""
    rows, accepting = minimise(*determinise(Parser(pattern, ignore_case).parse()))
    return [ranges(row) for row in rows], accepting
