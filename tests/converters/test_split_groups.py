import re

import pytest

from custom_datasets.converters.split_groups import (
    match_sources,
    shared_groups,
)
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
