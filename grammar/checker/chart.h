// The Earley chart of a text with holes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "grammar/checker/head_memo.h"
#include "grammar/checker/item_masks.h"
#include "grammar/checker/lexemes.h"

namespace lacuna::grammar {

// Places are worked off in the order of the text. Those that only looked at text that has not
// changed since the last run are kept. So are ways through the text behind the changes that led to
// acceptance (endings.cpp): a run that gets to the beginning of one is done.
class Chart {
 public:
  Chart(const ItemMasks& masks, Lexer& lexer);

  enum class Result : std::uint8_t { Accepted, Rejected, OutOfBudget };

  Result run(const PartialText& text, std::size_t budget);

  std::size_t steps() const { return steps_; }  // sets of rules that were moved, in the last run
  std::size_t places() const { return places_.size(); }
  std::size_t kept_places() const { return kept_; }

 private:
  using Rank = std::uint32_t;  // of a place, in the order of work

  // What an offset means beside itself. Only languages with layout use it: the open brackets around
  // it (at least so many, with `more`), and the column in which its line began (-1: unknown).
  struct Context {
    std::int16_t depth = 0;
    bool more = false;
    std::int32_t column = -1;
    bool operator==(const Context&) const = default;
  };
  enum class Kind : std::uint8_t { Plain, Hole, LineStart, AfterVirtual };
  struct Site {
    std::uint32_t at = 0;
    Kind kind = Kind::Plain;
    Context context;
    bool operator==(const Site&) const = default;
  };
  // The dotted rules at one place that began at one other place, in work: offset in an array of
  // words.
  struct Entry {
    Rank origin;
    std::uint32_t items;
  };
  // The same, kept: those words that are not zero, [first, last) of sparse_.
  struct KeptEntry {
    Rank origin;
    std::uint32_t first, last;
  };
  struct SparseWord {
    std::uint32_t index;
    Word word;
  };
  struct Edge {
    std::int32_t terminal;  // -1: nothing is read
    Site target;
  };
  struct Place {
    Site site;
    std::uint32_t seen_up_to;
    std::uint32_t farthest;  // place that an edge leads to
    std::uint32_t first_entry, last_entry, first_edge, last_edge;
    std::uint32_t first_done, last_done;
  };
  // The nonterminals from one place to another, in all_heads_.
  struct Done {
    Rank origin;
    std::uint32_t heads;
  };
  // A place that edges lead to and that is not worked off yet.
  struct Waiting {
    Site site;
    std::int32_t next_here = -1;
    std::vector<Entry> entries;  // items in waiting_items_
  };
  // A way to acceptance through the text behind a place, which is the same in the next states: the
  // rule that is begun there, the one that waits for it where it began, and so on to the start.
  struct Ending {
    struct Level {
      std::uint32_t item;
      std::int32_t began, line;  // columns of the place where it waits; only for layout
    };
    std::uint32_t behind = 0;  // length of the text from the cut to the end
    Site site;                 // the first place behind the cut; its offset counts from there
    std::uint32_t item = 0;    // there
    std::vector<Level> levels;
  };
  struct Unwound;
  struct Incoming;
  struct Search;

  std::uint32_t keep_common(const PartialText& text);
  void note_change(const PartialText& text);
  void remember_ending();
  std::vector<Incoming> edges_behind(std::uint32_t cut) const;
  void add_rules(Search& search, std::uint16_t head, Unwound node) const;
  bool go_back(Search& search, std::int64_t idx) const;
  void keep_ending(const std::vector<Unwound>& nodes, std::int64_t last);
  bool reaches_ending(const Ending& ending);
  const KeptEntry* kept_entry(Rank rank, Rank origin) const;
  bool has_item(Rank rank, Rank origin, std::uint32_t item) const;
  Waiting& waiting_at(const Site& site);
  void work_off(std::int32_t index);
  void join_holes();
  bool is_known(Rank origin, const Word* items) const;
  unsigned expected_at(const Waiting& waiting) const;
  void find_edges(const Site& site, unsigned expected);
  void lexeme_edges(Context context);
  void line_edges(Context context, bool hole);
  void add_token_edge(std::uint16_t terminal, std::uint32_t end, Context context);
  void add_edge(std::int32_t terminal, const Site& target);
  void close(const Site& site);
  void settle(const Site& site, Rank origin, std::size_t index);
  void end_block(const Site& site, Rank origin, Word* items);
  bool complete(const Site& site, Rank origin, std::size_t index);
  void predict(const Site& site);
  void store();
  bool advance(const KeptEntry& entry, const Word* symbols, Word* to) const;
  void add(const KeptEntry& entry, Word* to) const;
  bool meets(const KeptEntry& entry, const Word* symbols) const;
  void scan(Rank rank, std::uint32_t from, const Word* all);
  std::size_t work_entry(Rank origin);
  Word* work_at(std::size_t index) { return work_items_.data() + work_[index].items; }
  void prune(Word* items) const;
  std::int32_t column_of(Rank origin) const;

  const ItemMasks& masks_;
  HeadMemo memo_;
  const GrammarTables& tables_;
  Lexer& lexer_;
  const std::size_t words_;  // of a set
  std::int32_t semicolon_ = -1, newline_ = -1, indent_ = -1, dedent_ = -1, end_of_file_ = -1;
  std::vector<std::int8_t> bracket_;  // by terminal: 1 opens, -1 closes

  PartialText text_;
  std::vector<Place> places_;  // by rank
  std::vector<KeptEntry> entries_;
  std::vector<SparseWord> sparse_;
  std::vector<Edge> edges_;
  std::vector<Waiting> waiting_;
  std::size_t waiting_count_ = 0;
  std::vector<std::int32_t> first_here_, last_here_;  // by offset, in waiting_
  std::vector<Word> waiting_items_;
  std::vector<Done> done_;
  std::vector<Word> all_heads_;
  std::int64_t accepted_ = -1;  // the place where the text is found whole
  std::size_t steps_ = 0, kept_ = 0;
  std::vector<Ending> endings_;          // the last that was of use first
  std::array<std::size_t, 8> recent_{};  // length of the text behind each of the last changes
  std::size_t change_ = 0;
  std::size_t behind_ = 0;  // the least of them
  bool is_new_ = false;     // text behind the changes of which no ending is known

  // Of the place in work.
  Rank rank_ = 0;
  std::int64_t hole_before_ = -1;  // the last hole before this one, if both are
  std::vector<Entry> work_;        // later origins first; items in work_items_
  std::vector<Word> work_items_, viable_, all_, heads_, done_heads_;
  std::vector<std::uint16_t> out_;  // terminals
  bool open_ = false;               // anything may follow
  bool at_end_ = false;
  Gap gap_;
};

}  // namespace lacuna::grammar
