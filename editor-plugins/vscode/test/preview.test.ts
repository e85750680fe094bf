import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compare, endOf, nearest, Preview, runs, shift, withFills } from '../src/preview';
import type { Range } from '../src/protocol';

function range(line: number, from: number, toLine: number, to: number): Range {
  return { start: { line, character: from }, end: { line: toLine, character: to } };
}

function filled(): Preview {
  const preview = new Preview(3);
  preview.onResult(3, [
    { range: range(0, 4, 0, 6), newText: 'one\nmore', confidence: 0.9 },
    { range: range(0, 9, 0, 11), newText: 'two', confidence: 0.4 },
    { range: range(2, 0, 2, 2), newText: '', confidence: 0.7 },
  ]);
  return preview;
}

describe('positions', () => {
  it('are in the order of the text', () => {
    assert.ok(compare({ line: 1, character: 9 }, { line: 2, character: 0 }) < 0);
    assert.ok(compare({ line: 1, character: 9 }, { line: 1, character: 2 }) > 0);
  });

  it('end behind the last character of a text', () => {
    assert.deepEqual(endOf({ line: 1, character: 4 }, 'abc'), { line: 1, character: 7 });
    assert.deepEqual(endOf({ line: 1, character: 4 }, 'a\nbc\n'), { line: 3, character: 0 });
  });

  it('move with what is written before them', () => {
    const hole = range(0, 4, 0, 6);
    for (const [text, from, to] of [
      ['x', { line: 0, character: 9 }, { line: 0, character: 8 }],
      ['a\nbc', { line: 0, character: 9 }, { line: 1, character: 5 }],
      ['a\nbc', { line: 2, character: 1 }, { line: 3, character: 1 }],
      ['a\nbc', { line: 0, character: 3 }, { line: 0, character: 3 }],
    ] as const) {
      assert.deepEqual(shift(from, hole, text), to);
    }
  });

  it('are found next and previous, round the end', () => {
    const places = [0, 5, 2].map((line) => ({ line, character: 1 }));
    const line = (from: number, step: 1 | -1) => nearest(places, { line: from, character: 1 }, step)?.line;
    assert.deepEqual([line(0, 1), line(2, 1), line(5, 1)], [2, 5, 0]);
    assert.deepEqual([line(5, -1), line(2, -1), line(0, -1)], [2, 0, 5]);
    assert.equal(nearest([], { line: 0, character: 0 }, 1), undefined);
  });
});

describe('a preview', () => {
  it('keeps the tokens of the last step', () => {
    const preview = new Preview(1);
    const step = (text: string) => ({
      step: 0, steps: 2, masksLeft: 1, masksTotal: 2,
      holes: [{ hole: 0, range: range(0, 0, 0, 2), tokens: [{ text, probability: 0.9 }, { masked: true }] }],
    });
    preview.onStep(step('a'));
    preview.onStep(step('b'));
    assert.equal(preview.holes.length, 1);
    assert.equal(preview.holes[0]?.tokens[0]?.text, 'b');
    assert.equal(preview.ready, false);
  });

  it('keeps the colours of the last step when it was the result', () => {
    const preview = new Preview(1);
    const tokens = [{ text: 'a', probability: 0.9 }, { text: 'b', probability: 0.2 }];
    preview.onStep({ step: 0, steps: 1, masksLeft: 0, masksTotal: 2, holes: [{ hole: 0, range: range(0, 0, 0, 1), tokens }] });
    preview.onResult(1, [{ range: range(0, 0, 0, 1), newText: 'ab', confidence: 0.5 }]);
    assert.deepEqual(preview.holes[0]?.tokens, tokens);
  });

  it('refuses a result for another version', () => {
    const preview = new Preview(1);
    assert.equal(preview.onResult(2, [{ range: range(0, 0, 0, 1), newText: 'x', confidence: 1 }]), false);
    assert.equal(preview.ready, false);
  });

  it('moves the holes behind an accepted one, and only those', () => {
    const preview = filled();
    const [first, second, third] = preview.holes;
    assert.ok(first && second && third);
    preview.accept(first, 4);
    assert.deepEqual(second.range, range(1, 7, 1, 9));
    assert.deepEqual(third.range, range(3, 0, 3, 2));
    assert.equal(preview.version, 4);
    preview.accept(third, 5);
    assert.deepEqual(second.range, range(1, 7, 1, 9));
    assert.equal(preview.accepted, 2);
  });

  it('gives the same text hole by hole as all at once, in any order', () => {
    const text = 'a = ?? b ??\nmiddle\n?? end';
    const all = withFills(text, filled().holes);
    assert.equal(all, 'a = one\nmore b two\nmiddle\n end');
    for (const order of [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]]) {
      const preview = filled();
      let now = text;
      for (const index of order) {
        const hole = preview.byIndex(index);
        assert.ok(hole);
        now = withFills(now, [hole]);
        preview.accept(hole, preview.version + 1);
      }
      assert.equal(now, all);
    }
  });

  it('leaves a rejected hole as it is', () => {
    const preview = filled();
    const [first] = preview.holes;
    assert.ok(first);
    preview.reject(first);
    assert.equal(withFills('a = ?? b ??\nmiddle\n?? end', preview.holes), 'a = ?? b two\nmiddle\n end');
  });

  it('finds the hole at the cursor, the next one, or the last', () => {
    const preview = filled();
    const at = (line: number, character: number) => preview.at({ line, character })?.index;
    assert.deepEqual([at(0, 5), at(0, 0), at(0, 8), at(1, 0), at(9, 0)], [0, 0, 1, 2, 2]);
  });
});

describe('runs of tokens', () => {
  it('join neighbours of one shade and show masks as blocks', () => {
    const tokens = [
      { text: 'a', probability: 0.9 }, { text: 'b', probability: 0.8 }, { text: 'c', probability: 0.6 },
      { masked: true }, { masked: true }, { text: 'd', probability: 0.1 },
    ];
    assert.deepEqual(runs(tokens), [
      { text: 'ab', shade: 'sure' }, { text: 'c', shade: 'likely' },
      { text: '░░', shade: 'mask' }, { text: 'd', shade: 'unsure' },
    ]);
  });

  it('stay in one line and are cut when they are long', () => {
    assert.deepEqual(runs([{ text: 'a\r\n    b', probability: 1 }]), [{ text: 'a⏎b', shade: 'sure' }]);
    assert.deepEqual(runs([{ text: 'x'.repeat(9), probability: 1 }], 4), [{ text: 'xxxx…', shade: 'sure' }]);
  });
});
