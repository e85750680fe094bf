// One canvas being denoised: the steps that denoise_batch() takes with several of them at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/attention_watch.h"
#include "engine/cache_policy.h"
#include "engine/denoiser.h"
#include "engine/drafts.h"
#include "engine/hole_edits.h"
#include "engine/information_gain.h"
#include "engine/predictor.h"
#include "engine/revocation.h"
#include "engine/sampler/commit_rule.h"

namespace lacuna::engine {

int count_masks(const DenoiseRequest& request);
// Tokens of the largest canvas that the request can come to.
int largest_canvas(const DenoiseRequest& request);

// ask() and take() are the two halves of a step, with the forward pass between them, so that
// several runs can share a pass. Between the halves a step whose cache has gone stale has a second
// pass, refresh(); one that looks ahead has another after take(), between look() and take_look().
//
// All vectors get their capacity in the constructor.
class DenoiseRun {
 public:
  // `alone`: there is no other run in the batch. The request must be one that denoise() accepts.
  DenoiseRun(Predictor& predictor, const DenoiseRequest& request, int slot, int guidance_slot,
             bool alone);
  // Parts of it point to each other.
  DenoiseRun(const DenoiseRun&) = delete;
  DenoiseRun& operator=(const DenoiseRun&) = delete;

  // Whether there is a step to take. Goes on to the next block when one is done.
  bool wants_step();
  bool stopped() const { return request_.stop.stop_requested(); }

  // Appends what the step must know of the model; nothing if an earlier pass has foreseen it.
  // `n_candidates` is the number that other requests of the pass ask for before.
  void ask(std::vector<PredictRequest>& batch, int& n_candidates);

  // Whether the pass has found that what it reused is stale; then refresh() asks for a full one.
  bool is_stale() const;
  void refresh(std::vector<PredictRequest>& batch, int& n_candidates);

  // The second half: `answers` are the candidates of the whole pass. False when the step wants to
  // look ahead before it commits.
  bool take(std::span<const Candidate> answers);

  void look(std::vector<PredictRequest>& batch, int& n_candidates);
  void take_look(std::span<const Candidate> answers);

  DenoiseResult result();

 private:
  using Clock = std::chrono::steady_clock;

  void find_holes();
  void begin_block(int block);
  bool block_wants_step() const;
  void find_block_again();
  void update_masked();
  int n_masks() const;
  std::int32_t& token_at(int position) {
    return canvas_.tokens[static_cast<std::size_t>(position)];
  }

  CacheStep cache_step() const;
  StepInfo step_info(int step) const;
  void collect_predicted();
  bool is_foreseen();
  void append_pass(std::vector<PredictRequest>& batch, int& n_candidates);
  void ask_for_guidance();
  void ask_again(std::vector<PredictRequest>& batch, int& n_candidates);

  void choose();
  bool wants_look();
  void revoke();
  void revoke_unsure(std::span<const Candidate> answers);
  void propose(const Candidate& candidate, std::vector<Candidate>& proposals) const;
  void commit();
  void vet(int& redraws_left);
  void write(const Candidate& candidate);
  int index_of(int position) const;
  void end_step();
  void edit();
  void report(double seconds) const;

  Predictor& predictor_;
  const DenoiseRequest& request_;
  int slot_;
  int guidance_slot_;
  const DrawOptions draw_;
  const Random random_;

  HoleCanvas canvas_;
  std::vector<std::int32_t> variable_;  // positions masked at the start
  HoleEdits edits_;
  std::unique_ptr<CachePolicy> cache_;
  std::optional<AttentionWatch> watch_;
  Drafts drafts_;
  InformationGain gain_;
  bool reuses_looks_;    // whether what a look has foreseen can serve the next step
  bool looked_ = false;  // at this step
  Revocation revocation_;
  std::vector<std::int32_t> in_question_;

  int block_ = 0;
  int n_blocks_ = 1;
  int block_length_ = 0;
  int block_step_ = 0;
  int block_steps_ = 0;
  int block_masks_ = 0;  // at its start
  int block_begin_ = 0;
  int block_end_ = 0;
  std::vector<std::int32_t> in_block_;  // its positions
  std::unique_ptr<CommitRule> rule_;

  int step_ = 0;
  int forward_passes_ = 0;
  Clock::time_point begin_;
  PredictRequest pass_{};
  bool foreseen_ = false;
  int first_candidate_ = 0;                      // of this run in the last pass
  std::vector<std::int32_t> masked_;             // of the block before the step, increasing
  std::vector<std::int32_t> predicted_;          // what the rule is shown
  std::vector<std::uint8_t> is_masked_;          // of predicted_, for rules that revise
  std::vector<Candidate> candidates_;            // one for each of predicted_
  std::vector<int> chosen_;                      // indices into candidates_
  std::vector<int> revoked_;                     // indices into candidates_
  std::vector<std::int32_t> revoked_positions_;  // of this step
  std::vector<Candidate> proposals_;             // to be vetted, surest first
  std::vector<Candidate> redrawn_;               // the next proposals
  std::vector<std::uint8_t> accepted_;           // as Constraint::vet() says
  std::vector<Candidate> commits_;               // of this step
  int refused_ = 0;                              // of the last step, as in StepInfo
  std::vector<std::int32_t> unguided_;           // the canvas of the guidance
};

}  // namespace lacuna::engine
