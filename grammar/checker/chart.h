// The Earley chart of a text with holes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "grammar/checker/item_sets.h"
#include "grammar/checker/lexemes.h"

namespace lacuna::grammar {

class Chart {
 public:
  Chart(const GrammarFacts& facts, ItemSets& sets, Lexer& lexer);

  enum class Result : std::uint8_t { accepted, rejected, out_of_budget };

  // `text` may differ from the text of the last call in any way; only the nodes before the
  // difference are kept.
  Result run(const PartialText& text, std::size_t budget);
  void forget();

  std::size_t states_made() const { return made_; }
  std::size_t nodes() const { return nodes_.size(); }
  std::size_t kept_nodes() const { return kept_; }

 private:
  using NodeId = std::int32_t;

  // What a place means beside its offset. Only languages with layout use it: the open brackets
  // around it (at least so many, with `more`), and the column in which its line began.
  struct Context {
    std::int16_t depth = 0;
    bool more = false;
    std::int32_t column = -1;
    bool operator==(const Context&) const = default;
  };
  enum class Kind : std::uint8_t { plain, hole, line_start, after_virtual };
  struct Pair {
    ItemSets::State state;
    NodeId origin;
  };
  struct Incoming {
    Pair pair;
    std::int32_t next;
  };
  struct Node {
    std::uint32_t at;
    Kind kind;
    Context context;
    std::uint32_t seen_up_to = 0;
    std::int32_t incoming = -1;  // list in incoming_
    std::uint32_t first_pair = 0, last_pair = 0;
    NodeId next_here = -1;  // another node of the same place
  };
  struct Edge {
    std::int32_t terminal;  // -1: nothing is read
    NodeId target;
  };

  NodeId node_at(std::uint32_t at, Kind kind, Context context);
  void process(NodeId id);
  void find_edges(NodeId id);
  void lexeme_edges(const Gap& gap, Context context);
  void line_edges(const Gap& gap, Context context, bool hole);
  void add_token_edge(std::uint16_t terminal, std::uint32_t end, Context context);
  void add_edge(std::int32_t terminal, NodeId target);
  void close(NodeId id);
  void complete(NodeId id, const Pair& pair);
  void predict(NodeId id);
  void scan();
  void push(NodeId id, Pair pair);
  void send(NodeId target, Pair pair);
  std::int32_t column_of(NodeId origin) const;
  bool useful(ItemSets::State state) const;
  void keep_before(std::uint32_t changed);

  const GrammarFacts& facts_;
  ItemSets& sets_;
  Lexer& lexer_;
  std::int32_t semicolon_ = -1, newline_ = -1, indent_ = -1, dedent_ = -1, end_of_file_ = -1;
  std::vector<std::int8_t> bracket_;  // by terminal: 1 opens, -1 closes

  PartialText text_;
  std::vector<Node> nodes_;
  std::vector<NodeId> first_here_, last_here_;  // by place
  std::vector<Pair> pairs_;
  std::vector<Incoming> incoming_;
  bool accepted_ = false;
  std::size_t made_ = 0, kept_ = 0;

  // Of the node in work.
  std::vector<Edge> edges_;
  std::vector<Pair> work_;
  Terminals out_;
  bool open_ = false;  // anything may follow
  bool at_end_ = false;
  Gap gap_;
  FlatMap stamps_;
  std::vector<std::uint64_t> needs_;
};

}  // namespace lacuna::grammar
