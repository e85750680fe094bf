// Times functions and prints a table or JSON.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lacuna::bench {

struct Options {
  std::string filter;        // run only the cases whose name contains this
  bool json = false;         // one JSON object a line, instead of the table
  int threads = 1;           // for the kernels under test
  double seconds = 0.5;      // measured per case
  bool cpu_clock = false;    // time of all threads on a CPU, shared out: for busy machines
  std::string isa = "best";  // scalar, avx2, avx512, avx512vnni, avx512bf16
};

// Prints how to call the program and exits on a wrong argument.
Options parse_options(int argc, char** argv);

// What a call does, to turn time into speed; 0 leaves the column out.
struct Work {
  double flops = 0;
  double bytes = 0;
};

class Report {
 public:
  explicit Report(Options options);

  const Options& options() const { return options_; }
  bool wants(const std::string& name) const;

  // Calls `body` once to warm up and then for Options::seconds, at least 3 times, and prints the
  // fastest call: on a machine with other work it is the one number that repeats.
  void run(const std::string& name, const Work& work, const std::function<void()>& body);

 private:
  Options options_;
};

}  // namespace lacuna::bench
