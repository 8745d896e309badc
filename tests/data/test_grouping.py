from itertools import pairwise

from custom_datasets.data.origins import merge_groups


def test_groupings_that_overlap_are_joined():
    contents = {'d': 1, 'b': 1, 'c': 2, 'e': 3}
    sources = {'b': 'x', 'c': 'x', 'f': 'y'}
    groups = merge_groups(contents, sources)
    assert groups == {'b': 'b', 'c': 'b', 'd': 'b', 'e': 'e', 'f': 'f'}


def test_a_long_chain_is_one_group():
    names = [f'{index:04}' for index in range(3000)]
    links = [dict.fromkeys(pair, index) for index, pair in enumerate(pairwise(names))]
    assert set(merge_groups(*reversed(links)).values()) == {'0000'}


def test_keys_of_different_groupings_are_different():
    assert merge_groups({'a': 1}, {'b': 1}) == {'a': 'a', 'b': 'b'}
