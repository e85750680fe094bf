// AR-ness: how near to left to right a text was decoded (DiffuCoder, arXiv 2506.20639, A.2).
//
// An order is the positions of the tokens in the order of their commits, one after the other, each
// once. Positions are those of the canvas, so that two tokens with text between them, or in two
// holes, are not neighbours.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lacuna::engine {

struct TimedCommit {
  int step = 0;
  int position = 0;
  float confidence = 0;  // larger is surer
};

// The published measures assume one token a step. Tokens of one step are put in the order of
// their confidence, the surest first; equal ones by position.
std::vector<int> decode_order(std::vector<TimedCommit> commits);

// What the hits of local AR-ness are divided by. The first k tokens have no k predecessors and
// never hit.
enum class LocalNorm : std::uint8_t {
  Tokens,   // all T tokens, the formula as published: left to right gives (T - k) / T
  Windows,  // the T - k tokens that have k predecessors: left to right gives 1, as the text says
};

// The share of tokens that follow k tokens in a row: the i-th before it was i positions to its
// left, for i = 1..k, in this order. (With sets instead of sequences, as one reading of the
// formula has it, the measure could grow with k.) 0 when there are no more than k tokens.
double local_ar_ness(std::span<const int> order, int k, LocalNorm norm);

// The share of tokens that were among the k leftmost ones still masked. 0 for an empty order.
double global_ar_ness(std::span<const int> order, int k);

// Both measures over many orders: means, each order counting once. An order of k tokens or fewer
// cannot show anything at k and is left out there.
struct ArNessMean {
  int k = 0;
  int orders = 0;  // that have more than k tokens
  double local_over_tokens = 0;
  double local_over_windows = 0;
  double global = 0;
};

// For k = 1..max_k.
std::vector<ArNessMean> ar_ness_means(std::span<const std::vector<int>> orders, int max_k);

}  // namespace lacuna::engine
