import re

import pytest

from custom_datasets.data.origins import match_sources, shared_groups, too_few
from custom_datasets.errors import UserError


def test_groups_of_more_than_one():
    groups = {'b': 'b', 'd': 'b', 'c': 'b', 'e': 'e'}
    assert shared_groups(groups) == {'b': ['b', 'c', 'd']}


def test_sources_by_pattern():
    pattern = re.compile(r'^(.*?)_')
    assert match_sources(['a_1', 'a_2', 'b', '_x'], pattern) == {'a_1': 'a', 'a_2': 'a'}
    with pytest.raises(
        UserError, match=r'--group-by \^\(\.\*\?\)_: fits no name, such as b'
    ):
        match_sources(['b'], pattern)


def test_images_of_classes_that_cannot_be_in_every_part():
    labels = {f'{name}{i}': {name: 1} for name in 'abc' for i in range(3)}
    # Two of class b show the same, so there are two of them for three parts.
    groups = {'b0': 'b0', 'b1': 'b0'}
    found = too_few(labels, groups, 3)
    assert found == ({'b0', 'b1', 'b2'}, {'b': 2})
    assert too_few(labels, groups, 2) == (set(), {})
    assert too_few({}, {}, 3) == (set(), {})


def test_what_is_taken_can_leave_too_few_of_another_class():
    labels = {'0': {'a': 1, 'b': 1}, '1': {'a': 1}, '2': {'a': 1}, '3': {'c': 0}}
    labels |= {f'c{i}': {'c': 2} for i in range(3)}
    taken, short = too_few(labels, {}, 3)
    assert taken == {'0', '1', '2'}
    assert short == {'a': 2, 'b': 1}
