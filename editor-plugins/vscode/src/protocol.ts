// What our own messages carry; docs/protocol.md describes them.

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

export interface Token {
  text?: string;
  masked?: boolean;
  probability?: number;
}

/** What to fill: nothing for all marked holes, ranges, or what stands at a place. */
export interface Order {
  what?: 'hole' | 'selection' | 'all' | 'implement' | 'rewrite' | 'fix';
  range?: Range;
  ranges?: Range[];
  /** Of a rewrite: the share of the body that is written again, what the model is least sure of. */
  strength?: number;
}

export interface StepHole {
  hole: number;
  /** Without it, a hole is shown only when its place is known. */
  range?: Range;
  tokens: Token[];
}

export interface Step {
  step: number;
  steps: number;
  masksLeft: number;
  masksTotal: number;
  holes: StepHole[];
}

export interface FilledHole {
  range: Range;
  newText: string;
  confidence: number;
}

export interface FillResult {
  version: number;
  holes: FilledHole[];
  model: string;
  /** What the fills break in a text that parsed without them. */
  problem?: string;
}

export interface Status {
  version?: string;
  model?: {
    phase?: string;
    problem?: string;
    name?: string;
    device?: string;
    numbers?: string;
    bytes?: number;
    loadSeconds?: number;
  };
  queue?: { waiting?: number; running?: number };
  idleSeconds?: number;
  sessions?: number;
  processId?: number;
  logPath?: string;
  lastSeconds?: number;
  /** Those that are not the defaults. */
  settings?: Record<string, { value: unknown; source: string }>;
  document?: { active: boolean; reason?: string };
}

/** The notification didChangeStatus. */
export interface StatusChange {
  busy: boolean;
  message?: string;
  kind: 'Normal' | 'Warning' | 'Error' | 'Inactive';
  phase?: string;
  model?: string;
  device?: string;
  lastSeconds?: number;
}

/** The answer of lacuna.explainLast. */
export interface Explanation {
  uri?: string;
  position?: Position;
  outcome: string;
  seconds?: number;
  confidence?: number;
}
