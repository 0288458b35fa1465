"""The examples in docstrings run."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import crossloom

ROOT = Path(crossloom.__file__).parent
MODULES = sorted(
    ".".join(("crossloom", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if ">>>" in path.read_text("utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name):
    result = doctest.testmod(import_module(name))
    assert result.attempted
    assert not result.failed
