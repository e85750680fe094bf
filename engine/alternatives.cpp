#include "engine/alternatives.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "engine/infill_batch.h"

namespace lacuna::engine {
namespace {

bool same_texts(const InfillResult& a, const InfillResult& b) {
  return std::equal(a.fills.begin(), a.fills.end(), b.fills.begin(), b.fills.end(),
                    [](const HoleFill& x, const HoleFill& y) { return x.text == y.text; });
}

}  // namespace

SamplingOptions sampling_of_try(const SamplingOptions& sampling,
                                const AlternativeOptions& alternatives, int index) {
  SamplingOptions changed = sampling;
  if (index == 0) return changed;
  changed.seed += static_cast<std::uint64_t>(index);
  changed.temperature = std::max(changed.temperature, alternatives.temperature);
  return changed;
}

Result<std::vector<Alternative>> infill_alternatives(const Model& model,
                                                     const InfillRequest& request,
                                                     const AlternativeOptions& options) {
  const int most_tries = options.number > 1 ? 2 * options.number : 1;
  std::vector<Alternative> alternatives;
  int tried = 0;
  while (static_cast<int>(alternatives.size()) < options.number && tried < most_tries) {
    const int missing = options.number - static_cast<int>(alternatives.size());
    std::vector<InfillRequest> requests;
    std::vector<std::unique_ptr<Constraint>> constraints;
    for (const int end = std::min(tried + missing, most_tries); tried < end; ++tried) {
      InfillRequest& next = requests.emplace_back(request);
      next.options.sampling = sampling_of_try(request.options.sampling, options, tried);
      next.constraint = nullptr;
      if (options.make_constraint) {
        next.constraint = constraints.emplace_back(options.make_constraint()).get();
      }
      if (tried == 0) continue;
      next.on_step = nullptr;
      next.on_denoise = nullptr;
    }
    Result<std::vector<InfillResult>> results = infill_batch(model, requests);
    if (!results) return results.error();
    for (std::size_t i = 0; i < results->size(); ++i) {
      InfillResult& result = (*results)[i];
      const bool known =
          std::any_of(alternatives.begin(), alternatives.end(),
                      [&](const Alternative& it) { return same_texts(it.result, result); });
      if (known) continue;
      alternatives.push_back(
          {.sampling = requests[i].options.sampling, .result = std::move(result)});
    }
  }
  return alternatives;
}

}  // namespace lacuna::engine
