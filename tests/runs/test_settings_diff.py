"""Configs as flat settings, and what differs."""

from custom_datasets.runs.settings_diff import differences, flatten

FLIP = {'type': 'Flip', 'prob': 0.5}


def plain_function():
    """Stands in a config."""


def test_flat_settings():
    tree = {'a': {'b': 1, 'c': [1, 2]}, 'd': [{'type': 'X'}, {'type': 'Y', 'k': None}]}
    assert flatten(tree) == {
        'a.b': '1',
        'a.c': '[1, 2]',
        'd.0.type': 'X',
        'd.1.type': 'Y',
        'd.1.k': 'None',
    }
    assert flatten({'empty': {}, 'list': []}) == {'empty': '{}', 'list': '[]'}


def test_a_function_is_known_by_its_name():
    assert flatten({'a': plain_function}) == {'a': f'{__name__}.plain_function'}


def test_only_what_differs():
    first = {'lr': 0.1, 'model': {'depth': 18, 'type': 'ResNet'}}
    second = {'lr': 0.2, 'model': {'depth': 18, 'type': 'ResNet'}}
    found = differences([first, second])
    assert found.rows == {'lr': ('0.1', '0.2')}
    assert found.equal == 2
    assert differences([first, first]) == ({}, 3)


def test_a_step_more_does_not_move_the_others():
    short = {'steps': [{'type': 'Load'}, {'type': 'Pack'}]}
    long = {'steps': [{'type': 'Load'}, FLIP, {'type': 'Pack'}]}
    assert differences([short, long]).rows == {
        'steps': ('Load > Pack', 'Load > Flip > Pack')
    }
    other = {'steps': [{'type': 'Load'}, {**FLIP, 'prob': 1}, {'type': 'Pack'}]}
    assert differences([long, other]).rows == {'steps.1.prob': ('0.5', '1')}


def test_what_a_config_lacks():
    found = differences([{'a': 1}, {'a': 1, 'init': {'type': 'Pretrained', 'x': 1}}])
    assert found.rows == {'init': ('-', 'Pretrained')}
    assert found.equal == 1


def test_a_list_and_a_tuple_of_the_same_are_the_same():
    assert not differences([{'scale': (3, 4)}, {'scale': [3, 4]}]).rows


def test_three_configs():
    configs = [{'a': 1, 'b': 2}, {'a': 1, 'b': 3}, {'a': 4, 'b': 2}]
    assert differences(configs).rows == {'a': ('1', '1', '4'), 'b': ('2', '3', '2')}
    assert differences([]) == ({}, 0)
