// How holes look in the editor: what they hold is marked, what they get stands behind, coloured by confidence.
import * as vscode from 'vscode';
import type { Hole } from './preview';
import { runs } from './preview';

const holeType = vscode.window.createTextEditorDecorationType({
  backgroundColor: new vscode.ThemeColor('diffEditor.removedTextBackground'),
  rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
});
const fillType = vscode.window.createTextEditorDecorationType({
  rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
});

export function toRange(range: { start: { line: number; character: number }; end: { line: number; character: number } }) {
  return new vscode.Range(range.start.line, range.start.character, range.end.line, range.end.character);
}

export function draw(editor: vscode.TextEditor, holes: readonly Hole[]): void {
  const fills: vscode.DecorationOptions[] = [];
  for (const hole of holes) {
    const end = toRange(hole.range).end;
    const text = new vscode.MarkdownString().appendCodeblock(
      hole.newText ?? hole.tokens.map((token) => (token.masked ? '░' : (token.text ?? ''))).join(''),
      editor.document.languageId,
    );
    for (const run of runs(hole.tokens)) {
      fills.push({
        range: new vscode.Range(end, end),
        hoverMessage: text,
        renderOptions: {
          after: {
            // Blanks at an end would be swallowed.
            contentText: run.text.replace(/ /g, '\u00a0'),
            color: new vscode.ThemeColor(`lacuna.${run.shade}`),
          },
        },
      });
    }
  }
  editor.setDecorations(holeType, holes.map((hole) => toRange(hole.range)));
  editor.setDecorations(fillType, fills);
}

export function disposeDecorations(): void {
  holeType.dispose();
  fillType.dispose();
}
