"""The composition matrix: every effect alone, with every other one, and with all others."""

import pytest

from laws.effects import EFFECTS, changes
from laws.support_table import PAGE, page


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_alone_changes_the_answer(name):
    assert changes(name)


@pytest.mark.parametrize("name", EFFECTS)
def test_no_other_effect_drops_it(name):
    dropped_by = [other for other in EFFECTS if other != name and not changes(name, [other])]
    assert not dropped_by


@pytest.mark.slow
@pytest.mark.parametrize("name", EFFECTS)
def test_it_still_counts_when_all_others_are_on(name):
    assert changes(name, set(EFFECTS) - {name})


def test_the_support_table_says_what_the_matrix_finds():
    found = {name: (True, []) for name in EFFECTS}  # what the tests above have seen
    assert PAGE.read_text() == page(found), "run python tests/laws/support_table.py"
