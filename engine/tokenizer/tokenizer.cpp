#include "engine/tokenizer/tokenizer.h"

#include <new>
#include <unordered_set>

#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/tokenizer_files.h"
#include "support/file.h"

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = 256 << 20;      // the largest published has 34 MB
constexpr std::uint64_t kMaxSmallFileBytes = 16 << 20;  // configurations and token lists

// The content of a file that need not exist: empty then, which none of these files ever is.
Result<std::string> read_optional(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::string();
  return read_file(path, kMaxSmallFileBytes);
}

// Names the file in the message of a reader that only saw bytes.
Error in_folder(const fs::path& folder, const Error& error) {
  return fail(error.code, folder.string() + ": " + error.message);
}

struct SideFiles {
  TokenizerConfig config;
  std::vector<AddedToken> added;      // of tokenizer_config.json and added_tokens.json
  std::vector<std::string> specials;  // spellings without ids
};

Result<SideFiles> read_side_files(const fs::path& folder) {
  SideFiles side;
  const Result<std::string> config = read_optional(folder / "tokenizer_config.json");
  if (!config) return config.error();
  if (!config->empty()) {
    Result<TokenizerConfig> parsed = parse_tokenizer_config(*config);
    if (!parsed) return parsed.error();
    side.config = std::move(*parsed);
    side.added = side.config.added;
  }
  const Result<std::string> added = read_optional(folder / "added_tokens.json");
  if (!added) return added.error();
  if (!added->empty()) {
    Result<std::vector<AddedToken>> parsed = parse_added_tokens(*added);
    if (!parsed) return parsed.error();
    if (auto done = add_tokens(std::move(*parsed), "added_tokens.json", side.added); !done) {
      return done.error();
    }
  }
  const Result<std::string> specials = read_optional(folder / "special_tokens_map.json");
  if (!specials) return specials.error();
  if (!specials->empty()) {
    Result<std::vector<std::string>> parsed = parse_special_tokens_map(*specials);
    if (!parsed) return parsed.error();
    side.specials = std::move(*parsed);
  }
  return side;
}

// The special tokens that are ordinary pieces of the vocabulary, as GPT-2's <|endoftext|> is.
std::vector<AddedToken> specials_in_vocabulary(const std::vector<std::string>& specials,
                                               const BpeSpec& spec) {
  const std::unordered_set<std::string_view> wanted(specials.begin(), specials.end());
  std::vector<AddedToken> tokens;
  for (const auto& [piece, id] : spec.vocab) {
    if (wanted.count(piece) != 0) tokens.push_back({.content = piece, .id = id});
  }
  return tokens;
}

Result<std::unique_ptr<Tokenizer>> finish_bpe(Result<BpeSpec> spec, SideFiles side) {
  if (!spec) return spec.error();
  auto done = add_tokens(std::move(side.added), "tokenizer_config.json", spec->added);
  if (done) {
    done = add_tokens(specials_in_vocabulary(side.specials, *spec), "special_tokens_map.json",
                      spec->added);
  }
  if (!done) return done.error();
  return make_bpe_tokenizer(*spec);
}

// The *.model files of the folder.
std::vector<fs::path> find_models(const fs::path& folder) {
  std::vector<fs::path> models;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".model") models.push_back(entry->path());
  }
  return models;
}

Result<std::unique_ptr<Tokenizer>> load(const fs::path& folder) {
  const auto has = [&](const char* name) {
    std::error_code ignored;
    return fs::exists(folder / name, ignored);
  };
  const std::vector<fs::path> models = find_models(folder);
  const bool has_json = has("tokenizer.json");
  const bool has_vocab = has("vocab.json") && has("merges.txt");
  if (!has_json && !has_vocab && models.size() != 1) {
    return fail(ErrorCode::NotFound,
                models.empty()
                    ? "no tokenizer: expected tokenizer.json, vocab.json with "
                      "merges.txt, or a SentencePiece *.model"
                    : "several *.model files, so it is not clear which is the tokenizer");
  }
  Result<SideFiles> side = read_side_files(folder);
  if (!side) return side.error();
  if (has_json) {
    const Result<std::string> text = read_file(folder / "tokenizer.json", kMaxFileBytes);
    if (!text) return text.error();
    return finish_bpe(parse_tokenizer_json(*text), std::move(*side));
  }
  if (has_vocab) {
    const Result<std::string> vocab = read_file(folder / "vocab.json", kMaxFileBytes);
    if (!vocab) return vocab.error();
    const Result<std::string> merges = read_file(folder / "merges.txt", kMaxFileBytes);
    if (!merges) return merges.error();
    return finish_bpe(parse_vocab_and_merges(*vocab, *merges, side->config.tokenizer_class),
                      std::move(*side));
  }
  Result<std::string> model = read_file(models.front(), kMaxFileBytes);
  if (!model) return model.error();
  return make_sentencepiece_tokenizer(std::move(*model), std::move(side->added));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const fs::path& model_dir) {
  try {
    Result<std::unique_ptr<Tokenizer>> tokenizer = load(model_dir);
    if (!tokenizer) return in_folder(model_dir, tokenizer.error());
    return tokenizer;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::Unavailable, model_dir.string() + ": no memory for the tokenizer");
  }
}

}  // namespace lacuna::engine
