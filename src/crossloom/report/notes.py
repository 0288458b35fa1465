"""What a reader must know before believing the figures."""

from collections.abc import Sequence
from typing import Any

from crossloom.report.formats import show_number_of

_MUCH_CLIPPING = 0.2


def gather_notes(facts: dict[str, Any], notes: Sequence[str], has_labels: bool) -> list[str]:
    """The notes of the stages before, and what the facts themselves give away."""
    found = [
        *notes,
        *_digital(facts),
        *_failures(facts["programming"]),
        *_clipping(facts),
        *_unmeasured(facts),
    ]
    if has_labels and facts["waterfall"]["measure"] != "accuracy":
        found.append(
            "labels were given, but the outputs are no scores [sample, class]; there is no accuracy to show"
        )
    return list(dict.fromkeys(found))


def _digital(facts: dict[str, Any]) -> list[str]:
    kept = [row for row in facts["layers"] if not row["is_mapped"]]
    if not kept:
        return []
    count, names = show_number_of(len(kept), "layer"), _first([row["name"] for row in kept])
    share = sum(row["macs_share"] for row in kept)
    return [f"{count} kept digital by configuration ({share:.1%} of the multiplications): {names}"]


def _failures(programming: dict[str, Any] | None) -> list[str]:
    if not programming or not programming["num_failed"]:
        return []
    failed, cells = programming["num_failed"], programming["num_cells"]
    return [
        f"{failed:,} of {cells:,} cells ({failed / cells:.2%}) missed the tolerance when they were last verified"
    ]


def _clipping(facts: dict[str, Any]) -> list[str]:
    clipped = [row["name"] for row in facts["layers"] if (row["clipping_rate"] or 0) > _MUCH_CLIPPING]
    if not clipped:
        return []
    return [
        f"{show_number_of(len(clipped), 'layer')} with more than {_MUCH_CLIPPING:.0%} of the codes at the converter's "
        f"ends ({_first(clipped)}); a shorter integration time would clip less"
    ]


def _unmeasured(facts: dict[str, Any]) -> list[str]:
    unmeasured = [row for row in facts["layers"] if row["runs"] == "chip" and row["is_exact"] is None]
    return (
        ["the layers' quality was not measured in this run; run with probe_samples=16"] if unmeasured else []
    )


def _first(names: Sequence[str], most: int = 4) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
