"""The knapsack takes the best of all choices that fit."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.errors import CapacityError
from crossloom.search.tuning import Item, choose_items

ITEMS = st.lists(st.tuples(st.floats(0, 10), st.integers(1, 20)), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=4), st.integers(1, 80))
def test_the_choice_is_as_good_as_the_best_of_all_choices(groups, capacity):
    named = {str(number): [Item(*pair) for pair in group] for number, group in enumerate(groups)}
    fitting = [
        sum(item.harm for item in chosen)
        for chosen in product(*named.values())
        if sum(item.size for item in chosen) <= capacity
    ]
    if not fitting:
        with pytest.raises(CapacityError, match="smallest options take"):
            choose_items(named, capacity)
        return
    taken = choose_items(named, capacity)
    chosen = [named[name][number] for name, number in taken.items()]
    assert taken.keys() == named.keys()
    assert sum(item.size for item in chosen) <= capacity
    assert sum(item.harm for item in chosen) == pytest.approx(min(fitting), abs=1e-6)


def test_with_room_for_all_every_layer_takes_its_least_harm():
    groups = {"a": [Item(3.0, 1), Item(1.0, 9)], "b": [Item(2.0, 1), Item(2.5, 2)]}
    assert choose_items(groups, 1e9) == {"a": 1, "b": 0}


def test_no_layers_need_no_choice():
    assert choose_items({}, 10.0) == {}
