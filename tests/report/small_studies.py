"""Studies by hand, for tests of how they are shown."""

from random import Random

from crossloom.search import Choice, Float, Int, Outcome, Point, Space, Study

TRACEBACK = """Traceback (most recent call last):
  File "model.py", line 3, in build
    raise CapacityError("<b>37 tiles</b>")
crossloom.errors.CapacityError: <b>37 tiles</b> do not fit 32 macros; use 2 systems"""
SPACE = Space(
    {
        "system.chip.core.macro.readout.bits": Int(4, 10),
        "mapping.copies": Int(1, 4),
        "system.chip.core.macro.readout.integrator.time_step": Float(1e-9, 1e-7, log=True),
        "mapping.encoding": Choice(["differential_pair", "offset_column"]),
    }
)
WAYS = {"accuracy": "maximise", "energy": "minimise", "area": "minimise", "latency": "minimise"}


def make_study(
    num_points: int = 40, goals: tuple[str, ...] = ("accuracy", "energy"), fails: int = 13
) -> Study:
    """Random points whose accuracy and cost both grow with bits and copies, with errors of the accuracy; every
    `fails`-th fails, every fifth is of fidelity 0.25."""
    draw, points = Random(0), []
    for number in range(num_points):
        values = SPACE.from_unit([draw.random() for _ in SPACE.names])
        fidelity = 0.25 if number % 5 == 4 else 1.0
        if number % fails == 2:
            points.append(Point(number, values, fidelity, "failed", None, TRACEBACK, 0.5))
            continue
        bits, copies, step, _ = values.values()
        figures = {
            "accuracy": 0.9 - 0.8 / bits - 0.1 / copies + draw.gauss(0, 0.01),
            "energy": 1e-7 * 2**bits * copies,
            "area": 1e-6 * copies,
            "latency": 100 * step * bits,
        }
        outcome = Outcome({goal: figures[goal] for goal in goals}, {"accuracy": 0.004}, 2.0 * fidelity)
        points.append(Point(number, values, fidelity, "done", outcome, None, 1.5))
    return Study("bits and copies", SPACE, {goal: WAYS[goal] for goal in goals}, tuple(points))
