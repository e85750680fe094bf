#include "bench/kernels/onednn.h"

#include <dnnl.hpp>
#include <exception>

namespace lacuna::bench {
namespace {

using Type = dnnl::memory::data_type;

struct Types {
  const char* name;
  Type x;
  Type w;
};
// oneDNN's int8 product is the bare sums: rounding x and scaling y are not in its time.
constexpr Types kTypes[] = {{"onednn f32", Type::f32, Type::f32},
                            {"onednn bf16", Type::bf16, Type::bf16},
                            {"onednn int8", Type::u8, Type::s8}};

void bench_product(Report& report, int M, int K, int N, const Types& types) {
  const std::string name = std::string(types.name) + " M=" + std::to_string(M) +
                           " K=" + std::to_string(K) + " N=" + std::to_string(N);
  if (!report.wants(name)) return;
  using Desc = dnnl::memory::desc;
  using Tag = dnnl::memory::format_tag;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const dnnl::matmul::primitive_desc product(
      dnnl::matmul::desc(Desc({M, K}, types.x, Tag::ab), Desc({K, N}, types.w, Tag::any),
                         Desc({M, N}, Type::f32, Tag::ab)),
      engine);
  dnnl::memory x(product.src_desc(), engine);
  dnnl::memory w(product.weights_desc(), engine);
  dnnl::memory y(product.dst_desc(), engine);
  for (dnnl::memory* memory : {&x, &w}) {  // both of small positive numbers: no subnormals
    auto* words = static_cast<std::uint16_t*>(memory->get_data_handle());
    for (std::size_t i = 0; i < memory->get_desc().get_size() / 2; ++i)
      words[i] = static_cast<std::uint16_t>(0x3C00 + i % 64);
  }
  const dnnl::matmul matmul(product);
  report.run(
      name, {.flops = 2.0 * M * K * N, .bytes = static_cast<double>(w.get_desc().get_size())}, [&] {
        matmul.execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, y}});
        stream.wait();
      });
}

}  // namespace

void bench_onednn(Report& report, int K, int N) {
  for (const Types& types : kTypes)
    for (const int M : {1, 2, 4, 8, 16, 32, 128, 512}) {
      try {
        bench_product(report, M, K, N, types);
      } catch (const dnnl::error&) {
        break;  // this CPU has no such products
      }
    }
}

}  // namespace lacuna::bench
