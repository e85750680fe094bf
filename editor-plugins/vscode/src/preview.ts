// The holes of one fill, from the first step to the last decision. Knows positions and texts, not the editor.
import type { FilledHole, Position, Range, Step, Token } from './protocol';

export interface Hole {
  readonly index: number;
  range: Range;
  tokens: Token[];
  /** The fill, once it is ready. */
  newText?: string;
  confidence?: number;
}

export function compare(a: Position, b: Position): number {
  return a.line - b.line || a.character - b.character;
}

/** Where a text ends that begins at `start`. */
export function endOf(start: Position, text: string): Position {
  const lines = text.split('\n');
  const last = lines[lines.length - 1] ?? '';
  return lines.length === 1
    ? { line: start.line, character: start.character + last.length }
    : { line: start.line + lines.length - 1, character: last.length };
}

/** Where `position` is after `range`, which ends at or before it, has been replaced by `text`. */
export function shift(position: Position, range: Range, text: string): Position {
  if (compare(position, range.end) < 0) {
    return position;
  }
  const end = endOf(range.start, text);
  return position.line === range.end.line
    ? { line: end.line, character: end.character + position.character - range.end.character }
    : { line: position.line + end.line - range.end.line, character: position.character };
}

/** `text` with all fills of `holes` in it; their ranges belong to `text`. */
export function withFills(text: string, holes: readonly Hole[]): string {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
    starts.push(at + 1);
  }
  const offset = (position: Position) => (starts[position.line] ?? text.length) + position.character;
  let result = text;
  for (const hole of [...holes].sort((a, b) => compare(b.range.start, a.range.start))) {
    if (hole.newText !== undefined) {
      result = result.slice(0, offset(hole.range.start)) + hole.newText + result.slice(offset(hole.range.end));
    }
  }
  return result;
}

export class Preview {
  holes: Hole[] = [];
  ready = false;
  accepted = 0;
  rejected = 0;

  /** @param version of the document that all ranges belong to; it moves on with what is accepted */
  constructor(public version: number) {}

  onStep(step: Step): void {
    for (const told of step.holes) {
      const known = this.byIndex(told.hole);
      if (known) {
        known.tokens = told.tokens;
      } else if (told.range) {
        this.holeOf(told.hole, told.range).tokens = told.tokens;
      }
    }
  }

  /** Says whether the result belongs to this preview. */
  onResult(version: number, filled: readonly FilledHole[]): boolean {
    if (version !== this.version) {
      return false;
    }
    filled.forEach((told, index) => {
      const hole = this.holeOf(index, told.range);
      hole.newText = told.newText;
      hole.confidence = told.confidence;
      const shown = hole.tokens.map((token) => token.text ?? '').join('');
      if (shown !== told.newText) {
        hole.tokens = [{ text: told.newText, probability: told.confidence }];
      }
    });
    this.holes = this.holes
      .filter((hole) => hole.newText !== undefined)
      .sort((a, b) => compare(a.range.start, b.range.start));
    this.ready = true;
    return true;
  }

  /** The hole that `position` is in or before, else the last one. */
  at(position: Position): Hole | undefined {
    return this.holes.find((hole) => compare(position, hole.range.end) <= 0) ?? this.holes[this.holes.length - 1];
  }

  byIndex(index: number): Hole | undefined {
    return this.holes.find((hole) => hole.index === index);
  }

  /** Takes a hole out that was written into the document, which has `version` since; moves those behind it. */
  accept(hole: Hole, version: number): void {
    const text = hole.newText ?? '';
    const { range } = hole;
    this.holes = this.holes.filter((other) => other !== hole);
    for (const other of this.holes) {
      if (compare(other.range.start, range.end) >= 0) {
        other.range = { start: shift(other.range.start, range, text), end: shift(other.range.end, range, text) };
      }
    }
    this.version = version;
    this.accepted += 1;
  }

  reject(hole: Hole): void {
    this.holes = this.holes.filter((other) => other !== hole);
    this.rejected += 1;
  }

  private holeOf(index: number, range: Range): Hole {
    let hole = this.byIndex(index);
    if (!hole) {
      hole = { index, range, tokens: [] };
      this.holes.push(hole);
    }
    return hole;
  }
}

/** The nearest place behind (1) or before (-1) `from`, round the end. */
export function nearest(places: readonly Position[], from: Position, step: 1 | -1): Position | undefined {
  const sorted = [...places].sort(compare);
  if (step === 1) {
    return sorted.find((place) => compare(place, from) > 0) ?? sorted[0];
  }
  return sorted.reverse().find((place) => compare(place, from) < 0) ?? sorted[0];
}

export type Shade = 'sure' | 'likely' | 'unsure' | 'mask';

export function shadeOf(token: Token): Shade {
  if (token.masked) {
    return 'mask';
  }
  const probability = token.probability ?? 1;
  return probability >= 0.8 ? 'sure' : probability >= 0.5 ? 'likely' : 'unsure';
}

/**
 * Tokens as runs of one shade, for a drawing of one line: line ends are `⏎`, and what is longer than `limit`
 * characters is cut.
 */
export function runs(tokens: readonly Token[], limit = 200): { text: string; shade: Shade }[] {
  const result: { text: string; shade: Shade }[] = [];
  let left = limit;
  for (const token of tokens) {
    const text = token.masked ? '░' : (token.text ?? '').replace(/\r/g, '').replace(/\n\s*/g, '⏎');
    const shade = shadeOf(token);
    const last = result[result.length - 1];
    const shown = text.length > left ? text.slice(0, left) + '…' : text;
    if (last && last.shade === shade) {
      last.text += shown;
    } else if (shown) {
      result.push({ text: shown, shade });
    }
    left -= text.length;
    if (left < 0) {
      break;
    }
  }
  return result;
}
