// The final gate: does a text with its fills parse, as far as it could before?
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/outline.h"
#include "grammar/syntax_tree.h"

namespace lacuna::grammar {

// What a fill has broken, and the bytes of it to write again.
struct Problem {
  int hole;          // index
  Span fill;         // bytes of its fill; may be empty
  std::string what;  // for a person, as in "unexpected `) x`"
};

// Of processor time: far more than a gate needs but in large files that are broken. More where there are
// more than 100 KB.
inline constexpr double kGateSeconds = 0.2;

// Judges fills of one text with holes. Errors that the text had before, whatever stands in the holes,
// do not count. For one thread at a time.
class Gate {
 public:
  // `text` must live as long as the gate; `holes` are sorted and do not overlap. `first`: a fill for
  // each hole that is tried before all others, or nothing. Once `stop` is requested nothing more is
  // parsed, and what the gate says means nothing. `seconds` of processor time are for all that this
  // and judge() do, at most half of them for this: a parser that has lost its way may take seconds.
  Gate(const Grammar& grammar, std::string_view text, std::vector<Span> holes,
       std::vector<std::string> first = {}, std::stop_token stop = {},
       double seconds = kGateSeconds);

  std::string_view text() const { return text_; }
  const std::vector<Span>& holes() const { return holes_; }

  // Whether something simple in the holes, neutral_fills(), leaves no error near them.
  bool is_sure() const { return tolerated_ == 0; }
  // Whether fills have to parse: the gate is sure, or the exact checker says that something would
  // parse. If not, the text is broken in a way that a fill may not be able to cure: then fills may
  // have as many errors as the best that was tried.
  bool is_strict() const { return strict_; }
  // Whether the time was not enough, to become sure or for a judgement.
  bool is_out_of_time() const { return out_of_time_; }
  // Errors of the text that have nothing to do with the holes.
  int errors_before() const { return static_cast<int>(old_.size()); }
  // Whether texts of this kind can be judged at all: not when the parser got lost.
  bool works() const { return works_; }

  // Something simple for each hole with which the text has the fewest errors.
  const std::vector<std::string>& neutral_fills() const { return neutral_; }

  // The shortest such text for each hole: no fill that parses can be much shorter. Empty where nothing
  // need stand, and where the text is broken in any case. Parses when it is first asked.
  const std::vector<std::string>& least_fills();

  // One fill for each hole. Empty when all is well. Parses all of the text: in what is broken the
  // parser's way out would else depend on what it parsed before. If that takes too long it is a problem
  // where fills have to parse, and none where they need not.
  std::vector<Problem> judge(std::span<const std::string> fills);
  // Whether all is well, for every step of a fill: the time goes with what has changed since the last
  // call, and in Python with the size of the text. A parse ends at the first error.
  bool passes(std::span<const std::string> fills);

  // The tree of the text with neutral_fills(), if nothing is wrong with it; else null.
  const SyntaxTree* clean_tree() const { return clean_ ? &clean_->tree : nullptr; }

 private:
  // A place that does not depend on what is in the holes: a gap between holes, and bytes from its
  // begin. Places in a hole are not comparable.
  struct Mark {
    std::size_t begin_gap, begin, end_gap, end;
    std::string what;
    auto operator<=>(const Mark&) const = default;
  };
  struct Fault {
    Span span;  // of the filled text
    std::string what;
    std::optional<Mark> mark;  // when it lies outside of the holes
  };
  struct Parsed {
    std::string text;
    SyntaxTree tree;
  };
  // A text that was looked at for passes().
  struct Seen {
    std::string text;
    std::vector<Span> places;
    bool clean = false;
  };

  struct Judgement {
    std::vector<std::string> fills;
    std::vector<Problem> problems;
  };

  template <class Work>
  void within(double seconds, Work work);
  bool is_over();
  std::size_t allowed() const { return strict_ ? 0 : tolerated_; }
  std::string filled(std::span<const std::string> fills, std::vector<Span>& places) const;
  std::optional<SyntaxTree> parse_from_last(const std::string& text, bool only_without_error);
  std::vector<Fault> faults(std::span<const std::string> fills, std::vector<Span>& places,
                            bool anew);
  bool is_clean(std::span<const std::string> fills);
  std::optional<Mark> mark_of(Span span, const std::string& what,
                              std::span<const Span> places) const;
  std::size_t count_new(const std::vector<Fault>& faults) const;
  bool find_with_checker();
  void conclude(bool is_clean, std::size_t fewest);
  void find_neutral(const std::vector<std::string>& first);
  Problem problem_of(const Fault& fault, std::span<const std::string> fills,
                     std::span<const Span> places) const;

  const Grammar& grammar_;
  std::string_view text_;
  std::vector<Span> holes_;
  std::stop_token stop_;
  double seconds_left_;
  double until_ = std::numeric_limits<double>::infinity();  // on the clock of thread_seconds()
  Parser parser_;
  std::optional<Parsed> last_;  // that was parsed to its end
  std::optional<Seen> seen_;
  std::set<std::vector<std::string>> refused_;  // fills that is_clean() has refused
  std::optional<Judgement> judged_;             // the last one
  std::vector<std::string> neutral_;
  std::optional<Parsed> clean_;
  std::optional<std::vector<std::string>> least_;
  std::set<Mark> old_;
  std::size_t tolerated_ = 0;
  bool strict_ = false;
  bool works_ = true;
  bool out_of_time_ = false;
};

}  // namespace lacuna::grammar
