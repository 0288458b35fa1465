"""One call of `sweep` at work: points go out to workers, outcomes come back, and every one is written at once."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from crossloom.errors import SearchError
from crossloom.progress import track
from crossloom.search.budget import Budget
from crossloom.search.executors import Finished, Pool, Task
from crossloom.search.goals import Goal
from crossloom.search.outcome import Point, as_outcome
from crossloom.search.samplers import Proposal, Sampler
from crossloom.search.space import Space
from crossloom.search.store import Ledger, identify

_MOST_REPEATS = 200
_PAUSE = 0.5


class Session:
    """What a search knows while it runs."""

    def __init__(
        self,
        space: Space,
        goals: Mapping[str, Goal],
        sampler: Sampler,
        budget: Budget | None,
        ledger: Ledger,
        seed: int,
        takes_fidelity: bool = True,
    ) -> None:
        self._takes_fidelity = takes_fidelity
        self._space, self._goals, self._sampler = space, goals, sampler
        self._budget, self._ledger, self._seed = budget, ledger, seed
        self._running: dict[int, Point] = {}
        self._unwritten: list[Point] = []
        self._is_used_up = False
        self._clock = time.monotonic()

    def run(
        self, start: Callable[[], Pool], workers: int, first: Sequence[Proposal], store: str | None
    ) -> None:
        """Work until the budget is spent or the sampler has nothing left."""
        pool = None
        try:
            self._enter(first)
            if not self._has_work():
                return
            pool = start()
            for _ in track(self._finish_all(pool, workers), self._headline, self._num_expected()):
                pass
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_describe_stop(self._ledger.points, store)) from None
        finally:
            self._stop(pool)

    def _finish_all(self, pool: Pool, workers: int) -> Iterator[Point]:
        """Points as they finish."""
        while True:
            self._fill(pool, workers)
            if self._running:
                yield from self._collect(pool)
                continue
            others_work = self._ledger.refresh()
            if self._has_work():
                continue
            if not others_work:
                return
            time.sleep(_PAUSE)  # they may die, and leave their points to us

    def _fill(self, pool: Pool, workers: int) -> None:
        """Give free workers something to do: what waits, then what the sampler proposes."""
        repeats = 0
        while (free := workers - len(self._running)) > 0:
            points = self._ledger.take(free) or self._propose(free)
            if points is None:
                return
            repeats = 0 if points else repeats + 1
            if repeats >= _MOST_REPEATS:
                self._is_used_up = True
                return
            for point in points:
                self._running[point.number] = point
                pool.submit(Task(point.number, point.values, point.fidelity))

    def _propose(self, number: int) -> list[Point] | None:
        """New points to run, possibly none since all are repeats; None when there shall be no more."""
        number = min(number, self._num_left(number))
        if number == 0:
            return None
        proposals = self._sampler.propose(self._space, self._goals, self._ledger.points, number, self._seed)
        if not self._takes_fidelity:
            _refuse_fidelity(proposals)
        self._is_used_up = self._is_used_up or not proposals
        return self._ledger.claim(proposals) if proposals else None

    def _num_left(self, number: int) -> int:
        """How many of `number` points may still be proposed."""
        points = self._ledger.points
        if self._is_used_up or self._is_exhausted():
            return 0
        left = None if self._budget is None else self._budget.num_left(points, self._seconds())
        return number if left is None else min(number, left)

    def _is_exhausted(self) -> bool:
        """Whether every point of a finite space is known."""
        size = self._space.size
        whole = (point.repeats is None and point.fidelity >= 1 for point in self._ledger.points)
        return size is not None and size <= len(self._ledger.points) and sum(whole) >= size

    def _collect(self, pool: Pool) -> list[Point]:
        """Write what has finished."""
        found = pool.wait(_PAUSE)
        for finished in found:
            self._unwritten.append(self._judge(finished))
        self._write()
        return [self._running.pop(finished.number) for finished in found]

    def _write(self) -> None:
        if self._unwritten:
            spent, self._clock = time.monotonic() - self._clock, time.monotonic()
            self._ledger.finish(self._unwritten, spent)
            self._unwritten = []

    def _judge(self, finished: Finished) -> Point:
        """The point with its outcome, or as failed. SearchError when not even the first outcome has all goals."""
        point = replace(self._running[finished.number], seconds=finished.seconds)
        if finished.failure is not None:
            return replace(point, state="failed", failure=finished.failure)
        try:
            return replace(point, state="done", outcome=as_outcome(finished.result, self._goals))
        except (ValueError, SearchError) as error:
            known = [*self._ledger.points, *self._unwritten]
            if isinstance(error, SearchError) and not any(other.state == "done" for other in known):
                raise
            return replace(point, state="failed", failure=str(error))

    def _stop(self, pool: Pool | None) -> None:
        """Write what is known, and leave what is not to whoever goes on."""
        if pool is not None:
            pool.close()
        self._write()
        unfinished = [n for n in self._running if self._ledger.points[n].state == "running"]
        if unfinished:
            self._ledger.release(unfinished)

    def _enter(self, first: Sequence[Proposal]) -> None:
        """Points to begin with, unless they are known; they wait, so that the workers take them first."""
        known = {
            identify(self._space, Proposal(point.values, point.fidelity)) for point in self._ledger.points
        }
        new = [proposal for proposal in first if identify(self._space, proposal) not in known]
        entered = self._ledger.claim(new) if new else []
        if entered:
            self._ledger.release([point.number for point in entered])

    def _has_work(self) -> bool:
        return any(point.state == "waiting" for point in self._ledger.points) or self._num_left(1) > 0

    def _seconds(self) -> float:
        return self._ledger.seconds + time.monotonic() - self._clock

    def _num_expected(self) -> int | None:
        """How many points this call will finish, where that is known."""
        points = self._ledger.points
        if self._budget is None or self._budget.points is None:
            return None
        waiting = sum(point.state == "waiting" and point.repeats is None for point in points)
        return waiting + (self._budget.num_left(points, self._seconds()) or 0)

    def _headline(self) -> str:
        """Best so far, what is left, and what failed."""
        points, goal = self._ledger.points, next(iter(self._goals))
        values = [
            p.outcome.values[goal] for p in points if p.outcome and p.state == "done" and p.fidelity >= 1
        ]
        pick = max if self._goals[goal] == "maximise" else min
        parts = [f"best {goal} {pick(values):.4g}" if values else "no outcome yet"]
        failed = sum(point.state == "failed" for point in points)
        parts += [f"{failed} failed"] if failed else []
        left = "" if self._budget is None else self._budget.describe_left(points, self._seconds())
        return ", ".join([*parts, *([left] if left else [])])


def _refuse_fidelity(proposals: Sequence[Proposal]) -> None:
    cheap = [proposal.fidelity for proposal in proposals if proposal.fidelity < 1]
    if cheap:
        raise SearchError(
            f"the sampler asks for a fidelity of {cheap[0]:.3g}, which the objective does not take; give it a "
            "parameter `fidelity`, or use another sampler"
        )


def _describe_stop(points: Sequence[Point], store: str | None) -> str:
    done = sum(point.state in ("done", "failed") and point.repeats is None for point in points)
    if store is None:
        return f"stopped after {done} points, which no store keeps; give store=... to be able to go on"
    return f"stopped after {done} points, kept in {store}; the same call goes on from there"
