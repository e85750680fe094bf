// SPDX-License-Identifier: Apache-2.0
// Calls a function once its caller has been quiet for a while, as for a search box.

export interface Debounced<Args extends unknown[]> {
  (...args: Args): void;
  /** Forgets a call that is waiting. */
  cancel(): void;
  /** Makes a waiting call at once. */
  flush(): void;
}

export function debounce<Args extends unknown[]>(
  callback: (...args: Args) => void,
  delayMs: number,
): Debounced<Args> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting: Args | undefined;

  const run = () => {
    const args = waiting;
    timer = undefined;
    waiting = undefined;
    if (args !== undefined) callback(⟦?4⟧);
  };

  const debounced = (...args: Args) => {
    waiting = args;
    if (timer !== undefined) ⟦?6⟧;
    timer = setTimeout(⟦?6⟧);
  };

  debounced.cancel = () => {
    clearTimeout(timer);
    timer = undefined;
    ⟦?6⟧;
  };

  debounced.flush = () => {
    clearTimeout(timer);
    ⟦?4⟧;
  };

  return debounced;
}
