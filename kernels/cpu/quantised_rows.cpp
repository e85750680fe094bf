#include "kernels/cpu/quantised_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/cpu/int8_kernels.h"
#include "kernels/cpu/sizes.h"

namespace lacuna::kernels {
namespace {

constexpr int kLargestCode = 15;
constexpr int kLargestInteger = 127;

const std::byte* row_data(const MatrixSource& source, int row, int k) {
  return static_cast<const std::byte*>(source.data) + size(row) * row_bytes(source.type, k);
}

float row_scale(const MatrixSource& source, int row) {
  float scale = 0;
  std::memcpy(&scale, static_cast<const std::byte*>(source.parts.scales) + size(row) * sizeof scale,
              sizeof scale);
  return scale;
}

// Calls use(i, integer) for the numbers of a row of I8 or I4.
template <class Use>
void for_each_integer(const MatrixSource& source, int row, int k, Use&& use) {
  const std::byte* from = row_data(source, row, k);
  if (source.type == DType::I8) {
    const auto* integers = reinterpret_cast<const std::int8_t*>(from);
    for (int i = 0; i < k; ++i) use(i, integers[i]);
    return;
  }
  const QuantisedParts& parts = source.parts;
  const int groups = rounded_up_quotient(k, parts.group);
  const auto* steps = static_cast<const std::uint8_t*>(parts.steps) + size(row) * size(groups);
  const auto* offsets = static_cast<const std::int8_t*>(parts.offsets) + size(row) * size(groups);
  for (int group = 0; group < groups; ++group)
    for (int i = group * parts.group; i < std::min(k, (group + 1) * parts.group); ++i) {
      const int byte = std::to_integer<int>(from[i / 2]);
      const int code = i % 2 == 0 ? byte & 15 : byte >> 4;
      const int integer = code * steps[group] + offsets[group];
      use(i, static_cast<std::int8_t>(std::clamp(integer, -kLargestInteger, kLargestInteger)));
    }
}

// A line of 16 integers, `step` apart.
struct Line {
  int step = 1;
  int offset = 0;
};

// The code of the point next to x.
int code_of(float x, Line line) {
  const float place = (x - static_cast<float>(line.offset)) / static_cast<float>(line.step);
  return nearest_integer(std::clamp(place, 0.0F, 15.0F));
}

// The sum of squares by which x misses the line. Several sums, so that it vectorises.
float error_of(const float* x, int n, Line line) {
  constexpr int kLanes = 8;
  const auto step = static_cast<float>(line.step);
  const auto offset = static_cast<float>(line.offset);
  const float inverse = 1 / step;
  float sums[kLanes] = {};
  const auto add = [&](int i, int lane) {
    const float place = (x[i] - offset) * inverse;
    const float code = std::min(std::max(place, 0.0F), 15.0F) + 0x1.8p23F - 0x1.8p23F;  // rounded
    const float miss = (place - code) * step;
    sums[lane] += miss * miss;
  };
  int i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  for (; i < n; ++i) add(i, i % kLanes);
  return std::accumulate(sums, sums + kLanes, 0.0F);
}

// The best line for x in [-127, 127]. It need not reach the outermost numbers: the others gain by
// smaller steps. Its points all lie in [-127, 127].
Line best_line(const float* x, int n) {
  const auto [least, most] = std::minmax_element(x, x + n);
  const float width = *most - *least;
  const float middle = (*most + *least) / 2;
  const int widest = 2 * kLargestInteger / kLargestCode;
  const int last = std::clamp(static_cast<int>(std::ceil(width / kLargestCode)) + 1, 1, widest);
  const int first = std::clamp(static_cast<int>(0.6F * width / kLargestCode), 1, last);
  Line best;
  float smallest = std::numeric_limits<float>::infinity();
  for (int step = first; step <= last; ++step)
    for (int shift = -2; shift <= 2; ++shift) {  // sixths of a step
      const auto reach = static_cast<float>(kLargestCode * step);
      const float start = middle - reach / 2 + static_cast<float>(step * shift) / 6;
      const Line line = {
          .step = step,
          .offset = std::clamp(static_cast<int>(std::nearbyint(start)), -kLargestInteger,
                               kLargestInteger - kLargestCode * step)};
      const float error = error_of(x, n, line);
      if (error < smallest) {
        smallest = error;
        best = line;
      }
    }
  return best;
}

}  // namespace

void read_row(const MatrixSource& source, int row, int k, float* to) {
  const std::byte* from = row_data(source, row, k);
  if (source.type == DType::F32) {
    std::memcpy(to, from, size(k) * sizeof(float));
  } else if (is_float(source.type)) {
    for (int i = 0; i < k; ++i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, from + 2 * size(i), sizeof bits);
      to[i] = source.type == DType::BF16 ? bf16_to_f32(bits) : f16_to_f32(bits);
    }
  } else {
    const float scale = row_scale(source, row);
    for_each_integer(source, row, k, [&](int i, std::int8_t integer) {
      to[i] = scale * static_cast<float>(integer);
    });
  }
}

float read_row_int8(const MatrixSource& source, int row, int k, float* scratch, std::int8_t* to) {
  if (is_float(source.type)) {
    read_row(source, row, k, scratch);
    return quantise_row_int8(scratch, k, to);
  }
  for_each_integer(source, row, k, [&](int i, std::int8_t integer) { to[i] = integer; });
  return row_scale(source, row);
}

float quantise_row_int8(const float* w, int k, std::int8_t* to) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(to);
  const float scale = kScalarKernels.round_to_int8(bytes, w, k);
  for (int i = 0; i < k; ++i) to[i] = static_cast<std::int8_t>(bytes[i] - 128);
  return scale;
}

float quantise_row_int4(const float* w, int k, int group, const Int4Row& to) {
  const Int8Scale scale = int8_scale(largest_magnitude(w, k));
  std::fill_n(to.codes, row_bytes(DType::I4, k), std::uint8_t{0});
  std::vector<float> x(size(group));
  for (int begin = 0, g = 0; begin < k; begin += group, ++g) {
    const int n = std::min(group, k - begin);
    for (int i = 0; i < n; ++i) x[size(i)] = scale.inverse == 0 ? 0 : w[begin + i] * scale.inverse;
    const Line line = best_line(x.data(), n);
    to.steps[g] = static_cast<std::uint8_t>(line.step);
    to.offsets[g] = static_cast<std::int8_t>(line.offset);
    for (int i = 0; i < n; ++i) {
      const int code = code_of(x[size(i)], line) << (begin + i) % 2 * 4;
      to.codes[(begin + i) / 2] |= static_cast<std::uint8_t>(code);
    }
  }
  return scale.scale;
}

}  // namespace lacuna::kernels
