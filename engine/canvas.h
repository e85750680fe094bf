// Canvas: the tokens that the model sees, with the holes as runs of mask tokens.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/hole.h"
#include "engine/model.h"

namespace lacuna::engine {

struct CanvasHole {
  int hole_idx;  // into CanvasSource::holes
  int begin;     // first token in the canvas
  int length;    // tokens
};

struct Canvas {
  std::vector<std::int32_t> tokens;
  std::vector<CanvasHole> holes;  // in the order of the text
  // Text of the file that the canvas has no room for, in pieces with CopySource::kBreak between
  // them: where to look for copies. The last piece is the one before the canvas.
  std::vector<std::int32_t> beyond;
};

struct CanvasSource {
  std::string_view text;
  std::span<const Hole> holes;          // sorted, not overlapping
  std::span<const std::string> filled;  // the fills of the first filled.size() holes
  std::string_view language;            // "python", ...; may be empty
  std::string_view line_comment;        // how hints are written; empty: "#"
  std::string_view context = {};        // text of other files, shown before this one; may be empty
  int default_hole_tokens;
  int max_tokens;        // of the canvas
  int beyond_bytes = 0;  // for Canvas::beyond, on each side; 0: none
};

// Builds the canvas for the first hole that is not filled yet, and for those after it that fit
// with the text between them into three quarters of max_tokens: the rest is for the text around,
// three fifths of it before the holes. Text before holds the fills made so far; holes after the
// canvas's own are left out.
//
// The model sees line ends as "\n", no byte-order mark, and each hint as a comment line above the
// line of its hole. Pieces between holes are tokenised on their own, as models are trained
// (reference: DreamOn's evaluator), so a token never reaches across a hole's border. The first
// position is never a mask: with shifted logits nothing predicts it.
//
// Context stands before the text, after what opens a document: its last tokens, from the start of a
// line, at most a quarter of max_tokens and of what the holes leave.
//
// InvalidInput when the first hole alone does not fit.
Result<Canvas> build_canvas(const Model& model, const CanvasSource& source);

}  // namespace lacuna::engine
