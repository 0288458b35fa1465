"""`sweep`: run an objective over a space until a budget is spent."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossloom.errors import SearchError
from crossloom.search.budget import Budget
from crossloom.search.executors import EXECUTORS, Executor
from crossloom.search.executors.evaluation import takes_fidelity
from crossloom.search.goals import check_goals
from crossloom.search.knobs import Knob
from crossloom.search.objective import name_objective
from crossloom.search.samplers import SAMPLERS, Grid, Proposal, Sampler
from crossloom.search.session import Session
from crossloom.search.space import Space
from crossloom.search.store import Ledger, MemoryLedger, Store
from crossloom.search.study import Study


def sweep(
    objective: Callable[..., Any],
    space: Space | Mapping[str, Knob],
    goals: Mapping[str, str],
    *,
    sampler: Sampler | str = "tpe",
    budget: Budget | int | None = None,
    workers: int = 1,
    executor: Executor | str | None = None,
    store: str | Path | None = None,
    name: str = "sweep",
    seed: int = 0,
    start: Sequence[Mapping[str, Any]] = (),
    retry_failed: bool = False,
) -> Study:
    """Search a space for what serves the goals best.

    objective(values) or objective(values, fidelity): a number (with one goal), a mapping of figures by name, or an
        Outcome. A fidelity is given to a parameter of that name, or to a second one without a default. A point whose
        objective raises, or returns NaN or infinity, is kept as failed with its traceback.
    goals: "maximise" or "minimise" by the name of the figure.
    sampler: what proposes points, or its name.
    budget: points (a plain number), seconds or compute; a Grid needs none.
    workers, executor: "in_process" (one worker, the default), "processes" (the default for several) or "ray"; the
        latter two import the objective by its name.
    store: a SQLite file or a database's URL. The same call on the same store goes on where it ended, however it ended:
        points that are finished are not run again, and those that a dead worker or process held are.
    name: of the study in its store.
    start: points to run before the sampler's.  retry_failed: run points again that failed in earlier calls.

    Raises SearchError before any work for goals, spaces, samplers, executors, start points and stores that cannot be
    or do not fit, and for an objective that does not return its goals. Ctrl-C stops it and loses nothing.
    """
    space = space if isinstance(space, Space) else Space(space)
    checked = check_goals(goals)
    if not callable(objective):
        raise SearchError(f"wants a function as the objective, got {objective!r}")
    chosen = SAMPLERS[sampler]() if isinstance(sampler, str) else sampler
    if not isinstance(chosen, Sampler):
        raise SearchError(f"wants a sampler such as Tpe(), or its name; got {chosen!r}")
    limit = _check_budget(budget, chosen)
    chosen.check(space, checked)
    first = [Proposal(space.check(values)) for values in start]
    pool = _choose_executor(executor, workers)
    ledger, close = _open(store, name, space, checked, objective)
    try:
        if retry_failed:
            ledger.release([p.number for p in ledger.points if p.state == "failed" and p.repeats is None])
        session = Session(space, checked, chosen, limit, ledger, seed, takes_fidelity(objective))
        session.run(
            lambda: pool.start(objective, workers), workers, first, None if store is None else str(store)
        )
        return Study(name, space, checked, tuple(p for p in ledger.points if p.repeats is None))
    finally:
        close()


def _check_budget(budget: Budget | int | None, sampler: Sampler) -> Budget | None:
    limit = Budget.of(budget)
    if limit is None and not isinstance(sampler, Grid):
        raise SearchError(
            "a search that does not end by itself wants a budget: budget=100 points, or a Budget"
        )
    return limit


def _choose_executor(executor: Executor | str | None, workers: int) -> Executor:
    if isinstance(executor, Executor):
        return executor
    if not isinstance(executor, str | None):
        raise SearchError(f"wants an executor such as Processes(), or its name; got {executor!r}")
    return EXECUTORS[executor or ("in_process" if workers == 1 else "processes")]()


def _open(
    store: str | Path | None, name: str, space: Space, goals: Mapping[str, Any], objective: Any
) -> tuple[Ledger, Callable[[], None]]:
    """The ledger, and what closes it."""
    if store is None:
        ledger = MemoryLedger(space)
        return ledger, ledger.close
    opened = Store(store)
    try:
        kept = opened.open_study(name, space, goals, name_objective(objective))
    except BaseException:
        opened.close()
        raise

    def close() -> None:
        try:
            kept.close()
        finally:
            opened.close()

    return kept, close
