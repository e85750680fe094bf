#include "grammar/rewrite.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <tree_sitter/api.h>

namespace lacuna::grammar {
namespace {

Span span_of(TSNode node) { return {ts_node_start_byte(node), ts_node_end_byte(node)}; }

// How sure a model is of some tokens of the language.
struct Certainty {
  int tokens = 0;
  double sum = 0;  // of the logarithms of their probabilities

  double mean() const { return tokens == 0 ? 0 : sum / tokens; }
};

// A node that may become a hole, or be looked into.
struct Part {
  TSNode node;
  Certainty certainty;
};

struct Taken {
  Span span;
  bool whole;  // no part of a part
};

class LeastCertain {
 public:
  LeastCertain(std::string_view text, const SyntaxTree& tree, Span body,
               std::span<const float> certainty)
      : text_(text), body_(body), outline_(outline_of(text, tree)) {
    for (const Leaf& leaf : leaves_of(tree)) {
      if (leaf.comment || !body.contains({leaf.begin, leaf.end})) continue;
      leaves_.push_back(leaf);
      logarithms_.push_back(logarithm_of(certainty, leaf));
    }
    find_parts(tree);
  }

  // Spans of the text, sorted.
  std::vector<Span> choose(double strength) {
    const int all = of({body_.begin, body_.end}).tokens;
    int left = std::max(1, static_cast<int>(strength * all));
    take(parts_, left, 0);
    if (taken_.empty() && !parts_.empty()) {
      taken_.push_back({span_of(surest_last(parts_)[0].node), true});
    }
    std::sort(taken_.begin(), taken_.end(),
              [](const Taken& a, const Taken& b) { return a.span.begin < b.span.begin; });
    return joined();
  }

  double probability(Span span) const { return std::exp(of(span).mean()); }

 private:
  static double logarithm_of(std::span<const float> certainty, const Leaf& leaf) {
    constexpr float kLeast = 1e-6F;  // a probability may be 0
    double sum = 0;
    for (std::size_t i = leaf.begin; i < leaf.end; ++i) {
      sum += std::log(std::max(i < certainty.size() ? certainty[i] : 1.0F, kLeast));
    }
    return sum;
  }

  Certainty of(Span span) const {
    Certainty result;
    const auto first = std::partition_point(leaves_.begin(), leaves_.end(),
                                            [&](const Leaf& it) { return it.begin < span.begin; });
    for (auto i = static_cast<std::size_t>(first - leaves_.begin());
         i < leaves_.size() && leaves_[i].end <= span.end; ++i) {
      ++result.tokens;
      result.sum += logarithms_[i];
    }
    return result;
  }

  bool is_block(TSNode node) const {
    const TSNode parent = ts_node_parent(node);
    // A block without brackets covers the same bytes as its only statement: the outermost is it.
    if (!ts_node_is_null(parent) && span_of(parent) == span_of(node)) return false;
    return std::find(outline_.blocks.begin(), outline_.blocks.end(), span_of(node)) !=
           outline_.blocks.end();
  }

  bool has_block(Span span) const {
    return std::any_of(outline_.blocks.begin(), outline_.blocks.end(),
                       [&](const Span& block) { return span.contains(block) && span != block; });
  }

  // The outermost nodes of the body without a block in them.
  void find_parts(const SyntaxTree& tree) {
    TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree.get()));
    for (bool done = false; !done;) {
      if (looks_into(ts_tree_cursor_current_node(&cursor)) &&
          ts_tree_cursor_goto_first_child(&cursor)) {
        continue;
      }
      while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
        if (!ts_tree_cursor_goto_parent(&cursor)) {
          done = true;
          break;
        }
      }
    }
    ts_tree_cursor_delete(&cursor);
  }

  bool looks_into(TSNode node) {
    const Span span = span_of(node);
    if (span.end <= body_.begin || span.begin >= body_.end) return false;
    const bool whole = body_.contains(span) && ts_node_is_named(node) && !has_block(span);
    if (!whole || is_block(node)) return true;
    if (const Certainty certainty = of(span); certainty.tokens > 0) {
      parts_.push_back({node, certainty});
    }
    return false;
  }

  static std::vector<Part> surest_last(std::vector<Part> parts) {
    std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
      return a.certainty.mean() < b.certainty.mean();
    });
    return parts;
  }

  void take(const std::vector<Part>& parts, int& left, int depth) {
    constexpr int kDeepest = 100;  // a bound for texts that only nest
    for (const Part& part : surest_last(parts)) {
      if (left == 0) return;
      if (part.certainty.tokens > left) {
        if (depth < kDeepest) take(less_certain_parts(part), left, depth + 1);
        continue;
      }
      taken_.push_back({span_of(part.node), depth == 0});
      left -= part.certainty.tokens;
    }
  }

  // The children that make a node as uncertain as it is.
  std::vector<Part> less_certain_parts(const Part& whole) const {
    std::vector<Part> parts;
    for (std::uint32_t i = 0; i < ts_node_named_child_count(whole.node); ++i) {
      const TSNode child = ts_node_named_child(whole.node, i);
      const Certainty certainty = of(span_of(child));
      const bool same = certainty.tokens == whole.certainty.tokens;
      if (certainty.tokens > 0 && (same || certainty.mean() < whole.certainty.mean())) {
        parts.push_back({child, certainty});
      }
    }
    return parts;
  }

  // Neighbours with nothing but blank space or the ends of statements between them become one, those
  // on different lines only if they are no parts of statements.
  std::vector<Span> joined() const {
    std::vector<Span> result;
    bool whole = false;  // the last of the result
    for (const Taken& taken : taken_) {
      const std::size_t end = result.empty() ? 0 : result.back().end;
      const std::string_view between = text_.substr(end, taken.span.begin - end);
      const bool lines = between.find('\n') != std::string_view::npos;
      const bool next = !result.empty() && (!lines || (whole && taken.whole)) &&
                        between.find_first_not_of(" \t\r\n;") == std::string_view::npos;
      if (next) {
        result.back().end = taken.span.end;
      } else {
        result.push_back(taken.span);
      }
      whole = taken.whole;
    }
    return result;
  }

  std::string_view text_;
  Span body_;
  Outline outline_;
  std::vector<Leaf> leaves_;  // of the body
  std::vector<double> logarithms_;
  std::vector<Part> parts_;
  std::vector<Taken> taken_;
};

std::string with_two_digits(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.2f", value);
  return buffer.data();
}

}  // namespace

std::vector<PickedHole> least_certain(std::string_view text, const SyntaxTree& tree,
                                      const PickedHole& body, std::span<const float> certainty,
                                      double strength) {
  if (strength >= 1) return {body};
  LeastCertain parts(text, tree, body.span, certainty);
  std::vector<PickedHole> holes;
  for (const Span& span : parts.choose(strength)) {
    PickedHole hole = hole_of_selection(text, tree, span);
    // Where characters are cut by nodes, two holes may have come to share one.
    if (!holes.empty()) hole.span.begin = std::max(hole.span.begin, holes.back().span.end);
    hole.why = "its tokens have a probability of " + with_two_digits(parts.probability(span));
    hole.item = body.item;
    hole.item_name = body.item_name;
    holes.push_back(std::move(hole));
  }
  if (holes.empty()) return {body};
  return holes;
}

}  // namespace lacuna::grammar
