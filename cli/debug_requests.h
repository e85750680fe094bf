// Answers to the requests of `lacuna debug`: one JSON text in, one out. Used to compare Lacuna with
// other implementations, so everything here is the published behaviour unless a request asks for
// a cache.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/eval/sandbox.h"
#include "engine/model.h"
#include "support/result.h"

namespace lacuna::cli {

// {"ids":[...]} -> {"logits":[[...]]}: the logits at each position, or at `rows` (increasing) when
// there are any, as the sampler sees them: after the shift where the model has one.
Result<std::string> answer_logits(const engine::Model& model, std::string_view request,
                                  const std::vector<int>& rows);

// {"ids":[...],"steps":N,"alg":"...",...} -> {"result":[...],"commits_per_step":[...],
// "forward_passes":N}. Every mask in `ids` is sampled; all `steps` run. Commits of a step are
// sorted by position; a drawn mask token commits nothing.
// {"prompt":[...],"gen_length":N,"block_length":N,"steps":N,"threshold":null,...} does the same as
// LLaDA's generate, whose defaults it has.
Result<std::string> answer_sample(const engine::Model& model, std::string_view request);

// {"text":"..."} -> {"ids":[...]}; {"ids":[...]} -> {"text":"..."}, in which control tokens are
// spelt out and bytes that are no UTF-8 are U+FFFD.
Result<std::string> answer_tokens(const engine::Tokenizer& tokenizer, std::string_view request);

// {"solution":"...","tests":"..."} -> {"verdict":"passed","parses":true,"seconds":N}: runs the
// Python text `solution` and after it `tests`, which may be absent. `verdict` is name_of() a
// Verdict. Training uses this for its rewards, so that there is one sandbox.
Result<std::string> answer_program(const PythonSandbox& sandbox, std::string_view request);

// {"error":"..."}
std::string error_answer(const Error& error);

}  // namespace lacuna::cli
