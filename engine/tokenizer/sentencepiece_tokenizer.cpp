#include "engine/tokenizer/sentencepiece_tokenizer.h"

#include <algorithm>
#include <array>
#include <exception>
#include <unordered_map>

#include <sentencepiece_processor.h>

#include "engine/tokenizer/sentencepiece_model.h"
#include "engine/tokenizer/tokenizer_files.h"
#include "engine/tokenizer/unicode.h"

namespace lacuna::engine {
namespace {

using Type = SentencePieceModel::Type;

constexpr std::string_view kSpaceSymbol = "\u2581";

Error corrupt(const std::string& what) {
  return fail(ErrorCode::Corrupt, "SentencePiece model: " + what);
}

// A blank before the text is ours to add, once: the library would add one to each part of it. A
// field that comes again in this format overrides the first, so appending a NormalizerSpec
// (field 3, 2 bytes) with add_dummy_prefix (field 3) = 0 turns it off.
constexpr std::string_view kNoDummyPrefix = {"\x1A\x02\x18\x00", 4};

class SentencePieceTokenizer : public Tokenizer {
 public:
  SentencePieceTokenizer(std::unique_ptr<sentencepiece::SentencePieceProcessor> processor,
                         bool dummy_prefix)
      : processor_(std::move(processor)), dummy_prefix_(dummy_prefix) {}

  // Fill the tables, one after the other. Corrupt when an added token contradicts the model.
  void add_pieces(const SentencePieceModel& model);
  Result<void> add_control_tokens(const SentencePieceModel& model,
                                  const std::vector<AddedToken>& added);

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    encode_text(text, true, ids);
    return ids;
  }

  std::vector<std::int32_t> encode_with_control(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    std::size_t done = 0;
    while (const auto match = matcher_.find(text, done)) {
      encode_text(text.substr(done, match->begin - done), ids.empty(), ids);
      ids.push_back(match->id);
      done = match->end;
    }
    encode_text(text.substr(done), ids.empty(), ids);
    return ids;
  }

  std::string decode(std::span<const std::int32_t> ids, DecodeOptions options) const override {
    std::string text;
    bool at_begin = dummy_prefix_;
    for (const std::int32_t id : ids) {
      if (id < 0 || id >= size()) continue;
      const Token& token = tokens_[static_cast<std::size_t>(id)];
      if (token.control && !options.control_tokens) continue;
      const bool drop_blank = at_begin && !token.control && token.text.starts_with(' ');
      text.append(token.text, drop_blank ? 1 : 0);
      at_begin = at_begin && token.control;
    }
    return text;
  }

  std::int32_t size() const override { return static_cast<std::int32_t>(tokens_.size()); }

  bool is_control(std::int32_t id) const override {
    return id < 0 || id >= size() || tokens_[static_cast<std::size_t>(id)].control;
  }

  std::optional<std::int32_t> find(std::string_view token) const override {
    const auto found = ids_.find(std::string(token));
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  struct Token {
    std::string text;  // bytes of text, or the spelling of a control token
    bool control = true;
  };

  void encode_text(std::string_view text, bool first, std::vector<std::int32_t>& ids) const;
  void encode_clean(std::string_view text, std::vector<std::int32_t>& ids) const;
  void encode_lines(std::string_view text, std::vector<std::int32_t>& ids) const;
  void encode_bytes(std::string_view text, std::vector<std::int32_t>& ids) const {
    for (const char byte : text) ids.push_back(byte_ids_[static_cast<std::uint8_t>(byte)]);
  }

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  bool dummy_prefix_;
  bool lines_are_separate_ = false;  // no piece goes past a line end, so merges do not either
  std::vector<Token> tokens_;        // by id
  std::array<std::int32_t, 256> byte_ids_{};
  std::unordered_map<std::string, std::int32_t> ids_;  // of every spelling, for find()
  AddedTokenMatcher matcher_;
};

std::string text_of(const SentencePieceModel::Piece& piece) {
  if (piece.type == Type::Byte) return std::string(1, static_cast<char>(byte_of_piece(piece.text)));
  std::string text;
  for (std::string_view rest = piece.text; !rest.empty();) {
    const bool space = rest.starts_with(kSpaceSymbol);
    text += space ? ' ' : rest.front();
    rest.remove_prefix(space ? kSpaceSymbol.size() : 1);
  }
  return text;
}

void SentencePieceTokenizer::add_pieces(const SentencePieceModel& model) {
  tokens_.resize(model.pieces.size());
  const auto is_text = [](Type type) {
    return type == Type::Normal || type == Type::UserDefined || type == Type::Byte;
  };
  for (std::size_t id = 0; id < tokens_.size(); ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[id];
    tokens_[id] = {is_text(piece.type) ? text_of(piece) : piece.text, !is_text(piece.type)};
    if (piece.type == Type::Byte) {
      byte_ids_[static_cast<std::uint8_t>(tokens_[id].text[0])] = static_cast<std::int32_t>(id);
    }
  }
  lines_are_separate_ =
      model.is_bpe && std::all_of(tokens_.begin(), tokens_.end(), [](auto& token) {
        return token.text == "\n" || token.text.find('\n') == std::string::npos;
      });
  // The first of several with the same text stays: control tokens, then pieces, then bytes.
  const auto rank = [&](Type type) { return !is_text(type) ? 0 : type != Type::Byte ? 1 : 2; };
  for (const int turn : {0, 1, 2}) {
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (rank(model.pieces[id].type) == turn) {
        ids_.emplace(tokens_[id].text, static_cast<std::int32_t>(id));
      }
    }
  }
}

Result<void> SentencePieceTokenizer::add_control_tokens(const SentencePieceModel& model,
                                                        const std::vector<AddedToken>& added) {
  std::vector<AddedToken> control;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type != Type::Control) continue;
    control.push_back({.content = tokens_[id].text, .id = static_cast<std::int32_t>(id)});
  }
  for (const AddedToken& token : added) {
    const auto id = static_cast<std::size_t>(token.id);
    if (id >= tokens_.size()) tokens_.resize(id + 1);
    const auto [known, is_new] = ids_.emplace(token.content, token.id);
    const bool taken = is_new && !tokens_[id].text.empty();
    const bool byte = !tokens_[id].control && tokens_[id].text.size() == 1;
    if (known->second != token.id || taken || byte) {
      return corrupt("added token '" + token.content + "' with id " + std::to_string(token.id) +
                     " contradicts the model");
    }
    tokens_[id] = {token.content, true};
  }
  if (auto done = add_tokens(added, "added tokens", control); !done) return done;
  matcher_ = AddedTokenMatcher(std::move(control));
  return {};
}

// The library slows down with the length of a text: its working set outgrows the cache.
constexpr std::size_t kChunkBytes = 2048;

// Cuts out what the library would change: bytes that are not UTF-8 and its symbol for the space.
void SentencePieceTokenizer::encode_text(std::string_view text, bool first,
                                         std::vector<std::int32_t>& ids) const {
  if (text.empty()) return;
  if (first && dummy_prefix_) {
    encode_text(" " + std::string(text), false, ids);
    return;
  }
  while (!text.empty()) {
    const std::size_t clean = std::min(valid_utf8_prefix(text), text.find(kSpaceSymbol));
    encode_lines(text.substr(0, clean), ids);
    text.remove_prefix(clean);
    const std::size_t foreign =
        std::min(text.size(), text.starts_with(kSpaceSymbol) ? kSpaceSymbol.size() : 1);
    encode_bytes(text.substr(0, foreign), ids);
    text.remove_prefix(foreign);
  }
}

void SentencePieceTokenizer::encode_lines(std::string_view text,
                                          std::vector<std::int32_t>& ids) const {
  while (lines_are_separate_ && text.size() > kChunkBytes) {
    const std::size_t line_end = text.find('\n', kChunkBytes);
    if (line_end == std::string_view::npos) break;
    encode_clean(text.substr(0, line_end + 1), ids);
    text.remove_prefix(line_end + 1);
  }
  encode_clean(text, ids);
}

void SentencePieceTokenizer::encode_clean(std::string_view text,
                                          std::vector<std::int32_t>& ids) const {
  std::vector<int> pieces;
  if (!processor_->Encode(text, &pieces).ok()) {  // not known to happen; nothing may be lost
    encode_bytes(text, ids);
    return;
  }
  for (const int id : pieces) {
    // A user-defined piece that another file made an added token: it stays text.
    if (is_control(id)) {
      encode_bytes(tokens_[static_cast<std::size_t>(id)].text, ids);
    } else {
      ids.push_back(id);
    }
  }
}

// The library reports through a status, but the trie that it builds throws.
Result<void> load(sentencepiece::SentencePieceProcessor& processor, const std::string& model) {
  try {
    if (const auto status = processor.LoadFromSerializedProto(model); !status.ok()) {
      return corrupt(status.ToString());
    }
  } catch (const std::exception& error) {
    return corrupt(error.what());
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_sentencepiece_tokenizer(std::string model,
                                                                std::vector<AddedToken> added) {
  const Result<SentencePieceModel> parsed = parse_sentencepiece_model(model);
  if (!parsed) return parsed.error();
  model += kNoDummyPrefix;
  auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
  if (auto loaded = load(*processor, model); !loaded) return loaded.error();
  if (processor->GetPieceSize() != static_cast<int>(parsed->pieces.size())) {
    return corrupt("the library reads another number of pieces");
  }
  auto tokenizer =
      std::make_unique<SentencePieceTokenizer>(std::move(processor), parsed->add_dummy_prefix);
  tokenizer->add_pieces(*parsed);
  if (Result<void> done = tokenizer->add_control_tokens(*parsed, added); !done) return done.error();
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace lacuna::engine
