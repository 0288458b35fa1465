"""Six networks of four tasks on `tsinghua_c200`, from the weights in the repository to one table.

    python -m recipes.six_models --data DIR [--images N] [--chips N] [--models mlp lstm ...] [--workers N]
        [--output DIR]
    python -m recipes.six_models --data DIR --train [--models mlp ...] [--weights DIR]

DIR holds MNIST, EMNIST letters, CIFAR-10 (and the published ResNet-32 weights), TREC's questions, magnetic tiles and
DeepPCB, each in a folder of its own; --data may be given several times. Each network runs in floating point, as
integers, on ideal chips (whose converters clip, as it learned), on sets of chips as programmed, and on those chips
tuned in two stages with training samples.

What is in OUTPUT already is not run again. The last line is one JSON object.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

import torch

from crossloom.errors import CrossloomError
from recipes.six_models.running import TASKS, Options, find_data, run_all
from recipes.six_models.training import SYSTEM, WEIGHTS, load_networks, train_networks

COLUMNS = ("float", "integers", "ideal", "programmed", "tuned")


def main() -> None:
    """Train, or make the table."""
    arguments = parse()
    torch.set_num_threads(1)
    try:
        (train_all if arguments.train else make_table)(arguments)
    except CrossloomError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; what is done is kept, and the same command goes on")


def train_all(arguments: argparse.Namespace) -> None:
    """What the folder of weights does not hold."""
    for name in arguments.models:
        train_networks(TASKS[name], find_data(arguments.data, name), arguments.weights, arguments.seed)


def make_table(arguments: argparse.Namespace) -> None:
    """Run what is not known yet, and print the table and one JSON object."""
    names = ("models", "data", "weights", "output", "images", "chips", "seed", "workers")
    options = Options(**{name: getattr(arguments, name) for name in names})
    for name in options.models:  # what is missing is said before anything runs
        find_data(options.data, name)
        load_networks(TASKS[name], options.data, options.weights)
    found = run_all(options)
    rows = {name: summarise(found[name]) for name in options.models}
    print(
        show(rows), *(f"{TASKS[name].title}, published: {TASKS[name].published}" for name in rows), sep="\n"
    )
    print(json.dumps({"system": SYSTEM, "chips": options.chips, "images": options.images, "models": rows}))


def summarise(found: dict) -> dict:
    """A row: means and standard deviations over sets of chips."""
    chips, digital = found["chips"], found["digital"]
    row: dict = {"images": found["images"], **digital}
    for name in ("programmed", "tuned", "evaluations"):
        values = [item[name] for item in chips]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        row[name] = {"mean": statistics.mean(values), "std": spread, "chips": values}
    return row


def show(rows: dict[str, dict]) -> str:
    """The table, in %."""
    head = f"| {'network':<28} | metric   | samples |"
    lines = [head + "".join(f" {name:>12} |" for name in COLUMNS) + " chips |"]
    for name, row in rows.items():
        task = TASKS[name]
        cells = "".join(f" {_percent(row[column]):>12} |" for column in COLUMNS)
        lines.append(
            f"| {task.title:<28} | {task.metric:<8} | {row['images']:>7} |{cells} {row['num_chips']:>5} |"
        )
    return "\n".join(lines)


def _percent(value: float | dict) -> str:
    if isinstance(value, dict):
        return f"{100 * value['mean']:.1f} ± {100 * value['std']:.1f}"
    return f"{100 * value:.1f}"


def at_least_one(text: str) -> int:
    """A number of things to run: none or fewer would make a table of something else."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"need a whole number from 1 up, got {text}")
    return int(text)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.six_models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = os.environ.get("CROSSLOOM_DATA")
    parser.add_argument(
        "--data", type=Path, action="append", required=default is None, help="(default: $CROSSLOOM_DATA)"
    )
    parser.add_argument(
        "--images", type=at_least_one, default=500, help="test samples of each, the first ones"
    )
    parser.add_argument("--chips", type=at_least_one, default=5, help="sets of chips")
    parser.add_argument("--models", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seed", type=int, default=0, help="of the first set of chips, or of training")
    parser.add_argument("--workers", type=at_least_one, default=2, help="networks at a time")
    parser.add_argument("--train", action="store_true", help="train what --weights does not hold")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--output", type=Path, default=Path("out/six_models"))
    options = parser.parse_args()
    options.data = options.data or [Path(default)] if default else options.data
    return options


if __name__ == "__main__":
    main()
