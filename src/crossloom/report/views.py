"""Reports of single artefacts: what a sample costs, what tuning did, what a search found."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from crossloom.errors import ConfigError
from crossloom.report.document import Document

if TYPE_CHECKING:
    from rich.console import Group

    from crossloom.cost import CostReport
    from crossloom.report.html import Page
    from crossloom.search import Study
    from crossloom.search.tuning import TuningResult


class CostView(Document):
    """What a sample costs: energy, time and area, by layer and by component, and what every chip does when.

    cost: of `estimate` or `account`. title: of the report; None names the system.
    """

    def __init__(self, cost: "CostReport", title: str | None = None) -> None:
        self._cost, self._title = cost, title

    @cached_property
    def facts(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """All that is known of the cost."""
        from crossloom.report.cost.facts import gather_cost

        return gather_cost(self._cost, self._title)

    def make_page(self) -> "Page":
        """The facts as sections and pictures."""
        from crossloom.report.cost.page import make_cost_page

        return make_cost_page(self.facts)

    def make_text(self) -> "Group":
        """The facts for a terminal."""
        from crossloom.report.cost.text import make_cost_text

        return make_cost_text(self.facts)


class TuningView(Document):
    """What tuning did: accuracy before and after, what each knob was worth, every layer's error, the search.

    result: of `tune`. title: of the report; None says that chips were tuned.
    """

    def __init__(self, result: "TuningResult", title: str | None = None) -> None:
        self._result, self._title = result, title

    @cached_property
    def facts(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """All that is known of the tuning."""
        from crossloom.report.tuning.facts import gather_tuning

        return gather_tuning(self._result, self._title)

    def make_page(self) -> "Page":
        """The facts as sections and pictures."""
        from crossloom.report.tuning.page import make_tuning_page

        return make_tuning_page(self.facts)

    def make_text(self) -> "Group":
        """The facts for a terminal."""
        from crossloom.report.tuning.text import make_tuning_text

        return make_tuning_text(self.facts)


class StudyView(Document):
    """What a search found: its Pareto front, its progress, its best points, those that failed, what matters.

    study: of `sweep`, finished or not. title: of the report; None takes the study's name.
    """

    def __init__(self, study: "Study", title: str | None = None) -> None:
        self._study, self._title = study, title

    @cached_property
    def facts(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """All that is known of the search."""
        from crossloom.report.study.facts import gather_study

        return gather_study(self._study, self._title)

    def make_page(self) -> "Page":
        """The facts as sections and pictures."""
        from crossloom.report.study.page import make_study_page

        return make_study_page(self.facts)

    def make_text(self) -> "Group":
        """The facts for a terminal."""
        from crossloom.report.study.text import make_study_text

        return make_study_text(self.facts)


def report_of(artefact: "CostReport | TuningResult | Study", title: str | None = None) -> Document:
    """The report of one artefact: `report_of(study).save("study.html")`.

    artefact: of `estimate` or `account`, of `tune`, or of `sweep`; what a run did has its own `Report`.
    Raises ConfigError for anything else.
    """
    from crossloom.cost import CostReport
    from crossloom.search import Study
    from crossloom.search.tuning import TuningResult

    for kind, view in ((CostReport, CostView), (TuningResult, TuningView), (Study, StudyView)):
        if isinstance(artefact, kind):
            return view(artefact, title)  # type: ignore[arg-type]
    got = type(artefact).__name__
    raise ConfigError(
        f"need a CostReport, a TuningResult or a Study, got a {got}; of a run, make a Report(placement, chips, result)"
    )
