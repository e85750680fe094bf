// What tests ask the fake cuBLASLt (fake_cublaslt.cpp), which lacuna_uses_fakes() has built.
#pragma once

#include <dlfcn.h>
#include <stdexcept>

namespace cuda_emulator {

struct FakeCublasLt {
  int heuristics = 0;  // how often one was asked for, since the program began
  int products = 0;
  int refused_n = 0;       // there is no algorithm for products of so many outputs
  bool asks_fail = false;  // as while a stream is captured
};

#ifdef LACUNA_FAKE_CUBLASLT
// That of the library, once opened: there is one.
inline FakeCublasLt& fake_cublaslt() {
  void* library = dlopen(LACUNA_FAKE_CUBLASLT, RTLD_NOW | RTLD_LOCAL);
  void* state = library == nullptr ? nullptr : dlsym(library, "fake_cublaslt_state");
  if (state == nullptr) throw std::runtime_error(dlerror());
  return *static_cast<FakeCublasLt*>(state);
}
#endif

}  // namespace cuda_emulator
