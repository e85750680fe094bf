#include "bench/kernels/measure.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace lacuna::bench {
namespace {

[[noreturn]] void usage(const char* program) {
  std::fprintf(stderr,
               "usage: %s [--filter TEXT] [--threads N] [--isa scalar|avx2|avx512|avx512bf16]\n"
               "       [--seconds S] [--clock wall|cpu] [--json]\n",
               program);
  std::exit(2);
}

double now(const Options& options) {
  if (options.cpu_clock) {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9) /
           options.threads;
  }
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--json") {
      options.json = true;
      continue;
    }
    if (i + 1 == argc) usage(argv[0]);
    const char* value = argv[++i];
    if (name == "--filter")
      options.filter = value;
    else if (name == "--threads")
      options.threads = std::max(1, std::atoi(value));
    else if (name == "--seconds")
      options.seconds = std::atof(value);
    else if (name == "--isa")
      options.isa = value;
    else if (name == "--clock")
      options.cpu_clock = std::string(value) == "cpu";
    else
      usage(argv[0]);
  }
  return options;
}

Report::Report(Options options) : options_(std::move(options)) {
  if (!options_.json)
    std::printf("%-48s %10s %10s %9s %8s\n", "case", "ms best", "ms median", "GFLOP/s", "GB/s");
}

bool Report::wants(const std::string& name) const {
  return name.find(options_.filter) != std::string::npos;
}

void Report::run(const std::string& name, const Work& work, const std::function<void()>& body) {
  if (!wants(name)) return;
  body();
  std::vector<double> times;  // seconds
  double total = 0;
  while (total < options_.seconds || times.size() < 3) {
    const double start = now(options_);
    body();
    times.push_back(now(options_) - start);
    total += times.back();
  }
  std::sort(times.begin(), times.end());
  const double best = times.front();
  const double median = times[times.size() / 2];
  const char* format =
      options_.json
          ? "{\"case\":\"%s\",\"ms\":%.4f,\"ms_median\":%.4f,\"gflops\":%.1f,\"gbytes\":%.1f}\n"
          : "%-48s %10.3f %10.3f %9.1f %8.1f\n";
  std::printf(format, name.c_str(), best * 1e3, median * 1e3, work.flops / best * 1e-9,
              work.bytes / best * 1e-9);
  std::fflush(stdout);
}

}  // namespace lacuna::bench
