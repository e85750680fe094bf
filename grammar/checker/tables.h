// The grammar of a language as flat tables, written at build time by cmake/compile_grammar.py from
// the grammar.json of a tree-sitter package.
#pragma once

#include <cstdint>

namespace lacuna::grammar {

enum PatternFlag : std::uint8_t {
  Tight = 1,      // begins where the token before it ends
  Extra = 2,      // may stand between any two tokens
  Block = 4,      // may span lines; see HoleMode::Closed
  AnyEnd = 8,     // a shorter match may be the right one
  Keyword = 16,   // ends where a name would end
  Name = 32,      // the name token
  Reserved = 64,  // a keyword that cannot be a name
  Checked = 128,  // a name that reserved keywords are not
};

enum class VirtualToken : std::uint8_t { None, Semicolon, Newline, Indent, Dedent, EndOfFile };

struct TokenMove {
  std::uint8_t low;
  std::uint8_t high;  // inclusive
  std::uint16_t target;
};

// A state of the minimal automaton of one pattern. Every state can still reach an accepting one.
struct TokenState {
  std::uint32_t first_move;
  std::uint16_t moves;
  std::uint8_t accepting;
  std::uint16_t pattern;
};

struct TokenPattern {
  std::uint16_t terminal;
  std::uint8_t flags;
  std::uint8_t not_before;  // a byte that may not follow; 0: any may
  std::uint16_t first_state;
  std::uint16_t states;
};

// Symbols: terminals are [0, terminals), nonterminals follow. Production p derives its head to
// symbols[bodies[p] .. bodies[p + 1]). Every nonterminal derives something.
struct GrammarTables {
  const char* name;
  std::uint16_t terminals;
  std::uint16_t nonterminals;
  std::uint16_t start;
  const std::uint16_t* heads;
  const std::uint32_t* bodies;
  const std::uint16_t* symbols;
  std::uint32_t productions;
  const TokenPattern* patterns;
  std::uint16_t pattern_count;
  const TokenState* states;
  std::uint16_t state_count;
  const TokenMove* moves;
  const std::uint8_t* virtual_tokens;  // VirtualToken of each terminal
  const std::uint8_t* aligned;         // of each nonterminal: its lines begin in one column
  const char* const* names;            // of each symbol
  bool layout;                         // lines and indentation are tokens, as in Python
};

// Tables of a language ("python", "cpp", ...), or null.
const GrammarTables* find_tables(const char* language);

}  // namespace lacuna::grammar
