"""Six networks of four tasks on one memristor system, from weights to a table: `python -m recipes.six_models`."""

import sys
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).parents[1])
)  # the recipes beside this one are scripts, and find each other so
