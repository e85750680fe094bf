// A CUDA device as a Backend: what the operations of cuda_kernels.h need beside their arguments.
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/device_buffer.h"
#include "kernels/cuda/device_matrix.h"
#include "kernels/cuda/staging.h"
#include "kernels/kernels.h"

namespace lacuna::kernels::cuda {
namespace {

class MatrixOnDevice final : public Weights {
 public:
  explicit MatrixOnDevice(DeviceWeights weights) : weights_(std::move(weights)) {}
  std::size_t bytes() const override { return weights_.bytes(); }
  const DeviceMatrix& view() const { return weights_.view(); }

 private:
  DeviceWeights weights_;
};

// Integers of 4 bits stay so: that is what makes a large model fit.
WeightType weight_type(std::span<const MatrixSource> sources, WeightFormat format) {
  if (format == WeightFormat::F32) return WeightType::F32;
  if (format == WeightFormat::Bf16) return WeightType::Bf16;
  const bool four_bits = std::all_of(sources.begin(), sources.end(),
                                     [](const MatrixSource& it) { return it.type == DType::I4; });
  return four_bits ? WeightType::Int4 : WeightType::Int8;
}

// Memory for one call after the other, which grows to what the largest needs.
class Scratch {
 public:
  void* reserve(std::size_t bytes) {
    if (bytes > buffer_.bytes()) {
      ++moves_;
      buffer_ = DeviceBuffer();  // first gives back what there is
      buffer_ = DeviceBuffer(bytes);
    }
    return buffer_.as<void>();
  }
  // How often it has been somewhere else before: what was taken down then is of no use any more.
  int moves() const { return moves_; }

 private:
  DeviceBuffer buffer_;
  int moves_ = 0;
};

class Graph final : public Recording {
 public:
  Graph(CUgraphExec_st* executable, int scratch_moves)
      : executable_(executable), scratch_moves_(scratch_moves) {}
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() override { cudaGraphExecDestroy(executable_); }

  CUgraphExec_st* executable() const { return executable_; }
  int scratch_moves() const { return scratch_moves_; }

 private:
  CUgraphExec_st* executable_;
  int scratch_moves_;
};

// Arrays of the host, one after the other, so that one copy brings them all to the device.
class Parcel {
 public:
  void clear() { bytes_.clear(); }
  // Where the array will be, from the beginning of the parcel.
  template <class T>
  std::size_t add(std::span<const T> values) {
    const std::size_t at = (bytes_.size() + 15) / 16 * 16;
    bytes_.resize(at + values.size_bytes());
    if (!values.empty()) std::memcpy(bytes_.data() + at, values.data(), values.size_bytes());
    return at;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class CudaBackend final : public Backend, public StepDevice {
 public:
  CudaBackend(int index, KvType kv_type, ThreadPool& pool, const char* cublaslt)
      : index_(index),
        kv_type_(kv_type),
        pool_(pool),
        cublaslt_file_(cublaslt == nullptr ? "" : cublaslt) {
    use();
    // It does not wait for the legacy stream, which somebody else may use while ours is captured.
    LACUNA_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;
  ~CudaBackend() override { cudaStreamDestroy(stream_); }

  bool on_host() const override { return false; }

  Memory allocate(std::size_t bytes) override {
    use();
    DeviceBuffer buffer(bytes);
    return {buffer.release(), bytes, [](void* memory) { cudaFree(memory); }};
  }

  Memory share(const void* data, std::size_t bytes) override {
    Memory memory = allocate(bytes);
    staging_.copy(memory.as<void>(), data, bytes, pool_, stream_);
    return memory;
  }

  // From pageable memory: it may be written again when the call returns.
  void upload(void* to, const void* from, std::size_t bytes) override {
    if (bytes == 0) return;
    use();
    LACUNA_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_));
  }

  void download(void* to, const void* from, std::size_t bytes) override {
    if (bytes == 0) return;
    LACUNA_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_));
    LACUNA_CUDA_CHECK(cudaStreamSynchronize(stream_));
  }

  std::unique_ptr<Weights> weights(std::span<const MatrixSource> sources, int k,
                                   WeightFormat format) override {
    use();
    const WeightType type = weight_type(sources, format);
    // Not before: it is half a gigabyte to map, and exact models do without it.
    if (type == WeightType::Bf16 && !asked_for_cublaslt_) {
      asked_for_cublaslt_ = true;
      cublaslt_ = CublasLt::open(cublaslt_file_.empty() ? nullptr : cublaslt_file_.c_str());
    }
    auto matrix = std::make_unique<MatrixOnDevice>(
        DeviceWeights::upload(sources, k, type, staging_, pool_, stream_));
    if (cublaslt_ && type == WeightType::Bf16) cublaslt_->prepare(matrix->view(), stream_);
    return matrix;
  }

  std::size_t kv_bytes(int capacity, int K, int P) const override {
    return cuda::kv_bytes(kv_type(P), capacity, K, P);
  }

  void embed(const Embed& op) override { cuda::embed(op, stream_); }
  void rms_norm(const RmsNorm& op) override { cuda::rms_norm(op, stream_); }
  void swiglu(const SwiGlu& op) override { cuda::swiglu(op, stream_); }

  void product(const Product& op) override {
    const DeviceMatrix& w = static_cast<const MatrixOnDevice*>(op.w)->view();
    const MatmulOp product = {.y = op.y,
                              .x = op.x,
                              .w = w,
                              .bias = op.bias,
                              .M = op.M,
                              .x_stride = op.x_stride,
                              .accumulate = op.accumulate,
                              .scratch = scratch_.reserve(matmul_scratch(op.M, w.k))};
    const bool by_library = cublaslt_ && w.type == WeightType::Bf16 && op.M > kOwnRows &&
                            cublaslt_->multiply(product, stream_);
    if (!by_library) cuda::matmul(product, stream_);
  }

  void rope_store(const RopeStore& op) override {
    cuda::rope_store({.q = op.q,
                      .cache = cache_of(op.cache),
                      .qkv = op.qkv,
                      .positions = op.positions,
                      .places = op.places,
                      .cos = op.cos,
                      .sin = op.sin,
                      .M = op.M,
                      .H = op.H},
                     stream_);
  }

  void attention(const Attention& op) override {
    const std::size_t floats = attention_partials(op.M, op.H, op.cache.P);
    cuda::attention({.y = op.y,
                     .q = op.q,
                     .cache = cache_of(op.cache),
                     .M = op.M,
                     .H = op.H,
                     .T = op.T,
                     .scale = op.scale,
                     .partials = static_cast<float*>(scratch_.reserve(floats * sizeof(float)))},
                    stream_);
  }

  void attention_weights(const AttentionWeights& op) override {
    cuda::attention_weights({.y = op.y,
                             .q = op.q,
                             .rows = op.rows,
                             .cache = cache_of(op.cache),
                             .M = op.M,
                             .H = op.H,
                             .T = op.T,
                             .scale = op.scale},
                            stream_);
  }

  void kv_swap(const KvSwap& op) override {
    cuda::kv_swap({.a = cache_of(op.a),
                   .b = cache_of(op.b),
                   .a_places = op.a_places,
                   .b_places = op.b_places,
                   .M = op.M},
                  stream_);
  }

  void kv_move(const KvMove& op) override {
    KvCache spare = cache_of(op.from);
    const std::size_t bytes = cuda::kv_bytes(spare.type, spare.capacity, spare.K, spare.P);
    auto* memory =
        static_cast<std::byte*>(op.from.keys == op.to.keys ? scratch_.reserve(2 * bytes) : nullptr);
    spare.keys = memory;
    spare.values = memory == nullptr ? nullptr : memory + bytes;
    cuda::kv_move({.from = cache_of(op.from),
                   .to = cache_of(op.to),
                   .cos = op.cos,
                   .sin = op.sin,
                   .begin = op.begin,
                   .end = op.end,
                   .by = op.by,
                   .spare = spare},
                  stream_);
  }

  void keep_rows(const KeepRows& op) override {
    const std::size_t bytes = static_cast<std::size_t>(op.M) * op.D * sizeof(float);
    if (bytes == 0) return;
    auto* kept = static_cast<float*>(scratch_.reserve(bytes));
    cuda::gather_rows({.y = kept, .x = op.x, .rows = op.rows, .M = op.M, .D = op.D}, stream_);
    LACUNA_CUDA_CHECK(cudaMemcpyAsync(op.x, kept, bytes, cudaMemcpyDeviceToDevice, stream_));
  }

  void draw(const DrawLogits& op) override {
    if (op.results.empty()) return;
    parcel_.clear();
    const std::size_t rows = parcel_.add(op.rows);
    const std::size_t allowed = parcel_.add(op.allowed);
    const std::size_t banned = parcel_.add(op.banned);
    const std::size_t banned_begin = parcel_.add(op.banned_begin);
    const std::size_t uniforms = parcel_.add(op.uniforms);
    const std::size_t bytes = (parcel_.bytes().size() + 15) / 16 * 16;
    auto* memory = static_cast<std::byte*>(scratch_.reserve(bytes + op.results.size_bytes()));
    upload(memory, parcel_.bytes().data(), parcel_.bytes().size());
    auto* results = reinterpret_cast<RowResult*>(memory + bytes);
    const auto at = [memory](std::size_t offset, bool is_there) {
      return is_there ? memory + offset : nullptr;
    };
    cuda::draw_rows(
        {.results = results,
         .logits = op.logits,
         .rows = reinterpret_cast<const std::int32_t*>(memory + rows),
         .allowed = reinterpret_cast<const std::uint8_t*>(at(allowed, !op.allowed.empty())),
         .banned = reinterpret_cast<const std::int32_t*>(at(banned, !op.banned.empty())),
         .banned_begin = reinterpret_cast<const std::int32_t*>(memory + banned_begin),
         .uniforms = reinterpret_cast<const double*>(memory + uniforms),
         .M = static_cast<int>(op.results.size()),
         .V = op.V,
         .forbidden = op.forbidden,
         .temperature = op.temperature,
         .confidence = op.confidence},
        stream_);
    download(op.results.data(), results, op.results.size_bytes());
  }

  StepDevice* step_device() override { return this; }

  Memory pinned(std::size_t bytes) override {
    use();
    void* memory = nullptr;
    LACUNA_CUDA_CHECK(cudaMallocHost(&memory, bytes));
    return {memory, bytes, [](void* pinned) { cudaFreeHost(pinned); }};
  }

  void send(void* to, const void* from, std::size_t bytes) override {
    LACUNA_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_));
  }
  void fetch(void* to, const void* from, std::size_t bytes) override {
    LACUNA_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_));
  }
  void wait() override { LACUNA_CUDA_CHECK(cudaStreamSynchronize(stream_)); }

  void rope_store(const StepRopeStore& op) override {
    cuda::rope_store({.q = op.q,
                      .cache = cache_of(op.cache),
                      .qkv = op.qkv,
                      .positions = op.input->positions,
                      .cos = op.cos,
                      .sin = op.sin,
                      .M = op.M,
                      .H = op.H,
                      .slots = op.input->slots},
                     stream_);
  }

  void attention(const StepAttention& op) override {
    const std::size_t floats = step_partials(op.M, op.n_parts, op.H, op.cache.P);
    cuda::attention({.y = op.y,
                     .q = op.q,
                     .cache = cache_of(op.cache),
                     .M = op.M,
                     .H = op.H,
                     .T = op.cache.capacity,
                     .scale = op.scale,
                     .partials = static_cast<float*>(scratch_.reserve(floats * sizeof(float))),
                     .parts = op.parts,
                     .n_parts = op.n_parts,
                     .least_rows = op.least_rows},
                    stream_);
  }

  void draw(const StepDrawLogits& op) override {
    cuda::draw_rows({.results = op.results,
                     .logits = op.logits,
                     .allowed = op.allowed,
                     .banned = op.input->banned,
                     .banned_begin = op.input->banned_begin,
                     .uniforms = op.input->uniforms,
                     .M = op.n_draws,
                     .V = op.V,
                     .forbidden = -1,
                     .temperature = 0,
                     .confidence = RowConfidence::Probability,
                     .draws = op.input->draws,
                     .first = op.first,
                     .count = op.count},
                    stream_);
  }

  std::unique_ptr<Recording> record(const std::function<void()>& operations) override {
    if (!records_) return nullptr;
    try {
      return std::make_unique<Graph>(capture(operations), scratch_.moves());
    } catch (const DeviceError&) {
      // Step by step it may still work; if not, that says so.
      records_ = false;
      return nullptr;
    }
  }

  bool replay(const Recording& recording) override {
    const auto& graph = static_cast<const Graph&>(recording);
    if (!records_ || graph.scratch_moves() != scratch_.moves()) return false;
    LACUNA_CUDA_CHECK(cudaGraphLaunch(graph.executable(), stream_));
    return true;
  }

  bool records() const override { return records_; }
  void set_records(bool on) override { records_ = on; }

 private:
  CUgraphExec_st* capture(const std::function<void()>& operations) {
    use();
    // Only calls of this thread are held against it: others may load weights meanwhile.
    LACUNA_CUDA_CHECK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    CUgraph_st* graph = nullptr;
    try {
      operations();
    } catch (...) {
      cudaStreamEndCapture(stream_, &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      cudaGetLastError();  // forgets it
      throw;
    }
    LACUNA_CUDA_CHECK(cudaStreamEndCapture(stream_, &graph));
    CUgraphExec_st* executable = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    if (status != cudaSuccess) cudaGetLastError();
    LACUNA_CUDA_CHECK(status);
    return executable;
  }

  // The current device is a thread's own; memory and weights may be asked for from several.
  void use() const { LACUNA_CUDA_CHECK(cudaSetDevice(index_)); }

  // The tensor cores take heads of these sizes.
  KvType kv_type(int P) const {
    const bool fits = P == 32 || P == 64 || P == 128;
    return kv_type_ == KvType::Bf16 && fits ? KvType::Bf16 : KvType::F32;
  }

  KvCache cache_of(const KvCacheView& view) const {
    return {.keys = view.keys,
            .values = view.values,
            .capacity = view.capacity,
            .K = view.K,
            .P = view.P,
            .type = kv_type(view.P)};
  }

  int index_;
  KvType kv_type_;
  ThreadPool& pool_;
  CUstream_st* stream_ = nullptr;
  Staging staging_;
  Scratch scratch_;  // of one operation at a time: they run in order
  Parcel parcel_;
  std::string cublaslt_file_;  // empty: the usual names
  bool asked_for_cublaslt_ = false;
  std::unique_ptr<CublasLt> cublaslt_;  // null: not asked for, or not there
  bool records_ = true;
};

}  // namespace

std::unique_ptr<Backend> open_cuda(int index, KvType kv_type, ThreadPool& pool,
                                   const char* cublaslt) {
  return std::make_unique<CudaBackend>(index, kv_type, pool, cublaslt);
}

DeviceMemory memory_of_cuda(int index) {
  DeviceMemory memory;
  LACUNA_CUDA_CHECK(cudaSetDevice(index));
  LACUNA_CUDA_CHECK(cudaMemGetInfo(&memory.free_bytes, &memory.total_bytes));
  return memory;
}

}  // namespace lacuna::kernels::cuda
