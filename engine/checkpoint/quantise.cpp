#include "engine/checkpoint/quantise.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/checkpoint/bind_tensors.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/quote.h"
#include "engine/checkpoint/safetensors_writer.h"
#include "kernels/cpu/quantised_rows.h"
#include "support/file.h"

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;
using kernels::DType;

constexpr std::uint64_t kMaxConfigBytes = 1 << 20;
constexpr std::int64_t kBlockWeights = 1 << 20;  // rounded before they are written

// A folder that goes when this does, unless it was renamed.
class Workshop {
 public:
  static Result<Workshop> beside(const fs::path& out) {
    std::string name = out.string() + ".XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) return Workshop(name);
    return fail(ErrorCode::InvalidInput,
                "cannot create a folder beside " + out.string() + ": " +
                    std::error_code(errno, std::generic_category()).message());
  }
  explicit Workshop(fs::path path) : path_(std::move(path)) {}
  Workshop(Workshop&& other) noexcept : path_(std::exchange(other.path_, fs::path())) {}
  Workshop& operator=(Workshop&&) = delete;
  ~Workshop() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  const fs::path& path() const { return path_; }

  Result<void> become(const fs::path& out) {
    std::error_code error;
    constexpr auto kForAll = static_cast<fs::perms>(0755);
    fs::permissions(path_, kForAll, error);
    // rename() would replace an empty folder.
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(out, ignored)))
      error = std::make_error_code(std::errc::file_exists);
    if (!error) fs::rename(path_, out, error);
    if (error) {
      return fail(ErrorCode::Unavailable, "cannot create " + out.string() + ": " + error.message());
    }
    path_.clear();
    return {};
  }

 private:
  fs::path path_;
};

// A tensor of the source and what it becomes: the numbers of the tensors in the file.
struct Job {
  TensorSlot slot;
  DType type;            // it is stored as
  std::size_t data = 0;  // into the writer's tensors; the next ones of quantised matrices only
  std::size_t scales = 0;
  std::size_t steps = 0;
  std::size_t offsets = 0;
};

std::string_view name_of(DType type) {
  switch (type) {
    case DType::F32:
      return "F32";
    case DType::F16:
      return "F16";
    case DType::BF16:
      return "BF16";
    case DType::I8:
      return "I8";
    case DType::I4:
      return "U8";
  }
  return "";
}

std::uint64_t bytes_of(const std::vector<std::int64_t>& shape, std::size_t per_number) {
  return static_cast<std::uint64_t>(std::accumulate(
      shape.begin(), shape.end(), static_cast<std::int64_t>(per_number), std::multiplies<>()));
}

struct Plan {
  std::vector<Job> jobs;
  std::vector<TensorToStore> tensors;  // those of wide numbers first, which aligns them
};

Plan plan_for(std::vector<TensorSlot> slots, const QuantisedWeights& weights) {
  Plan plan;
  const auto store = [&](const std::string& name, std::string_view type,
                         std::vector<std::int64_t> shape, std::size_t bytes) {
    const std::uint64_t total = bytes_of(shape, bytes);
    plan.tensors.push_back({name, type, std::move(shape), total});
    return plan.tensors.size() - 1;
  };
  for (TensorSlot& slot : slots) {
    Job job = {.slot = std::move(slot), .type = DType::I8};
    if (job.slot.kind == TensorKind::Vector) job.type = job.slot.view->type;
    if (job.slot.kind == TensorKind::Matrix && weights.bits == 4) job.type = DType::I4;
    plan.jobs.push_back(std::move(job));
  }
  for (Job& job : plan.jobs) {
    if (kernels::is_float(job.type)) continue;
    job.scales =
        store(job.slot.name + std::string(kScaleSuffix), "F32", {job.slot.shape[0]}, sizeof(float));
  }
  for (Job& job : plan.jobs) {
    if (!kernels::is_float(job.type)) continue;
    job.data = store(job.slot.name, name_of(job.type), job.slot.shape, kernels::size_of(job.type));
  }
  for (Job& job : plan.jobs) {
    if (kernels::is_float(job.type)) continue;
    std::vector<std::int64_t> shape = job.slot.shape;
    if (job.type == DType::I4) {
      const std::vector<std::int64_t> groups = {shape[0],
                                                (shape[1] + weights.group - 1) / weights.group};
      job.steps = store(job.slot.name + std::string(kStepSuffix), "U8", groups, 1);
      job.offsets = store(job.slot.name + std::string(kOffsetSuffix), "I8", groups, 1);
      shape[1] = (shape[1] + 1) / 2;
    }
    job.data = store(job.slot.name, name_of(job.type), std::move(shape), 1);
  }
  return plan;
}

// Some rows of a matrix in its new form.
struct Block {
  std::vector<float> scales;
  std::vector<std::uint8_t> data;
  std::vector<std::uint8_t> steps;
  std::vector<std::int8_t> offsets;
  std::vector<double> squared_errors;  // for each row, as the next
  std::vector<double> squares;
};

// Rounds matrices row by row and writes them.
class Rounder {
 public:
  Rounder(kernels::CpuContext& context, SafetensorsWriter& writer, int group)
      : context_(context), writer_(writer), group_(group) {}

  // Rounds the whole matrix; `on_rows` is called with numbers of rows as they are done.
  Result<MatrixError> round(const Job& job, const std::function<Result<void>(int)>& on_rows) {
    const int n = static_cast<int>(job.slot.shape[0]);
    const int k = static_cast<int>(job.slot.shape[1]);
    const auto rows = static_cast<int>(std::clamp<std::int64_t>(kBlockWeights / k, 1, n));
    double squared_errors = 0;
    double squares = 0;
    for (int first = 0; first < n; first += rows) {
      const int count = std::min(rows, n - first);
      const Block block = round_block(job, first, count, k);
      for (int r = 0; r < count; ++r) {
        if (!std::isfinite(block.scales[static_cast<std::size_t>(r)])) {
          return fail(ErrorCode::Corrupt, "tensor " + quote(job.slot.name) +
                                              " has a number that is not finite in row " +
                                              std::to_string(first + r));
        }
        squared_errors += block.squared_errors[static_cast<std::size_t>(r)];
        squares += block.squares[static_cast<std::size_t>(r)];
      }
      if (const auto written = write(job, block); !written) return written.error();
      if (const auto go_on = on_rows(count); !go_on) return go_on.error();
    }
    return MatrixError{.name = job.slot.name,
                       .shape = job.slot.shape,
                       .bits = job.type == DType::I4 ? 4 : 8,
                       .relative = squares > 0 ? std::sqrt(squared_errors / squares) : 0};
  }

 private:
  Block round_block(const Job& job, int first, int count, int k) {
    const auto rows = static_cast<std::size_t>(count);
    const std::size_t row_bytes = kernels::row_bytes(job.type, k);
    const std::size_t groups =
        job.type == DType::I4 ? static_cast<std::size_t>((k + group_ - 1) / group_) : 0;
    Block block = {.scales = std::vector<float>(rows),
                   .data = std::vector<std::uint8_t>(rows * row_bytes),
                   .steps = std::vector<std::uint8_t>(rows * groups),
                   .offsets = std::vector<std::int8_t>(rows * groups),
                   .squared_errors = std::vector<double>(rows),
                   .squares = std::vector<double>(rows)};
    const TensorView& view = *job.slot.view;
    const kernels::MatrixSource source = {
        .data = view.data.data(), .type = view.type, .rows = static_cast<int>(view.shape[0])};
    const kernels::MatrixSource rounded = {.data = block.data.data(),
                                           .type = job.type,
                                           .rows = count,
                                           .parts = {.scales = block.scales.data(),
                                                     .steps = block.steps.data(),
                                                     .offsets = block.offsets.data(),
                                                     .group = group_}};
    context_.pool().run(count, [&](int row, int thread) {
      const auto r = static_cast<std::size_t>(row);
      float* before = context_.scratch(thread, 2 * static_cast<std::size_t>(k));
      float* after = before + k;
      kernels::read_row(source, first + row, k, before);
      std::uint8_t* data = block.data.data() + r * row_bytes;
      block.scales[r] =
          job.type == DType::I8
              ? kernels::quantise_row_int8(before, k, reinterpret_cast<std::int8_t*>(data))
              : kernels::quantise_row_int4(before, k, group_,
                                           {.codes = data,
                                            .steps = block.steps.data() + r * groups,
                                            .offsets = block.offsets.data() + r * groups});
      kernels::read_row(rounded, row, k, after);
      for (int i = 0; i < k; ++i) {
        const double error = static_cast<double>(after[i]) - static_cast<double>(before[i]);
        block.squared_errors[r] += error * error;
        block.squares[r] += static_cast<double>(before[i]) * static_cast<double>(before[i]);
      }
    });
    return block;
  }

  Result<void> write(const Job& job, const Block& block) {
    const std::pair<std::size_t, std::span<const std::byte>> parts[] = {
        {job.scales, std::as_bytes(std::span(block.scales))},
        {job.data, std::as_bytes(std::span(block.data))},
        {job.steps, std::as_bytes(std::span(block.steps))},
        {job.offsets, std::as_bytes(std::span(block.offsets))}};
    for (const auto& [tensor, bytes] : parts) {
      if (bytes.empty()) continue;
      if (const auto written = writer_.append(tensor, bytes); !written) return written.error();
    }
    return {};
  }

  kernels::CpuContext& context_;
  SafetensorsWriter& writer_;
  int group_;
};

Result<std::vector<MatrixError>> write_weights(const QuantiseRequest& request,
                                               const Checkpoint& checkpoint, const fs::path& path,
                                               kernels::CpuContext& context) {
  ModelTensors tensors = checkpoint.tensors();
  std::vector<TensorSlot> slots = tensor_slots(checkpoint.config(), tensors);
  const Plan plan = plan_for(std::move(slots), request.weights);
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(path, plan.tensors);
  if (!writer) return writer.error();
  QuantiseProgress progress = {.tensor = {}, .done = 0, .total = checkpoint.parameter_count()};
  std::vector<MatrixError> errors;
  Rounder rounder(context, *writer, std::max(1, request.weights.group));
  for (const Job& job : plan.jobs) {
    progress.tensor = job.slot.name;
    if (kernels::is_float(job.type)) {
      progress.done += job.slot.shape[0];
      if (const auto copied = writer->append(job.data, job.slot.view->data); !copied) {
        return copied.error();
      }
      continue;
    }
    Result<MatrixError> error = rounder.round(job, [&](int rows) -> Result<void> {
      progress.done += rows * job.slot.shape[1];
      if (request.on_progress) request.on_progress(progress);
      if (!request.stop.stop_requested()) return {};
      return fail(ErrorCode::Cancelled, "interrupted");
    });
    if (!error) return error.error();
    errors.push_back(std::move(*error));
  }
  if (const auto finished = writer->finish(); !finished) return finished.error();
  return errors;
}

Result<void> write_config(const QuantiseRequest& request, const fs::path& path) {
  const Result<std::string> text = read_file(request.source / "config.json", kMaxConfigBytes);
  if (!text) return text.error();
  auto config = nlohmann::ordered_json::parse(*text, nullptr, false);
  if (!config.is_object()) return fail(ErrorCode::Corrupt, "config.json is not a JSON object");
  config["lacuna_quantization"] = {{"bits", request.weights.bits}};
  if (request.weights.bits == 4) config["lacuna_quantization"]["group"] = request.weights.group;
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  return write_file(path, config.dump(2, ' ', false, kReplace) + "\n");
}

// Weights in any format, and what describes their files.
bool is_weights(const fs::path& name) {
  constexpr std::array kExtensions = {".safetensors", ".bin", ".pt",      ".pth", ".ckpt",
                                      ".gguf",        ".h5",  ".msgpack", ".onnx"};
  return std::find(kExtensions.begin(), kExtensions.end(), name.extension()) != kExtensions.end() ||
         name.string().ends_with(".index.json");
}

// The tokenizer, generation_config.json, licences, model cards.
Result<void> copy_other_files(const fs::path& source, const fs::path& to) {
  std::error_code error;
  for (fs::directory_iterator entry(source, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path name = entry->path().filename();
    if (name == "config.json" || name.string().starts_with(".") || is_weights(name)) continue;
    std::error_code ignored;
    if (!entry->is_regular_file(ignored)) continue;
    fs::copy_file(entry->path(), to / name, error);
    if (error) break;
  }
  if (!error) return {};
  return fail(ErrorCode::Unavailable,
              "cannot copy the files of " + source.string() + ": " + error.message());
}

Result<void> check(const QuantiseRequest& request, const Checkpoint& checkpoint) {
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(request.out, ignored))) {
    return fail(ErrorCode::InvalidInput, request.out.string() + " exists already");
  }
  if (checkpoint.config().quantisation) {
    return fail(ErrorCode::InvalidInput,
                request.source.string() + " has " +
                    std::to_string(checkpoint.config().quantisation->bits) + " bits already");
  }
  return {};
}

}  // namespace

Result<std::vector<MatrixError>> quantise_model(const QuantiseRequest& asked,
                                                kernels::CpuContext& context) {
  QuantiseRequest request = asked;
  if (!request.out.has_filename()) request.out = request.out.parent_path();  // "folder/"
  const Result<Checkpoint> checkpoint = Checkpoint::open(request.source);
  if (!checkpoint) return checkpoint.error();
  if (const auto ok = check(request, *checkpoint); !ok) return ok.error();
  Result<Workshop> workshop = Workshop::beside(request.out);
  if (!workshop) return workshop.error();
  auto errors =
      write_weights(request, *checkpoint, workshop->path() / "model.safetensors", context);
  if (!errors) return errors;
  const fs::path config = workshop->path() / "config.json";
  if (const auto written = write_config(request, config); !written) return written.error();
  if (const auto copied = copy_other_files(request.source, workshop->path()); !copied) {
    return copied.error();
  }
  // What was written must be what this program can read.
  if (const auto opened = Checkpoint::open(workshop->path()); !opened) return opened.error();
  if (const auto renamed = workshop->become(request.out); !renamed) return renamed.error();
  return errors;
}

}  // namespace lacuna::engine
