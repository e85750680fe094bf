#include "engine/tokenizer/bpe_tokenizer.h"

#include <array>
#include <unordered_map>
#include <utility>

#include "engine/tokenizer/bpe.h"
#include "engine/tokenizer/hash.h"
#include "engine/tokenizer/splitter.h"
#include "engine/tokenizer/unicode.h"
#include "support/text.h"

namespace lacuna::engine {
namespace {

// The words of one text that were merged lately, so that an identifier that comes again is not
// merged again. Lives for one call of encode(): nothing to lock, nothing that grows. Entries name
// places in the text and in the output instead of holding copies.
class RecentWords {
 public:
  // Appends the tokens of text[begin, end) and returns true, if it knows them.
  bool append(std::string_view text, std::size_t begin, std::size_t end,
              std::vector<std::int32_t>& ids) {
    const std::string_view word = text.substr(begin, end - begin);
    const Entry& entry = entries_[hash_bytes(word) % kEntries];
    if (entry.length != word.size() || text.substr(entry.begin, entry.length) != word) {
      return false;
    }
    for (std::size_t i = 0; i < entry.n_ids; ++i) {
      const std::int32_t id = ids[entry.first_id + i];  // not iterators: push_back moves them
      ids.push_back(id);
    }
    return true;
  }

  void remember(std::string_view text, std::size_t begin, std::size_t end, std::size_t first_id,
                std::size_t n_ids) {
    entries_[hash_bytes(text.substr(begin, end - begin)) % kEntries] = {begin, end - begin,
                                                                        first_id, n_ids};
  }

 private:
  static constexpr std::size_t kEntries = 1024;
  struct Entry {
    std::size_t begin = 0;
    std::size_t length = 0;  // 0: free; no word is empty
    std::size_t first_id = 0;
    std::size_t n_ids = 0;
  };
  std::array<Entry, kEntries> entries_{};
};

class BpeTokenizer : public Tokenizer {
 public:
  BpeTokenizer(const BpeSpec& spec, BpeModel model, std::unique_ptr<Splitter> splitter)
      : nfc_(spec.nfc), model_(std::move(model)), splitter_(std::move(splitter)) {
    std::vector<AddedToken> raw;
    std::vector<AddedToken> normalized;
    for (const AddedToken& token : spec.added) {
      control_ids_.emplace(token.content, token.id);
      if (token.normalized && nfc_ && is_valid_utf8(token.content)) {
        std::string buffer;
        normalized.push_back(token);
        normalized.back().content = std::string(to_nfc(token.content, buffer));
      } else {
        raw.push_back(token);
      }
    }
    raw_matcher_ = AddedTokenMatcher(std::move(raw));
    normalized_matcher_ = AddedTokenMatcher(std::move(normalized));
  }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    encode_text(text, nullptr, ids);
    return ids;
  }

  std::vector<std::int32_t> encode_with_control(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    for_each_part(text, raw_matcher_, ids,
                  [&](std::string_view part) { encode_text(part, &normalized_matcher_, ids); });
    return ids;
  }

  std::string decode(std::span<const std::int32_t> ids, DecodeOptions options) const override {
    std::string text;
    for (const std::int32_t id : ids) {
      const bool wanted = model_.pieces().kind(id) == PieceTable::Kind::Text;
      if (wanted || options.control_tokens) text += model_.pieces().text(id);
    }
    return text;
  }

  std::int32_t size() const override { return model_.pieces().size(); }

  bool is_control(std::int32_t id) const override {
    return model_.pieces().kind(id) != PieceTable::Kind::Text;
  }

  std::optional<std::int32_t> find(std::string_view token) const override {
    const auto control = control_ids_.find(std::string(token));
    if (control != control_ids_.end()) return control->second;
    const std::int32_t id = model_.pieces().find(token);
    return id < 0 ? std::nullopt : std::optional(id);
  }

 private:
  // Gives the text between the matches to `encode_part` and appends the ids of the matches.
  template <class EncodePart>
  static void for_each_part(std::string_view text, const AddedTokenMatcher& matcher,
                            std::vector<std::int32_t>& ids, EncodePart encode_part) {
    std::size_t done = 0;
    while (const auto match = matcher.find(text, done)) {
      encode_part(text.substr(done, match->begin - done));
      ids.push_back(match->id);
      done = match->end;
    }
    encode_part(text.substr(done));
  }

  // Cuts at bytes that are not UTF-8: neither NFC nor the split is defined across them.
  void encode_text(std::string_view text, const AddedTokenMatcher* control,
                   std::vector<std::int32_t>& ids) const {
    while (!text.empty()) {
      const std::size_t valid = valid_utf8_prefix(text);
      encode_valid(text.substr(0, valid), control, ids);
      text.remove_prefix(valid);
      if (text.empty()) return;
      ids.push_back(model_.byte_token(text.front()));
      text.remove_prefix(1);
    }
  }

  void encode_valid(std::string_view text, const AddedTokenMatcher* control,
                    std::vector<std::int32_t>& ids) const {
    std::string buffer;
    if (nfc_) text = to_nfc(text, buffer);
    if (control == nullptr) {
      encode_words(text, ids);
    } else {
      for_each_part(text, *control, ids, [&](std::string_view part) { encode_words(part, ids); });
    }
  }

  void encode_words(std::string_view text, std::vector<std::int32_t>& ids) const {
    if (text.empty()) return;
    std::vector<std::size_t> ends;
    splitter_->split(text, ends);
    ids.reserve(ids.size() + ends.size() + ends.size() / 2);
    RecentWords recent;
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      if (!recent.append(text, begin, end, ids)) {
        const std::size_t before = ids.size();
        model_.encode_word(text.substr(begin, end - begin), ids);
        if (ids.size() > before + 1) {
          recent.remember(text, begin, end, before, ids.size() - before);
        }
      }
      begin = end;
    }
  }

  bool nfc_;
  BpeModel model_;
  std::unique_ptr<Splitter> splitter_;
  AddedTokenMatcher raw_matcher_;
  AddedTokenMatcher normalized_matcher_;
  std::unordered_map<std::string, std::int32_t> control_ids_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_bpe_tokenizer(const BpeSpec& spec) {
  std::unique_ptr<Splitter> splitter;
  if (spec.patterns.size() == 1 && spec.patterns[0] == kQwen2Pattern) {
    splitter = make_qwen2_splitter();
  } else {
    Result<std::unique_ptr<Splitter>> made = make_regex_splitter(spec.patterns);
    if (!made) return made.error();
    splitter = std::move(*made);
  }
  Result<BpeModel> model = BpeModel::build(spec);
  if (!model) return model.error();
  return std::unique_ptr<Tokenizer>(
      std::make_unique<BpeTokenizer>(spec, std::move(*model), std::move(splitter)));
}

}  // namespace lacuna::engine
