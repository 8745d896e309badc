import re
from itertools import pairwise

import pytest

from custom_datasets.converters.split_groups import (
    match_sources,
    merge_groups,
    shared_groups,
)
from custom_datasets.errors import UserError


def test_groupings_that_overlap_are_joined():
    contents = {'d': 1, 'b': 1, 'c': 2, 'e': 3}
    sources = {'b': 'x', 'c': 'x', 'f': 'y'}
    groups = merge_groups(contents, sources)
    assert groups == {'b': 'b', 'c': 'b', 'd': 'b', 'e': 'e', 'f': 'f'}
    assert shared_groups(groups) == {'b': ['b', 'c', 'd']}


def test_a_long_chain_is_one_group():
    names = [f'{index:04}' for index in range(3000)]
    links = [dict.fromkeys(pair, index) for index, pair in enumerate(pairwise(names))]
    assert set(merge_groups(*reversed(links)).values()) == {'0000'}


def test_keys_of_different_groupings_are_different():
    assert merge_groups({'a': 1}, {'b': 1}) == {'a': 'a', 'b': 'b'}


def test_sources_by_pattern():
    pattern = re.compile(r'^(.*?)_')
    assert match_sources(['a_1', 'a_2', 'b', '_x'], pattern) == {'a_1': 'a', 'a_2': 'a'}
    with pytest.raises(
        UserError, match=r'--group-by \^\(\.\*\?\)_: fits no name, such as b'
    ):
        match_sources(['b'], pattern)
