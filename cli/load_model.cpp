#include "cli/load_model.h"

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "cli/count_bar.h"

namespace lacuna::cli {
namespace {

std::uint64_t size_of_files(const engine::Checkpoint& checkpoint) {
  std::uint64_t bytes = 0;
  for (const std::filesystem::path& file : checkpoint.weight_files()) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(file, error);
    if (!error) bytes += size;
  }
  return bytes;
}

Result<LoadedModel> load_on(const engine::Device& device, const ModelPlace& place,
                            const CommonOptions& options, bool needs_tokenizer,
                            const engine::LoadProgress& on_progress) {
  const auto start = std::chrono::steady_clock::now();
  const Result<engine::Checkpoint> checkpoint = engine::Checkpoint::open(place.folder);
  if (!checkpoint) return checkpoint.error();
  const kernels::Isa isa = kernels::best_isa();
  const kernels::DType stored = checkpoint->tensors().layers[0].q.type;
  const Numbers numbers = device.kind == engine::DeviceKind::Cuda
                              ? choose_gpu_numbers(options, stored)
                              : choose_numbers(options, stored, isa);
  const int threads = options.threads > 0 ? options.threads : engine::default_threads();
  auto context = std::make_unique<kernels::CpuContext>(isa, threads);
  Result<engine::Model> model =
      engine::Model::load(place.folder, *context,
                          {.format = numbers.format,
                           .precision = numbers.precision,
                           .needs_tokenizer = needs_tokenizer,
                           .device = device,
                           .vram = static_cast<std::uint64_t>(options.vram * 1e9),
                           .graphs = wants_graphs(),
                           .on_progress = on_progress});
  if (!model) return model.error();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return LoadedModel{.place = place,
                     .device = device,
                     .numbers = numbers,
                     .seconds = seconds.count(),
                     .bytes = size_of_files(*checkpoint),
                     .parameters = checkpoint->parameter_count(),
                     .context = std::move(context),
                     .model = std::move(*model)};
}

}  // namespace

Numbers choose_numbers(const CommonOptions& options, kernels::DType stored, kernels::Isa isa) {
  const bool chosen = options.dtype == "auto";
  const bool integers = chosen && !kernels::is_float(stored) && !options.exact;
  // The plain loops are slower with integers than with floats.
  const bool fast_integers = isa != kernels::Isa::Scalar;
  if (options.dtype == "int8" || (integers && fast_integers)) {
    return {kernels::WeightFormat::Int8, kernels::Precision::F32};
  }
  const bool bf16 =
      options.dtype == "bf16" || integers || (chosen && stored == kernels::DType::BF16);
  if (!bf16) return {kernels::WeightFormat::F32, kernels::Precision::F32};
  const bool fast = isa == kernels::Isa::Avx512Bf16 && !options.exact;
  return {kernels::WeightFormat::Bf16, fast ? kernels::Precision::Bf16 : kernels::Precision::F32};
}

Numbers choose_gpu_numbers(const CommonOptions& options, kernels::DType stored) {
  const bool chosen = options.dtype == "auto";
  if (options.exact || options.dtype == "f32" || (chosen && stored == kernels::DType::F32))
    return {kernels::WeightFormat::F32, kernels::Precision::F32};
  if (options.dtype == "int8" || (chosen && !kernels::is_float(stored)))
    return {kernels::WeightFormat::Int8, kernels::Precision::F32};
  return {kernels::WeightFormat::Bf16, kernels::Precision::Bf16};
}

std::string describe(Numbers numbers) {
  if (numbers.format == kernels::WeightFormat::F32) return "f32";
  if (numbers.format == kernels::WeightFormat::Int8) return "int8";
  return numbers.precision == kernels::Precision::Bf16 ? "bf16" : "bf16 weights, f32 products";
}

bool wants_graphs() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes it
  const char* value = std::getenv("LACUNA_CUDA_GRAPHS");
  return value == nullptr || std::string_view(value) != "0";
}

Result<ModelPlace> place_of_model(const CommonOptions& options) {
  const auto variable = [](const char* name) -> const char* {
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes it
  };
  return find_model(options.model, model_search(variable));
}

Result<LoadedModel> load_model(const CommonOptions& options, bool needs_tokenizer,
                               Terminal* terminal, const engine::LoadProgress& on_progress) {
  if (options.exact && options.dtype == "int8") {
    return fail(ErrorCode::InvalidInput,
                "--exact computes products in float32, --dtype int8 does not; leave one out");
  }
  const Result<engine::DeviceWish> wish = engine::parse_device(options.device);
  if (!wish) return wish.error();
  const Result<engine::Device> device = engine::choose_device(*wish, engine::probe_cuda());
  if (!device) return device.error();
  const Result<ModelPlace> place = place_of_model(options);
  if (!place) return place.error();

  std::optional<Notice> notice(std::in_place, terminal,
                               "loading the model " + place->name + " ...");
  std::optional<CountBar> bar;
  const auto show = [&](int done, int total) {
    if (on_progress) on_progress(done, total);
    if (terminal == nullptr) return;
    notice.reset();
    if (!bar) bar.emplace(*terminal, "loading the model " + place->name + ", part", total);
    bar->show(done);
  };
  Result<LoadedModel> loaded = load_on(*device, *place, options, needs_tokenizer, show);
  const bool on_gpu = device->kind == engine::DeviceKind::Cuda;
  if (loaded || !on_gpu || !wish->automatic || loaded.error().code != ErrorCode::Unavailable)
    return loaded;
  return load_on({.reason = loaded.error().message}, *place, options, needs_tokenizer, show);
}

}  // namespace lacuna::cli
