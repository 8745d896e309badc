"""What must be in run.json: all that its page and its readers take from it."""

import copy

import pytest

from custom_datasets.training.record import find_fault
from custom_datasets.training.run_md import run_page
from tests.runs.contents import SESSION, SPLIT, content

TEST = {
    'checkpoint': 'epoch_2.pth',
    'when': '2026-01-02T00:00:00+00:00',
    'seconds': 2.0,
    'command': ['tools/test.py', 'fruit.py'],
    'model': 'Detector',
    'data': SPLIT,
    'metrics': {'voc/mAP': 0.5, 'matrix': [[1, 0], [0, 1]]},
}


def full():
    sessions = [copy.deepcopy(SESSION) for _ in range(2)]
    return copy.deepcopy(content(sessions=sessions, tests=[TEST]))


def places(node, path=()):
    """Yield the keys that lead to each value of a record."""
    if path:
        yield path
    items = node.items() if isinstance(node, dict) else ()
    for key, value in enumerate(node) if isinstance(node, list) else items:
        yield from places(value, (*path, key))


def parent(node, path):
    for key in path[:-1]:
        node = node[key]
    return node


def shown(record):
    """Return the page, or None where it cannot be written."""
    try:
        return run_page('fruit', record)
    except Exception:
        return None


def test_a_record_as_it_is_written_has_no_fault():
    assert find_fault(full(), whole=True) is None
    assert find_fault(full(), whole=False) is None
    begun = content(best=None, validation=None, epochs=[], checkpoints=[], seed=None)
    assert find_fault(begun, whole=True) is None


def test_whatever_breaks_the_page_is_a_fault():
    """Each value by itself is taken away, and replaced by one of another type."""
    broken = 0
    for path in places(full()):
        for value in (KeyError, None, 'text', 7, [], {'odd': []}):
            record = full()
            if value is not KeyError:
                parent(record, path)[path[-1]] = value
            elif isinstance(path[-1], str):
                del parent(record, path)[path[-1]]
            if shown(record) is None:
                broken += 1
                assert find_fault(record, whole=True), (path, value)
    assert broken > 300


@pytest.mark.parametrize(
    ('change', 'fault'),
    [
        (lambda r: r['git'].pop('changes'), 'git.changes is missing'),
        (lambda r: r.update(git=None), 'git is NoneType'),
        (lambda r: r['sessions'][1].pop('git'), 'sessions.1.git is missing'),
        (lambda r: r['tests'][0].update(seconds='2'), 'tests.0.seconds is str'),
        (lambda r: r['data']['train'].update(images='9'), 'data.train.images is str'),
        (lambda r: r['versions'].update(torch=2), 'versions.torch is int'),
        (lambda r: r.update(best={'metric': 'a'}), 'best.rule is missing'),
    ],
)
def test_the_place_is_named(change, fault):
    record = full()
    change(record)
    assert find_fault(record, whole=True) == fault


def test_what_nobody_can_do_without_is_asked_for_always():
    record = full()
    for key in ('git', 'tests', 'speed', 'best', 'sessions'):
        del record[key]
    assert find_fault(record, whole=False) is None
    del record['epochs'][1]['iteration']
    assert find_fault(record, whole=False) == 'epochs.1.iteration is missing'
    assert find_fault([], whole=False) == 'the whole is list'
