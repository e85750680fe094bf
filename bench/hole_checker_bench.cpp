// Soundness and speed of the hole checker on real programs: holes at random places of files that
// parse, which must never be found impossible, and the states of a region that is filled in random
// order, as a sampler asks for them. Prints one row of the table in docs/grammar.md.
//
// usage: hole_checker_bench LANGUAGE MASKS_PER_FILE FILE...
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "grammar/hole_checker.h"
#include "grammar/syntax_tree.h"
#include "support/file.h"
#include "support/language.h"
#include "support/text.h"
#include "tests/grammar/random_holes.h"

namespace {

using lacuna::grammar::ByteRange;
using lacuna::grammar::Grammar;
using lacuna::grammar::grammar_of;
using lacuna::grammar::HoleChecker;
using lacuna::grammar::is_closed;
using lacuna::grammar::parse;
using lacuna::grammar::Piece;
using lacuna::grammar::pieces_of;
using lacuna::grammar::ProgramRanges;
using lacuna::grammar::random_holes;
using lacuna::grammar::ranges_of;
using lacuna::grammar::Verdict;

constexpr std::size_t kMostBytes = 8000;  // about 200 lines: an enclosing item
constexpr std::size_t kPatience = 4'000'000;

double microseconds() {  // of this thread: other processes do not count
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

struct Row {
  int files = 0, refused_files = 0, states = 0, unsound = 0, unknown = 0, planted = 0, caught = 0;
  int wrong = 0, refused = 0;
  std::vector<double> times, first_times;
};

double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

double percent(int part, int whole) { return whole == 0 ? 0 : 100.0 * part / whole; }

void report(const std::string& path, const std::vector<Piece>& pieces) {
  std::string shown;
  for (const Piece& piece : pieces) shown += piece.hole ? "¤" : std::string(piece.text);
  std::fprintf(stderr, "unsound: %s\n%s\n", path.c_str(), shown.c_str());
}

void random_states(HoleChecker& checker, const std::string& path, const std::string& text,
                   const ProgramRanges& ranges, int masks, std::mt19937& random, Row& row) {
  for (int i = 0; i < masks; ++i) {
    const std::vector<ByteRange> holes = random_holes(text, ranges, random);
    if (!is_closed(ranges, holes)) continue;
    const std::vector<Piece> pieces = pieces_of(text, holes);
    const Verdict verdict = checker.check(pieces);
    ++row.states;
    row.unknown += verdict == Verdict::Unknown ? 1 : 0;
    if (verdict == Verdict::Impossible && ++row.unsound <= 5) report(path, pieces);
  }
}

// Checks a state and notes the time.
Verdict timed(HoleChecker& checker, const std::vector<Piece>& pieces, std::vector<double>& times) {
  const double begin = microseconds();
  const Verdict verdict = checker.check(pieces);
  times.push_back(microseconds() - begin);
  return verdict;
}

// A region of tokens that is filled in random order, from three quarters masked, as the constraint
// asks about it: once with all of it as one hole, when the fill begins; then at each step with one
// more token, and with a wrong token in its place.
void denoise(HoleChecker& checker, const std::string& path, const std::string& text,
             const ProgramRanges& ranges, std::mt19937& random, Row& row) {
  const std::size_t count = std::min<std::size_t>(32, ranges.tokens.size());
  const std::size_t first = random() % (ranges.tokens.size() - count + 1);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), first);
  std::shuffle(order.begin(), order.end(), random);
  const std::vector<ByteRange> all{
      {ranges.tokens[first].begin, ranges.tokens[first + count - 1].end}};
  timed(checker, pieces_of(text, all), row.first_times);
  for (std::size_t masked = count * 3 / 4; masked > 0; --masked) {
    std::vector<ByteRange> holes;
    holes.reserve(masked);
    for (std::size_t i = 0; i < masked; ++i) holes.push_back(ranges.tokens[order[i]]);
    std::sort(holes.begin(), holes.end(),
              [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
    if (!is_closed(ranges, holes)) continue;
    const std::vector<Piece> pieces = pieces_of(text, holes);
    const Verdict verdict = timed(checker, pieces, row.times);
    ++row.states;
    row.unknown += verdict == Verdict::Unknown ? 1 : 0;
    if (verdict == Verdict::Impossible && ++row.unsound <= 5) report(path, pieces);

    const ByteRange last = ranges.tokens[order[masked]];
    const ByteRange other = ranges.tokens[random() % ranges.tokens.size()];
    std::string wrong = text;
    const std::string_view token =
        std::string_view(text).substr(other.begin, other.end - other.begin);
    wrong.replace(last.begin, last.end - last.begin, token);
    const std::size_t longer = token.size() - (last.end - last.begin);  // modulo
    for (ByteRange& hole : holes) {
      if (hole.begin < last.end) continue;
      hole.begin += longer;
      hole.end += longer;
    }
    const Verdict refused = timed(checker, pieces_of(wrong, holes), row.times);
    ++row.wrong;
    row.refused += refused == Verdict::Impossible ? 1 : 0;
  }
  // A closing bracket that nothing opened, with a quarter of the region masked.
  std::vector<ByteRange> holes;
  holes.reserve(count / 4);
  for (std::size_t i = 0; i < count / 4; ++i) holes.push_back(ranges.tokens[order[i]]);
  std::sort(holes.begin(), holes.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
  std::vector<Piece> pieces = pieces_of(text, holes);
  if (pieces.size() < 2) return;
  pieces.insert(pieces.begin() + 1, Piece{" ] ) } ] ", false});
  ++row.planted;
  row.caught += checker.check(pieces) == Verdict::Impossible ? 1 : 0;
}

}  // namespace

int main(int count, char** arguments) {
  const Grammar* const grammar =
      count < 4 ? nullptr : grammar_of(lacuna::language_named(arguments[1]));
  if (grammar == nullptr || !HoleChecker::make(arguments[1])) {
    std::fprintf(stderr, "usage: hole_checker_bench LANGUAGE MASKS_PER_FILE FILE...\n");
    return 1;
  }
  const int masks = std::atoi(arguments[2]);
  std::mt19937 random(1);
  Row row;
  for (int i = 3; i < count; ++i) {
    const auto content = lacuna::read_file(arguments[i], kMostBytes);
    if (!content || content->empty()) continue;
    const std::string& text = *content;
    if (!lacuna::is_valid_utf8(text)) continue;
    const auto tree = parse(*grammar, text);
    if (!tree || tree->has_error()) continue;
    const ProgramRanges ranges = ranges_of(*tree);
    if (ranges.tokens.empty()) continue;
    ++row.files;
    // Without the budget nothing is hidden by it.
    const auto patient = HoleChecker::make(arguments[1], {.budget = kPatience});
    const Piece whole{text, false};
    if (patient->check({&whole, 1}) == Verdict::Impossible) {
      ++row.refused_files;
      std::fprintf(stderr, "refused: %s\n", arguments[i]);
      continue;
    }
    random_states(*patient, arguments[i], text, ranges, masks, random, row);
    const auto checker = HoleChecker::make(arguments[1]);
    denoise(*checker, arguments[i], text, ranges, random, row);
  }
  double sum = 0;
  for (const double time : row.times) sum += time;
  std::printf("| %s | %d | %d | %d | %d | %d | %.0f%% | %.0f%% | %.0f | %.2f | %.2f | %.2f |\n",
              arguments[1], row.files, row.refused_files, row.states, row.unsound, row.unknown,
              percent(row.refused, row.wrong), percent(row.caught, row.planted),
              sum == 0 ? 0 : 1e6 * static_cast<double>(row.times.size()) / sum,
              quantile(row.times, 0.5) * 1e-3, quantile(row.times, 0.99) * 1e-3,
              quantile(row.first_times, 0.5) * 1e-3);
  return row.unsound + row.refused_files == 0 ? 0 : 2;
}
