#include "cli/generate.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/fill_display.h"
#include "cli/interrupts.h"
#include "cli/json_numbers.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/source_text.h"
#include "cli/standard_io.h"
#include "engine/generate.h"
#include "support/file.h"

namespace lacuna::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr int kDefaultNewTokens = 128;
constexpr std::uint64_t kMaxModelJson = 16U << 20;

constexpr const char* kDescription =
    "Continue a prompt with Dream's diffusion_generate: masks after the prompt, denoised in any "
    "order. The generated text goes to standard output, without the prompt.";

constexpr const char* kExamples =
    "Options that are not given come from the model's generation_config.json, and what that does "
    "not set from Dream's published defaults: alg origin, 512 steps, temperature 0, eps 0.001. "
    "origin is random even at temperature 0; --alg entropy is what the papers report.\n\n"
    "Examples:\n"
    "  lacuna generate --prompt 'def fibonacci(n):' --alg entropy --steps 64 --watch\n"
    "  lacuna generate --prompt-file question.txt --chat --model ./DiffuCoder-7B-cpGRPO\n"
    "  echo '# sort a list' | lacuna generate --max-new-tokens 32 --json";

Result<std::string> read_prompt(const GenerateOptions& options) {
  if (options.prompt) return *options.prompt;
  const bool from_input = options.prompt_file.empty() || options.prompt_file == "-";
  return read_source(from_input ? "-" : options.prompt_file);
}

// Whether the model's files say that it is talked to in a chat format.
bool has_chat_template(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(folder / "chat_template.jinja", ignored)) return true;
  const Result<std::string> text = read_file(folder / "tokenizer_config.json", kMaxModelJson);
  if (!text) return false;
  const Json config = Json::parse(*text, nullptr, false);
  return config.is_object() && config.contains("chat_template") &&
         !config["chat_template"].is_null();
}

// Gathers the steps for the report and shows them as a fill of one hole after the prompt.
class Progress {
 public:
  Progress(const engine::Model& model, std::size_t prompt_tokens, FillDisplay& display)
      : model_(model), prompt_tokens_(prompt_tokens), display_(display), tokens_(1) {}

  void step(const engine::StepEvent& event) {
    Json commits = Json::array();
    tokens_[0].resize(event.canvas.size() - prompt_tokens_,
                      {.masked = true, .text = {}, .probability = 0});
    for (const engine::Candidate& commit : event.commits) {
      const std::string text = model_.tokenizer()->decode({&commit.token, 1});
      commits.push_back({{"position", commit.position},
                         {"token", commit.token},
                         {"text", text},
                         {"probability", as_json(commit.probability)}});
      const auto position = static_cast<std::size_t>(commit.position);
      if (position < prompt_tokens_) continue;  // a mask in the prompt
      tokens_[0][position - prompt_tokens_] = {.masked = commit.token == model_.mask_token(),
                                               .text = text,
                                               .probability = commit.probability};
    }
    committed_ += commits.size();
    steps_.push_back({{"step", event.step}, {"commits", std::move(commits)}});
    seconds_ += event.seconds;
    constexpr int kOnlyHole = 0;
    display_.step({.holes = {&kOnlyHole, 1},
                   .tokens = tokens_,
                   .step = event.step,
                   .steps = event.steps,
                   .masks_left = event.masks_left,
                   .masks_total = static_cast<int>(tokens_[0].size()),
                   .canvas_idx = 0,
                   .holes_done = 0,
                   .seconds = event.seconds});
  }

  const Json& steps() const { return steps_; }
  std::size_t committed() const { return committed_; }
  double seconds() const { return seconds_; }

 private:
  const engine::Model& model_;
  std::size_t prompt_tokens_;
  FillDisplay& display_;
  std::vector<std::vector<engine::HoleToken>> tokens_;
  Json steps_ = Json::array();
  std::size_t committed_ = 0;
  double seconds_ = 0;
};

std::string to_json(const engine::GenerateRequest& request, const engine::GenerateResult& result,
                    const Progress& progress, const LoadedModel& model, bool chat) {
  const engine::SamplingOptions& sampling = request.sampling;
  const Json json = {
      {"text", result.text},
      {"prompt_tokens", request.prompt.size()},
      {"sequence", result.sequence},
      {"steps", progress.steps()},
      {"totals",
       {{"tokens", progress.committed()},
        {"steps", result.steps_run},
        {"forward_passes", result.forward_passes}}},
      {"timings", {{"load_seconds", model.seconds}, {"denoise_seconds", progress.seconds()}}},
      {"model",
       {{"name", model.place.name},
        {"folder", model.place.folder.string()},
        {"parameters", model.parameters},
        {"numbers", describe(model.numbers)}}},
      {"seed", sampling.seed},
      {"options",
       {{"chat", chat},
        {"max_new_tokens", request.max_new_tokens},
        {"steps", sampling.steps},
        {"alg", engine::name_of(sampling.algorithm)},
        {"temperature", as_json(sampling.temperature)},
        {"top_p", sampling.top_p ? Json(as_json(*sampling.top_p)) : Json()},
        {"top_k", sampling.top_k ? Json(*sampling.top_k) : Json()},
        {"alg_temp", as_json(sampling.alg_temp)},
        {"eps", as_json(sampling.eps)},
        {"threshold", sampling.threshold ? Json(as_json(*sampling.threshold)) : Json()},
        {"exact", request.exact},
        {"refresh", request.cache.refresh}}}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// The request but for what watches it.
Result<engine::GenerateRequest> request_for(const GenerateOptions& options,
                                            const LoadedModel& model, const std::string& prompt,
                                            bool chat) {
  engine::GenerateRequest request;
  const engine::GenerationDefaults& own = model.model.generation();
  Result<engine::SamplingOptions> defaults = published_defaults(own);
  if (!defaults) return defaults.error();
  request.max_new_tokens =
      options.max_new_tokens.value_or(own.max_new_tokens.value_or(kDefaultNewTokens));
  if (model.model.config().architecture == engine::Architecture::Llada && !own.alg) {
    // LLaDA's own loop, as its chat uses it: one token a step, in blocks.
    constexpr int kLladaBlock = 32;
    defaults->algorithm = engine::Algorithm::LowConfidence;
    defaults->block_length = kLladaBlock;
    if (!own.steps) defaults->steps = request.max_new_tokens;
  }
  const auto sampling = with_flags(*defaults, options.sampling, options.common.seed);
  if (!sampling) return sampling.error();
  request.sampling = *sampling;
  request.logits_eos_inf = options.logits_eos_inf;
  request.confidence_eos_eot_inf = options.confidence_eos_eot_inf;
  request.exact = options.common.exact;
  request.cache = with_cache_flags(request.cache, options.sampling);
  std::optional<engine::ChatOptions> format;
  if (chat) format.emplace();
  if (chat && options.system) format->system = *options.system;
  auto tokens = engine::encode_prompt(model.model, prompt, format);
  if (!tokens) return tokens.error();
  request.prompt = std::move(*tokens);
  return request;
}

}  // namespace

int run_generate(const GenerateOptions& options) {
  if (const auto sampling = with_flags({}, options.sampling, 0); !sampling) {
    return report_usage("generate", sampling.error().message);
  }
  if (options.system && options.chat == false) {
    return report_usage("generate", "--system is part of a chat and does not go with --no-chat");
  }
  if (!options.prompt && options.prompt_file.empty() && ::isatty(STDIN_FILENO) == 1) {
    return report_usage("generate", "give a prompt: --prompt, --prompt-file or standard input");
  }
  const Result<std::string> prompt = read_prompt(options);
  if (!prompt) return report(prompt.error());

  Terminal terminal(STDERR_FILENO);
  Interrupts interrupts(terminal);
  const Result<LoadedModel> model = load_model(options.common, true, &terminal);
  if (!model) return report(model.error());
  const bool chat = options.chat.value_or(options.system || has_chat_template(model->place.folder));
  Result<engine::GenerateRequest> request = request_for(options, *model, *prompt, chat);
  if (!request) return report(request.error());

  const std::string shown = chat ? *prompt + "\n" : *prompt;
  const engine::Hole hole = {
      .begin = shown.size(), .end = shown.size(), .tokens = request->max_new_tokens, .hint = {}};
  FillDisplay display(terminal, options.watch, shown, {&hole, 1}, 1);
  Progress progress(model->model, request->prompt.size(), display);
  request->on_step = [&](const engine::StepEvent& event) { progress.step(event); };
  request->stop = interrupts.token();
  display.begin();
  Result<engine::GenerateResult> result = [&] {
    const Interrupts::Cooperative cooperative(interrupts);
    return engine::generate(model->model, *request);
  }();
  display.end();
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!result) return report(result.error());

  std::string output = result->text;
  if (output.empty() || output.back() != '\n') output += '\n';
  if (options.common.json) output = to_json(*request, *result, progress, *model, chat);
  const Result<void> written = write_output(output);
  return written ? kDone : report(written.error());
}

Command add_generate(CLI::App& root) {
  CLI::App* app = root.add_subcommand("generate", "Continue a prompt");
  app->description(kDescription);
  app->footer(kExamples);
  const auto options = std::make_shared<GenerateOptions>();
  auto* prompt =
      app->add_option("--prompt", options->prompt, "The prompt itself")->type_name("TEXT");
  app->add_option("--prompt-file", options->prompt_file,
                  "A file with the prompt, or - for standard input (the default)")
      ->type_name("FILE")
      ->excludes(prompt);
  app->add_flag("--chat,!--no-chat", options->chat,
                "Frame the prompt as a user's message, or do not (default: as the model's "
                "tokenizer_config.json says)");
  app->add_option("--system", options->system, "The chat's system message")->type_name("TEXT");
  app->add_option("--max-new-tokens", options->max_new_tokens,
                  "Tokens to generate (default: generation_config.json, else 128)")
      ->type_name("N")
      ->check(whole_number(1, 1 << 20));
  app->add_flag("--logits-eos-inf", options->logits_eos_inf,
                "Never draw the token that ends a text (LLaDA)");
  app->add_flag("--confidence-eos-eot-inf", options->confidence_eos_eot_inf,
                "Fix tokens that end a text or a turn last (LLaDA)");
  app->add_flag("--watch", options->watch, "Show on standard error how the text denoises");
  add_json_option(*app, options->common,
                  "Print a report (text, tokens, steps) instead of the text");
  add_model_option(*app, options->common);
  add_device_options(*app, options->common);
  add_seed_option(*app, options->common);
  add_sampling_options(
      *app, options->sampling, options->common,
      {.steps = "generation_config.json, else 512", .alg = "generation_config.json, else origin"});
  return {app, [options] { return run_generate(*options); }};
}

}  // namespace lacuna::cli
