"""What grammar.json does not say: the tokens of hand-written scanners, strings as one token, layout.

A model must accept at least what the scanner accepts. Flags of a pattern:
  line   one line only, so it may open in a hole and close after it
  block  may span lines: when holes must close what they open, it begins in given text only
  any    a shorter match may be the right one: every accepting place is an end
  tight  no space before it
  extra  may stand between any two tokens
`tokens` gives another pattern for one of the package's own.
A pattern may name a character that may not follow it, as "not:X".
"""


def quoted(quote, prefix="", newline=""):
    """A string on one line, with backslash escapes."""
    return rf"{prefix}{quote}([^{quote}\\{newline or chr(92) + 'n'}]|\\(\r\n|[\s\S]))*{quote}"


def quoted_python(quote):
    plain, formatted = "[rRbBuU]{0,2}", "[rR]?[fFtT][rR]?"
    body = rf"([^{quote}\\\n]|\\(\r\n|[\s\S]))"
    triple = quote * 3
    return [
        (rf"{plain}{quote}{body}+{quote}", "line"),
        (rf"{plain}{quote}{quote}", f"line not:{quote}"),
        (rf"{plain}{triple}([^{quote}\\]|\\[\s\S]|{quote}{{1,2}}([^{quote}\\]|\\[\s\S]))*{triple}", "block"),
        (rf"{formatted}{quote}[^\n]*{quote}", "line any"),
        (rf"{formatted}{quote}([^\n]|\{{[^}}]*)*{quote}", "block any"),
        (rf"{formatted}{triple}[\s\S]*{triple}", "block any"),
    ]


C_COMMENT = [(r"//(\\+(.|\r?\n)|[^\\\n])*", "extra block"), (r"/\*([^*]|\*+[^*/])*\*+/", "extra block")]
LINE_COMMENT = (r"//[^\r\n]*", "extra block")
BLOCK_COMMENT = (r"/\*([^*]|\*+[^*/])*\*+/", "extra block")
C_STRING = [(quoted('"', "(L|u8|u|U)?"), "line")]
C_CHAR = [(r"(L|u8|u|U)?'([^\n'\\]|\\(\r\n|[\s\S]))+'", "line")]
C_RESERVED = "if else for while do switch case default break continue return goto".split()
SCRIPT_STRINGS = {
    "string": [(quoted('"', newline=r"\r\n"), "line"), (quoted("'", newline=r"\r\n"), "line")],
    "_jsx_string": [("\"[^\"\\n]*\"|'[^'\\n]*'", "line"), ("\"[^\"]*\"|'[^']*'", "block")],
    "regex": [(r"/(\[([^\]\n\\]|\\.)*\]|\\.|[^/\\\[\n*])(\[([^\]\n\\]|\\.)*\]|\\.|[^/\\\[\n])*/[a-z]*", "line")],
    "template_string": [(r"`[^`\n]*`", "line"), (r"`[\s\S]*`", "block any")],
    "template_literal_type": [(r"`[^`\n]*`", "line"), (r"`[\s\S]*`", "block any")],
    "comment": [LINE_COMMENT, BLOCK_COMMENT],
    "html_comment": [(r"(<!--|-->)[^\n]*", "extra block")],
    "jsx_text": [(r"[^{}<>&\n]+", "tight line"), (r"[^{}<>&]+", "tight block")],
    "_ternary_qmark": [(r"\?", "")],
}
SCRIPT_VIRTUAL = {"_automatic_semicolon": "semicolon", "_function_signature_automatic_semicolon": "semicolon"}
SCRIPT_RESERVED = ("break case catch class const continue debugger delete do else enum export extends finally "
                   "for function if import in instanceof new return super switch this throw try typeof var void while "
                   "with null true false").split()

# Rules and aliases in which any keyword is a name.
SCRIPT_FREE = ["property_identifier", "_module_export_name"]

LANGUAGES = {
    "json": {"package": "tree-sitter-json", "patterns": {
        "string": [(r'"([^\\"\n]|\\.)*"', "line")], "comment": [LINE_COMMENT, BLOCK_COMMENT]}},
    "c": {"package": "tree-sitter-c", "reserved": C_RESERVED, "patterns": {
        "string_literal": C_STRING, "char_literal": C_CHAR, "comment": C_COMMENT}},
    "cpp": {"package": "tree-sitter-cpp", "reserved": C_RESERVED + ["class", "template", "namespace", "catch"],
            "patterns": {
        "string_literal": C_STRING, "char_literal": C_CHAR, "comment": C_COMMENT,
        "raw_string_literal": [(r'(L|u8|u|U)?R"[^(\n]*\([^\n]*\)[^"\n]*"', "line any"),
                               (r'(L|u8|u|U)?R"[^(\n]*\([\s\S]*\)[^"\n]*"', "block any")]}},
    "go": {"package": "tree-sitter-go", "patterns": {
        "interpreted_string_literal": [(r'"([^"\n\\]|\\.)*"', "line")],
        "raw_string_literal": [(r"`[^`\n]*`", "line"), (r"`[^`]*`", "block")],
        "comment": [LINE_COMMENT, BLOCK_COMMENT]}},
    "java": {"package": "tree-sitter-java", "reserved": (
        "if else for while do switch case break continue return class interface extends implements new try catch "
        "finally throw throws import package public private protected static final abstract").split(), "patterns": {
        "_string_literal": [(r'"([^"\\\n]|\\[^\n])+"', "line"), (r'""', 'line not:"')],
        "_multiline_string_literal": [(r'"""([^"\\]|\\[\s\S]|"{1,2}([^"\\]|\\[\s\S]))*"""', "block")],
        "line_comment": [LINE_COMMENT], "block_comment": [BLOCK_COMMENT]}},
    "lua": {"package": "@tree-sitter-grammars/tree-sitter-lua", "reserved": (
        "and break do else elseif end false for function if in local nil not or repeat return then true until "
        "while").split(), "patterns": {
        "_quote_string": [(quoted('"'), "line"), (quoted("'"), "line")],
        "_block_string": [(r"\[=*\[[^\n]*\]=*\]", "line any"), (r"\[=*\[[\s\S]*\]=*\]", "block any")],
        "comment": [(r"--([^\[\r\n][^\r\n]*|\[=*[^\[=\r\n][^\r\n]*|\[=*)?", "extra block"),
                    (r"--\[=*\[[\s\S]*\]=*\]", "extra block any")]}},
    "rust": {"package": "tree-sitter-rust", "reserved": (
        "as break const continue else enum extern false fn for if impl in let loop match mod move mut pub ref return "
        "static struct trait true type unsafe use where while").split(),
        # 'static; all words in a macro's tokens that the grammar does not name there
        "free_names": ["lifetime", "label", "_non_special_token"],
        # The separator of a repetition in a macro: one token of Rust, where the package takes all text.
        "tokens": {"([^+*?]+)": r"[^+*?\s]+"}, "patterns": {
        "string_literal": [(r'[bc]?"([^"\\\n]|\\.)*"', "line"), (r'[bc]?"([^"\\]|\\[\s\S])*"', "block")],
        "raw_string_literal": [(r'[bc]?r#*"[^\n]*"#*', "line any"), (r'[bc]?r#*"[\s\S]*"#*', "block any")],
        "float_literal": [(r"[0-9][0-9_]*(\.[0-9_]*)?([eE][+\-]?[0-9_]+)?(f32|f64|f16|f128)?", "any")],
        "line_comment": [LINE_COMMENT], "block_comment": [(r"/\*[\s\S]*\*/", "extra block any")]}},
    "python": {"package": "tree-sitter-python", "layout": True, "patterns": {
        "string": quoted_python('"') + quoted_python("'"),
        "comment": [(r"#[^\n]*", "extra block")]},
        "virtual": {"_newline": "newline", "_indent": "indent", "_dedent": "dedent"},
        # A block of no statements is accepted by the package and refused by Python.
        "without": {"_suite": ["_newline"], "_match_block": ["_newline"]},
        # Rules whose parts on lines of their own begin in one column: these, and lists of the others.
        "lines": ["_statement", "_simple_statements", "_compound_statement", "case_clause", "elif_clause",
                  "except_clause", "decorator"],
        "aligned": ("module block if_statement elif_clause for_statement while_statement try_statement "
                    "with_statement function_definition class_definition decorated_definition").split()},
    "javascript": {"package": "tree-sitter-javascript", "patterns": SCRIPT_STRINGS, "virtual": SCRIPT_VIRTUAL},
    "typescript": {"package": "tree-sitter-typescript/typescript", "patterns": SCRIPT_STRINGS,
                   "virtual": SCRIPT_VIRTUAL, "reserved": SCRIPT_RESERVED, "free_names": SCRIPT_FREE},
    "tsx": {"package": "tree-sitter-typescript/tsx", "patterns": SCRIPT_STRINGS, "virtual": SCRIPT_VIRTUAL,
            "reserved": SCRIPT_RESERVED, "free_names": SCRIPT_FREE},
}
