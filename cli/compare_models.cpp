#include "cli/compare_models.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "cli/load_model.h"
#include "engine/model.h"
#include "engine/rng.h"
#include "engine/transformer_predictor.h"

namespace lacuna::cli {
namespace {

constexpr int kMaxCanvas = 512;
constexpr std::size_t kMaxPositions = 1024;
constexpr std::size_t kMaxLogits = std::size_t{64} << 20;  // 256 MiB of a model's
constexpr double kMaskedShare = 1.0 / 3;

struct Masked {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> positions;  // of the masks
};

// The frame that the model was trained with, around nothing.
Masked begun(const engine::ModelConfig& config) {
  Masked canvas;
  if (!config.document_format) return canvas;
  const engine::DocumentFormat& format = *config.document_format;
  if (format.begin) canvas.tokens.push_back(*format.begin);
  if (format.any_language) canvas.tokens.push_back(*format.any_language);
  return canvas;
}

// The first token of a canvas stays: with shifted logits nothing predicts it.
std::vector<Masked> masked_canvases(const engine::Model& model, std::string_view text) {
  const engine::ModelConfig& config = model.config();
  const engine::Random random(0);
  const std::vector<std::int32_t> tokens = model.tokenizer()->encode(text);
  const auto room = static_cast<std::size_t>(std::min(config.max_positions, kMaxCanvas));
  const std::size_t most =
      std::min(kMaxPositions, kMaxLogits / static_cast<std::size_t>(config.vocab_size) + 1);
  std::vector<Masked> canvases;
  std::size_t n_masked = 0;
  for (std::size_t i = 0; i < tokens.size() && n_masked < most; ++i) {
    if (canvases.empty() || canvases.back().tokens.size() == room)
      canvases.push_back(begun(config));
    Masked& canvas = canvases.back();
    const auto place = static_cast<std::int32_t>(canvas.tokens.size());
    const double drawn = random.uniform(engine::Random::Purpose::Position, 0, static_cast<int>(i));
    const bool mask = place > 0 && drawn < kMaskedShare;
    canvas.tokens.push_back(mask ? model.mask_token() : tokens[i]);
    if (!mask) continue;
    canvas.positions.push_back(place);
    ++n_masked;
  }
  std::erase_if(canvases, [](const Masked& canvas) { return canvas.positions.empty(); });
  return canvases;
}

std::vector<float> logits_of(const engine::Model& model, const std::vector<Masked>& canvases) {
  const auto V = static_cast<std::size_t>(model.config().vocab_size);
  std::vector<float> logits;
  for (const Masked& canvas : canvases) {
    engine::TransformerPredictor predictor(model.transformer(), model.context(),
                                           static_cast<int>(canvas.tokens.size()),
                                           model.precision());
    logits.resize(logits.size() + canvas.positions.size() * V);
    predictor.logits(canvas.tokens, canvas.positions,
                     logits.data() + logits.size() - canvas.positions.size() * V);
  }
  return logits;
}

// log(sum exp(row)).
double log_sum(std::span<const float> row) {
  const double largest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float logit : row) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

double divergence(std::span<const float> reference, std::span<const float> other) {
  const double reference_sum = log_sum(reference);
  const double other_sum = log_sum(other);
  double total = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double log_p = static_cast<double>(reference[i]) - reference_sum;
    const double log_q = static_cast<double>(other[i]) - other_sum;
    total += std::exp(log_p) * (log_p - log_q);
  }
  return total;
}

Comparison compare_rows(std::span<const float> reference, std::span<const float> other,
                        std::size_t V) {
  const std::size_t rows = reference.size() / V;
  double kl = 0;
  int same = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto p = reference.subspan(row * V, V);
    const auto q = other.subspan(row * V, V);
    kl += divergence(p, q);
    const auto best = std::max_element(p.begin(), p.end()) - p.begin();
    if (best == std::max_element(q.begin(), q.end()) - q.begin()) ++same;
  }
  const auto count = static_cast<double>(rows);
  return {.positions = static_cast<int>(rows), .mean_kl = kl / count, .same_token = same / count};
}

Result<LoadedModel> load(const std::filesystem::path& folder, bool exact, int threads) {
  CommonOptions options;
  options.model = (folder / "").string();  // with a slash: a folder, not a name
  options.device = "cpu";
  options.exact = exact;
  options.threads = threads;
  return load_model(options, true, nullptr);
}

}  // namespace

std::string_view sample_source() {
  return R"(def moving_average(values, window):
    """The mean of each run of `window` values."""
    if window <= 0:
        raise ValueError("window must be positive")
    total = sum(values[:window])
    result = [total / window]
    for i in range(window, len(values)):
        total += values[i] - values[i - window]
        result.append(total / window)
    return result


class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        if not self.items:
            raise IndexError("pop from an empty stack")
        return self.items.pop()

// Reads a whole file into memory.
static char *read_all(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*size + 1);
    if (data != NULL && fread(data, 1, *size, file) != *size) {
        free(data);
        data = NULL;
    }
    fclose(file);
    return data;
}

function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    if (!groups.has(name)) {
      groups.set(name, []);
    }
    groups.get(name).push(item);
  }
  return groups;
}

func Max(numbers []int) (int, error) {
	if len(numbers) == 0 {
		return 0, errors.New("no numbers")
	}
	max := numbers[0]
	for _, number := range numbers[1:] {
		if number > max {
			max = number
		}
	}
	return max, nil
}
)";
}

Result<Comparison> compare_models(const std::filesystem::path& reference,
                                  const std::filesystem::path& other, std::string_view text,
                                  int threads) {
  std::vector<Masked> canvases;
  std::vector<float> expected;
  {
    const Result<LoadedModel> loaded = load(reference, true, threads);
    if (!loaded) return loaded.error();
    canvases = masked_canvases(loaded->model, text);
    if (canvases.empty()) return fail(ErrorCode::InvalidInput, "the text has too few tokens");
    expected = logits_of(loaded->model, canvases);
  }
  const Result<LoadedModel> loaded = load(other, false, threads);
  if (!loaded) return loaded.error();
  return compare_rows(expected, logits_of(loaded->model, canvases),
                      static_cast<std::size_t>(loaded->model.config().vocab_size));
}

}  // namespace lacuna::cli
