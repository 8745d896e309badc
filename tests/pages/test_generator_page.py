"""The page that judges a generator shows what judge.json says, and opens offline."""

import copy
import json

import numpy as np
import pytest

from custom_datasets.evaluation.judgement import Pictures, Sets, judge
from custom_datasets.pages.generator_page import ShownPictures, render_judgement
from custom_datasets.pages.generator_summary import judgement_summary
from custom_datasets.pages.kit import MOST_BYTES
from tests.pages.parsing import Page

CLASSES = ['<cup>', '포크', 'knife']


def drawn(count, seed, names=()):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), count)
    features = rng.normal(size=(3 * count, 16))
    return Pictures(labels, features * 9 + 99, features, names)


def content_of(made, **changes):
    held_out = drawn(30, 2, names=[CLASSES[0]] * 90)
    numbers = judge(Sets(made, held_out, drawn(40, 3), drawn(40, 4)), CLASSES)
    copying = [
        {
            **part,
            'pairs': [
                {
                    **pair,
                    'made': {'class': CLASSES[0], 'seed': 5},
                    'training': 'a/b.png',
                }
                for pair in part['pairs']
            ],
        }
        for part in numbers['copying']
    ]
    content = {
        'run': {
            'folder': 'work_dirs/flow',
            'checkpoint': 'work_dirs/flow/epoch_9.pth',
            'kind': 'best',
            'options': {'model.steps': '3'},
            'size': 8,
            'count': 20,
            'seed': 7,
            'date': '2026-12-01T00:00:00+00:00',
            'versions': {'python': '3.11.7'},
        },
        'classes': CLASSES,
        'pictures': {
            'made': 60,
            'held_out': 90,
            'held_out_copies': 2,
            'training': 1234,
        },
        'classifier': {
            'folder': 'work_dirs/other',
            'checkpoint': 'work_dirs/other/epoch_3.pth',
            'unknown_classes': ['knife'],
            'training_pictures': 200,
            'training_too': 50,
            'held_out_too': 1,
            'why': None,
        },
        'notes': ['Two pictures were left out.'],
        'unmeasured': [],
        **numbers,
        'copying': copying,
        **changes,
    }
    content['summary'] = judgement_summary(content)
    return json.loads(json.dumps(content, allow_nan=False))


def page_of(content, folder=None):
    rng = np.random.default_rng(0)

    def pictures(count):
        return rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)

    samples = [(pictures(8), pictures(min(k, 8))) for k in range(3)]
    pairs = [[pictures(2) for _ in part['pairs']] for part in content['copying']]
    page = render_judgement(content, ShownPictures(samples, pairs), folder)
    assert len(page) < MOST_BYTES
    return Page(page.decode())


@pytest.fixture(scope='module')
def content():
    return content_of(drawn(20, 1, names=[CLASSES[0]] * 60))


def test_it_opens_offline_with_all_sections(content):
    page = page_of(content)
    assert not page.outside and not page.links
    assert page.sections() == [
        *('samples', 'likeness', 'agreement', 'copies', 'spread', 'about')
    ]
    pictures = len(page.all('svg', 'picture'))
    # Of the first class nobody held out a picture.
    assert pictures == 5 + sum(len(part['pairs']) for part in content['copying'])
    assert 'There is none.' in page.text
    assert page.text.count('<cup>') > 5


def test_its_numbers_are_those_of_the_json(content):
    text = page_of(content).text
    made = content['likeness']['made']
    distance = made['kernel_distance']
    assert f'{distance["value"]:.4f} ({distance["low"]:.4f} to' in text
    for metric in ('precision', 'recall'):
        assert f'{made[metric]["value"]:.3f}' in text
    for row in content['spread']:
        assert f'{row["made"]["value"]:.3f} ({row["made"]["low"]:.3f} to' in text
    for part in content['copying']:
        assert f'distance {part["pairs"][0]["distance"]:.3g}' in text
    assert '<cup> 20' in text  # What the others are taken for.
    assert 'seeds from 7' in text and '1,234' in text


def test_what_the_classifier_has_seen(content):
    text = page_of(content).text
    assert 'It was trained on 200 pictures; the generator saw 50 of them (25%)' in text
    assert 'Left out: 1 held-out picture that it was trained on.' in text
    assert 'It does not know knife.' in text
    other = copy.deepcopy(content)
    other['classifier'] |= {'training_too': 0, 'unknown_classes': []}
    text = page_of(other).text
    assert 'the generator saw none of them.' in text and 'does not know' not in text
    other['classifier'] |= {'training_pictures': None, 'why': 'list.txt is gone'}
    assert 'cannot be told' in page_of(other).text


def test_honest_pictures_are_no_copies(content):
    assert 'that is copying' not in ' '.join(content['summary'])
    assert not page_of(content).all('div', 'warning')


def test_copies_are_a_warning():
    training = drawn(40, 3)
    content = content_of(training.take(np.arange(0, 120, 2)))
    page = page_of(content)
    assert len(page.all('div', 'warning')) == 2
    assert page.text.count('that is copying') == 4
    assert 'distance 0 · copied' in page.text


def test_what_is_not_measured_has_no_section():
    made = Pictures(drawn(20, 1).labels, drawn(20, 1).pixels)
    few = ['Class agreement: it takes a classifier.']
    content = content_of(made, unmeasured=few, copying=[], classifier=None)
    page = page_of(content)
    assert page.sections() == ['samples', 'about']
    assert 'Not measured. Class agreement: it takes a classifier.' in page.text
    assert content['summary'] == []


def test_many_classes_stay_small(content):
    classes = [f'class {number}' for number in range(1000)]
    rng = np.random.default_rng(0)
    strip = rng.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    spread = [{**content['spread'][0], 'name': name} for name in classes]
    content = content_of(drawn(20, 1), classes=classes, spread=spread, copying=[])
    shown = ShownPictures([(strip, strip)] * 1000, [])
    assert len(render_judgement(content, shown)) < MOST_BYTES


def test_it_links_what_lies_beside_it(content, tmp_path):
    (tmp_path / 'run.md').write_text('run')
    assert page_of(content, str(tmp_path)).links == ['run.md']
