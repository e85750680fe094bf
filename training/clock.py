"""How far a run is: by steps, by seconds of training, or by the time of day."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass

from training.checkpoint import RunState
from training.common import fail
from training.settings import Run


@dataclass(frozen=True)
class Clock:
    before: float  # seconds of training before this start
    started: float  # time.time() of this start
    steps: int | None = None
    seconds: float | None = None  # of training, all starts together

    def elapsed(self) -> float:
        return self.before + time.time() - self.started

    def progress(self, state: RunState, ahead: int = 0) -> float:
        """Of the step that is `ahead` from now; by the clock nobody knows it, and the present one must do."""
        if self.steps is not None:
            return (state.step + ahead) / self.steps
        return state.elapsed / self.seconds

    def left(self, state: RunState) -> str:
        if self.steps is not None:
            return f"{self.steps - state.step} steps left"
        return f"{(self.seconds - state.elapsed) / 60:.0f} min left"


def start_clock(run: Run, state: RunState) -> Clock:
    now = time.time()
    if run.steps is not None:
        return Clock(state.elapsed, now, steps=run.steps)
    seconds = run.seconds if run.seconds is not None else state.elapsed + run.until - now
    return Clock(state.elapsed, now, seconds=max(seconds, 1e-6))


def time_of_day(text: str) -> float:
    """HH:MM, today or tomorrow, in seconds since the epoch."""
    try:
        clock = datetime.time.fromisoformat(text)
    except ValueError:
        fail(f"--until {text}: expected HH:MM")
    moment = datetime.datetime.combine(datetime.date.today(), clock)
    if moment < datetime.datetime.now():
        moment += datetime.timedelta(days=1)
    return moment.timestamp()
