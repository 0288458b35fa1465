"""What tuning did, as plain data."""

from math import sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossloom.search.tuning import LayerTuning, Scores, TuningResult

Facts = dict[str, Any]


def gather_tuning(result: "TuningResult", title: str | None = None) -> Facts:
    """All that is known of the tuning: scores on held-out data, every layer's errors and settings, the search."""
    return {
        "kind": "TuningResult",
        "schema": 1,
        "title": title or "Chips, tuned",
        "method": result.method,
        "before": _score(result.before),
        "after": _score(result.after),
        "worth": dict(result.worth),
        "measure": "error" if result.after.accuracy is None or result.before.accuracy is None else "accuracy",
        "values": {name: str(value) for name, value in result.values.items()},
        "layers": [_layer(layer) for layer in result.layers],
        "trajectory": [[evaluations, error] for evaluations, error in result.trajectory],
        "num_evaluations": result.num_evaluations,
        "num_mvms": result.num_mvms,
        "notes": list(result.notes),
    }


def _score(score: "Scores") -> Facts:
    """Accuracy, error and how sure the accuracy is: one standard error of a share, sqrt(p (1 - p) / n)."""
    accuracy = score.accuracy
    spread = None if accuracy is None else sqrt(accuracy * (1 - accuracy) / max(score.num_samples, 1))
    return {
        "accuracy": accuracy,
        "error": score.error,
        "num_samples": score.num_samples,
        "standard_error": spread,
    }


def _layer(layer: "LayerTuning") -> Facts:
    names = dict.fromkeys([*layer.settings_before, *layer.settings_after])
    settings = {
        name: [layer.settings_before.get(name), layer.settings_after.get(name)] for name in sorted(names)
    }
    return {
        "name": layer.layer,
        "error_before": layer.error_before,
        "error_after": layer.error_after,
        "settings": settings,
        "worth": dict(layer.worth),
    }
