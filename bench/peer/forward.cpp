// Times bidirectional forward passes of a GGUF model with llama.cpp.
//
// usage: forward LIBRARY_DIR MODEL.gguf TOKENS LOGIT_ROWS THREADS PASSES
// LOGIT_ROWS: for how many rows, the last ones, the head of the network is computed.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <llama.h>
#include <vector>

namespace {

double wall_ms() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(time).count();
}

double cpu_ms() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

void log_warnings(ggml_log_level level, const char* text, void* /*user*/) {
  if (level >= GGML_LOG_LEVEL_WARN) std::fputs(text, stderr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: %s LIBRARY_DIR MODEL TOKENS LOGIT_ROWS THREADS PASSES\n", argv[0]);
    return 2;
  }
  const int tokens = std::atoi(argv[3]);
  const int rows = std::atoi(argv[4]);
  const int threads = std::atoi(argv[5]);
  const int passes = std::atoi(argv[6]);
  llama_log_set(log_warnings, nullptr);
  ggml_backend_load_all_from_path(argv[1]);
  llama_backend_init();
  llama_model_params model_params = llama_model_default_params();
  model_params.n_gpu_layers = 0;
  llama_model* model = llama_model_load_from_file(argv[2], model_params);
  if (model == nullptr) return 1;
  llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<std::uint32_t>(tokens);
  params.n_threads = params.n_threads_batch = threads;
  llama_context* context = llama_init_from_model(model, params);
  if (context == nullptr) return 1;
  llama_set_causal_attn(context, false);
  llama_batch batch = llama_batch_init(tokens, 0, 1);
  batch.n_tokens = tokens;
  for (int i = 0; i < tokens; ++i) {
    batch.token[i] = i * 97 % 150000;
    batch.pos[i] = i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = i >= tokens - rows ? 1 : 0;
  }
  double best_wall = 1e30;
  double best_cpu = 1e30;
  for (int pass = 0; pass <= passes; ++pass) {  // the first one warms up
    llama_memory_clear(llama_get_memory(context), true);
    const double wall = wall_ms();
    const double cpu = cpu_ms();
    if (llama_decode(context, batch) != 0) return 1;
    llama_synchronize(context);
    if (pass == 0) continue;
    best_wall = std::min(best_wall, wall_ms() - wall);
    best_cpu = std::min(best_cpu, cpu_ms() - cpu);
  }
  const float* logits = llama_get_logits(context);
  std::printf(
      "llama.cpp %s: %d tokens, logits of %d, %d thread(s): %.0f ms, CPU %.0f ms/thread"
      " (first logit %g)\n",
      argv[2], tokens, rows, threads, best_wall, best_cpu / threads,
      static_cast<double>(logits[0]));
  llama_free(context);
  llama_model_free(model);
  return 0;
}
