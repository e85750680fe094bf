// Hashing for the open-addressing tables of the tokenizer. Not keyed: tables that are filled from
// a file bound the length of a probe instead (kMaxProbe).
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace lacuna::engine {

// At half load, linear probing over published vocabularies stays below 40.
inline constexpr int kMaxProbe = 1024;

inline std::uint64_t mix_hash(std::uint64_t x) {  // the finaliser of SplitMix64
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

inline std::uint64_t hash_bytes(std::string_view bytes) {
  std::uint64_t hash = bytes.size() * 0x9E3779B97F4A7C15U;
  std::uint64_t word = 0;
  while (bytes.size() >= 8) {
    std::memcpy(&word, bytes.data(), 8);
    hash = mix_hash(hash ^ word);
    bytes.remove_prefix(8);
  }
  word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  return mix_hash(hash ^ word);
}

}  // namespace lacuna::engine
