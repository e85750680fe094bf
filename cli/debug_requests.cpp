#include "cli/debug_requests.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include <nlohmann/json.hpp>

#include "cli/json_numbers.h"
#include "engine/denoiser.h"
#include "engine/transformer_predictor.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;
using Ids = std::vector<std::int32_t>;

constexpr std::size_t kMaxAnswerNumbers = std::size_t{1} << 28;  // 1 GiB of floats
constexpr int kPublishedSteps = 512;
constexpr int kLladaLength = 128;  // of LLaDA's generation, its blocks, and its steps

Error wrong(const std::string& message) { return fail(ErrorCode::InvalidInput, message); }

Result<Json> parse_request(std::string_view text) {
  Json request = Json::parse(text, nullptr, false);
  if (request.is_discarded()) return wrong("the request is not valid JSON");
  if (!request.is_object()) return wrong("the request is not a JSON object");
  return request;
}

Result<std::string> parse_text(const Json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end()) return wrong("the request has no \"" + std::string(key) + "\"");
  if (!found->is_string()) return wrong("\"" + std::string(key) + "\" is not a string");
  return found->get<std::string>();
}

// `limit` is one past the largest allowed id.
Result<Ids> parse_ids(const Json& request, const char* key, std::int64_t limit) {
  const std::string name = "\"" + std::string(key) + "\"";
  const auto found = request.find(key);
  if (found == request.end()) return wrong("the request has no " + name);
  if (!found->is_array()) return wrong(name + " is not an array");
  Ids ids;
  for (const Json& id : *found) {
    if (!id.is_number_integer() || id < 0 || id >= limit) {
      return wrong(name + " holds " + id.dump() + "; ids are whole numbers from 0 to " +
                   std::to_string(limit - 1));
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

Result<Ids> check_size(const engine::Model& model, Ids canvas, const char* what) {
  const auto limit = static_cast<std::size_t>(model.config().max_positions);
  if (canvas.size() <= limit) return canvas;
  return wrong(std::string(what) + " has " + std::to_string(canvas.size()) +
               " tokens; the model has " + std::to_string(limit) + " positions");
}

Result<Ids> parse_canvas(const engine::Model& model, const Json& request) {
  Result<Ids> ids = parse_ids(request, "ids", model.config().vocab_size);
  if (!ids) return ids;
  if (ids->empty()) return wrong("\"ids\" is empty");
  return check_size(model, std::move(*ids), "\"ids\"");
}

// Fields of a request, read one after the other; the first one that is wrong makes the error.
// Absent and null fields leave the value as it is.
class Fields {
 public:
  explicit Fields(const Json& request) : request_(request) {}

  void read(const char* name, int& value) {
    if (const Json* field = find(name)) value = whole<int>(*field, name);
  }
  void read(const char* name, std::uint64_t& value) {
    if (const Json* field = find(name)) value = whole<std::uint64_t>(*field, name);
  }
  void read(const char* name, std::optional<int>& value) {
    if (const Json* field = find(name)) value = whole<int>(*field, name);
  }
  void read(const char* name, float& value) {
    if (const Json* field = find(name)) value = number(*field, name);
  }
  void read(const char* name, std::optional<float>& value) {
    if (const Json* field = find(name)) value = number(*field, name);
  }
  void read(const char* name, std::string& value) {
    const Json* field = find(name);
    if (field == nullptr) return;
    if (field->is_string()) {
      value = field->get<std::string>();
    } else {
      complain(name, "a string");
    }
  }

  const std::string& problem() const { return problem_; }

 private:
  const Json* find(const char* name) const {
    const auto found = request_.find(name);
    return found == request_.end() || found->is_null() ? nullptr : &*found;
  }

  template <class T>
  T whole(const Json& field, const char* name) {
    const bool fits =
        field.is_number_integer() && field >= 0 && field <= std::numeric_limits<T>::max();
    if (!fits) complain(name, "a whole number from 0 on");
    return fits ? field.get<T>() : T{};
  }

  float number(const Json& field, const char* name) {
    if (!field.is_number()) complain(name, "a number");
    return field.is_number() ? field.get<float>() : 0;
  }

  void complain(const char* name, const char* expected) {
    if (problem_.empty()) problem_ = "\"" + std::string(name) + "\" is not " + expected;
  }

  const Json& request_;
  std::string problem_;
};

struct SampleRequest {
  engine::SamplingOptions sampling;
  engine::CacheOptions cache;
  // Dream's loop goes on for all of its steps; that of Fast-dLLM ends a block that is done.
  bool early_exit = false;
};

// Fast-dLLM's two caches have a full pass at each block's start and no other, unless asked for.
Result<engine::CacheOptions> parse_cache(Fields& fields) {
  using engine::CacheScope;
  std::string name = "exact";
  std::optional<int> refresh;
  engine::CacheOptions cache;
  fields.read("cache", name);
  fields.read("refresh", refresh);
  fields.read("refresh_share", cache.refresh_share);
  fields.read("refresh_drift", cache.refresh_drift);
  fields.read("look_before", cache.look_before);
  fields.read("look_after", cache.look_after);
  if (!fields.problem().empty()) return wrong(fields.problem());
  if (refresh == 0) return wrong("\"refresh\" is 0; it must be at least 1");
  if (!(cache.refresh_share >= 0 && cache.refresh_share <= 1)) {
    return wrong("\"refresh_share\" must be from 0 to 1");
  }
  if (!(cache.refresh_drift >= 0 && cache.refresh_drift <= 2)) {
    return wrong("\"refresh_drift\" must be from 0 to 2");
  }
  cache.refresh = refresh.value_or(name == "cached" ? 8 : 0);
  if (name == "exact") {
    cache.scope = CacheScope::None;
  } else if (name == "prefix") {
    cache.scope = CacheScope::Prefix;
  } else if (name == "dual") {
    cache.scope = CacheScope::Block;
  } else if (name != "cached") {
    return wrong("\"cache\" is none of \"exact\", \"cached\", \"prefix\" and \"dual\"");
  }
  return cache;
}

// The two published loops have their own defaults: Dream's `diffusion_generate` fills the masks of
// "ids", LLaDA's `generate` appends masks to "prompt".
Result<SampleRequest> parse_sample(const Json& request) {
  SampleRequest sample;
  const bool appends = request.contains("prompt");
  std::string alg = appends ? "low_confidence" : "origin";
  sample.sampling.steps = appends ? kLladaLength : kPublishedSteps;
  if (appends) sample.sampling.block_length = kLladaLength;
  Fields fields(request);
  fields.read("steps", sample.sampling.steps);
  fields.read("alg", alg);
  fields.read("temperature", sample.sampling.temperature);
  fields.read("top_p", sample.sampling.top_p);
  fields.read("top_k", sample.sampling.top_k);
  fields.read("alg_temp", sample.sampling.alg_temp);
  fields.read("eps", sample.sampling.eps);
  fields.read("threshold", sample.sampling.threshold);
  fields.read("revoke", sample.sampling.revoke);
  fields.read("factor", sample.sampling.factor);
  fields.read("entropy_budget", sample.sampling.entropy_budget);
  fields.read("tokens_per_step", sample.sampling.tokens_per_step);
  fields.read("block_length", sample.sampling.block_length);
  fields.read("cfg_scale", sample.sampling.cfg_scale);
  fields.read("verify", sample.sampling.verify);
  fields.read("eta", sample.sampling.eta);
  fields.read("seed", sample.sampling.seed);
  fields.read("info_gain", sample.sampling.info_gain);
  fields.read("position_temperature", sample.sampling.position_temperature);
  fields.read("gain_bypass", sample.sampling.gain_bypass);
  const Result<engine::CacheOptions> parsed_cache = parse_cache(fields);
  if (!parsed_cache) return parsed_cache.error();
  sample.cache = *parsed_cache;
  sample.early_exit = sample.sampling.block_length.has_value() &&
                      (sample.sampling.threshold || sample.sampling.factor);
  const Result<engine::Algorithm> algorithm = engine::parse_algorithm(alg);
  if (!algorithm) return algorithm.error();
  sample.sampling.algorithm = *algorithm;
  if (const auto ok = engine::check(sample.sampling); !ok) return ok.error();
  return sample;
}

// Pairs [position, token], by position.
Json commits_json(const engine::StepEvent& event, std::int32_t mask_token) {
  std::vector<std::pair<int, std::int32_t>> commits;
  for (const engine::Candidate& commit : event.commits) {
    if (commit.token != mask_token) commits.emplace_back(commit.position, commit.token);
  }
  std::sort(commits.begin(), commits.end());
  return commits;
}

// "prompt" and "gen_length" masks after it.
Result<Ids> parse_prompt(const engine::Model& model, const Json& request) {
  Result<Ids> canvas = parse_ids(request, "prompt", model.config().vocab_size);
  if (!canvas) return canvas;
  int gen_length = kLladaLength;
  Fields fields(request);
  fields.read("gen_length", gen_length);
  if (!fields.problem().empty()) return wrong(fields.problem());
  if (gen_length < 1 || gen_length > model.config().max_positions) {
    return wrong("\"gen_length\" is " + std::to_string(gen_length) + "; it must be from 1 to " +
                 std::to_string(model.config().max_positions));
  }
  canvas->resize(canvas->size() + static_cast<std::size_t>(gen_length), model.mask_token());
  return check_size(model, std::move(*canvas), "\"prompt\" with \"gen_length\"");
}

Result<std::vector<std::int32_t>> positions_of(const std::vector<int>& rows, std::size_t size) {
  std::vector<std::int32_t> positions(rows.begin(), rows.end());
  if (positions.empty()) {
    positions.resize(size);
    std::iota(positions.begin(), positions.end(), 0);
  } else if (static_cast<std::size_t>(positions.back()) >= size) {
    return wrong("row " + std::to_string(positions.back()) + " is past the end: there are " +
                 std::to_string(size) + " ids");
  }
  return positions;
}

}  // namespace

Result<std::string> answer_logits(const engine::Model& model, std::string_view request,
                                  const std::vector<int>& rows) {
  const Result<Json> json = parse_request(request);
  if (!json) return json.error();
  const Result<Ids> ids = parse_canvas(model, *json);
  if (!ids) return ids.error();
  const auto positions = positions_of(rows, ids->size());
  if (!positions) return positions.error();
  const auto V = static_cast<std::size_t>(model.config().vocab_size);
  if (positions->size() > kMaxAnswerNumbers / V) {
    return wrong("the answer would have " + std::to_string(positions->size()) + " rows of " +
                 std::to_string(V) + " numbers; ask for fewer with --rows");
  }
  std::vector<float> logits(positions->size() * V);
  engine::TransformerPredictor predictor(model.transformer(), model.context(),
                                         static_cast<int>(ids->size()), model.precision());
  predictor.logits(*ids, *positions, logits.data());

  std::string answer = "{\"logits\":[";
  for (std::size_t row = 0; row < positions->size(); ++row) {
    answer += row == 0 ? "[" : ",[";
    for (std::size_t v = 0; v < V; ++v) {
      if (v > 0) answer += ',';
      answer += json_text(logits[row * V + v]);
    }
    answer += ']';
  }
  return answer + "]}";
}

Result<std::string> answer_sample(const engine::Model& model, std::string_view request) {
  const Result<Json> json = parse_request(request);
  if (!json) return json.error();
  if (json->contains("prompt") && json->contains("ids")) {
    return wrong("the request has both \"prompt\" and \"ids\"");
  }
  Result<Ids> ids =
      json->contains("prompt") ? parse_prompt(model, *json) : parse_canvas(model, *json);
  if (!ids) return ids.error();
  const Result<SampleRequest> sample = parse_sample(*json);
  if (!sample) return sample.error();

  Json commits_per_step = Json::array();
  engine::DenoiseRequest denoising;
  denoising.canvas = std::move(*ids);
  denoising.mask_token = model.mask_token();
  denoising.sampling = sample->sampling;
  denoising.cache = sample->cache;
  denoising.early_exit = sample->early_exit;
  denoising.on_step = [&](const engine::StepEvent& event) {
    commits_per_step.push_back(commits_json(event, model.mask_token()));
  };
  engine::TransformerPredictor predictor(model.transformer(), model.context(),
                                         engine::limits_of(denoising), model.precision());
  const Result<engine::DenoiseResult> result = engine::denoise(predictor, denoising);
  if (!result) return result.error();
  const Json answer = {{"result", result->canvas},
                       {"commits_per_step", std::move(commits_per_step)},
                       {"forward_passes", result->forward_passes}};
  return answer.dump();
}

Result<std::string> answer_tokens(const engine::Tokenizer& tokenizer, std::string_view request) {
  const Result<Json> json = parse_request(request);
  if (!json) return json.error();
  if (const auto text = json->find("text"); text != json->end()) {
    if (!text->is_string()) return wrong("\"text\" is not a string");
    return Json({{"ids", tokenizer.encode(text->get<std::string>())}}).dump();
  }
  if (!json->contains("ids")) return wrong("the request has neither \"text\" nor \"ids\"");
  const Result<Ids> ids = parse_ids(*json, "ids", std::numeric_limits<std::int32_t>::max());
  if (!ids) return ids.error();
  const Json answer = {{"text", tokenizer.decode(*ids, {.control_tokens = true})}};
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> answer_program(const PythonSandbox& sandbox, std::string_view request) {
  const Result<Json> json = parse_request(request);
  if (!json) return json.error();
  const Result<std::string> solution = parse_text(*json, "solution");
  if (!solution) return solution.error();
  const Result<std::string> tests =
      json->contains("tests") ? parse_text(*json, "tests") : Result<std::string>("");
  if (!tests) return tests.error();
  const Result<RunOutcome> outcome = sandbox.run(*solution, *tests);
  if (!outcome) return outcome.error();
  return Json({{"verdict", name_of(outcome->verdict)},
               {"parses", outcome->parses},
               {"seconds", outcome->seconds}})
      .dump();
}

std::string error_answer(const Error& error) {
  return Json({{"error", error.message}}).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lacuna::cli
