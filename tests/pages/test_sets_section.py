"""Validation against test, and each source, in a run's report."""

import shutil

import pytest

from custom_datasets.pages.run_page import render
from custom_datasets.pages.summaries import (
    attributes_sentence,
    sets_note,
    sets_sections,
)
from tests.pages.drawn import draw_content
from tests.pages.test_gather import collect, predictions


def row(name, sources, images, value, low, high):
    estimate = {'value': value, 'low': low, 'high': high}
    return {'set': name, 'sources': sources, 'images': images, 'estimate': estimate}


FAR = {
    'metric': 'top1',
    'rows': [
        row('validation', ['lab'], 400, 0.95, 0.93, 0.97),
        row('test', ['<web>', 'lab'], 1200, 0.71, 0.66, 0.76),
        row('test', ['<web>'], 1000, 0.61, 0.57, 0.65),
        row('test', ['lab'], 200, 0.96, 0.94, 0.98),
    ],
}


def test_sets_that_disagree_are_told_plainly():
    (note,) = sets_note(FAR)
    assert note.startswith(
        'Validation and test disagree far beyond their intervals: top-1 0.950 (0.930 '
        'to 0.970) on 400 validation images, of lab against 0.710 (0.660 to 0.760) on '
        '1,200 test images, of <web>, lab. '
    )


def test_nothing_is_said_of_sets_that_agree_or_of_one():
    near = {**FAR, 'rows': [FAR['rows'][0], FAR['rows'][3]]}
    assert sets_note(near) == []
    assert sets_note({**FAR, 'rows': FAR['rows'][1:]}) == []
    # A source of its own that is far is in the table, not in a note.
    rows = [FAR['rows'][0], {**FAR['rows'][3], 'sources': []}, FAR['rows'][2]]
    assert sets_note({**FAR, 'rows': rows}) == []


def test_sections_are_there_where_there_is_something_to_say():
    assert sets_sections({}) == []
    alone = {'sets': {**FAR, 'rows': FAR['rows'][1:2]}, 'attributes': []}
    assert sets_sections(alone) == []
    (found,) = sets_sections({'sets': FAR})
    assert found.body.count('<tr') == 5
    assert '&lt;web&gt;' in found.body and '<web>' not in found.body


GENDER = {'name': 'gender', 'accuracy': {'value': 0.9, 'low': 0.85, 'high': 0.94}}
DECADE = {
    'name': 'decade',
    'accuracy': {'value': 0.5, 'low': 0.4, 'high': 0.6},
    'within_one': {'value': 0.8, 'low': 0.7, 'high': 0.9},
    'mean_absolute_error': {'value': 0.75, 'low': 0.6, 'high': 0.9},
    'expected_error': {'value': 0.7, 'low': 0.6, 'high': 0.8},
}


def test_attributes_are_a_sentence_and_a_table():
    assert attributes_sentence(GENDER) == 'gender: right for 0.900 (0.850 to 0.940).'
    assert attributes_sentence(DECADE) == (
        'decade: right for 0.500 (0.400 to 0.600), off by at most 1 for 0.800; the '
        'mean absolute error is 0.750 (0.600 to 0.900).'
    )
    content = {'attributes': [DECADE, GENDER], 'interval': {'level': 0.95}}
    (found,) = sets_sections(content)
    assert found.body.count('<tr') == 6
    assert 'gender: right' in found.body


def test_a_page_has_them(tmp_path):
    page = render({**draw_content(tmp_path), 'sets': FAR})
    assert 'id="sets"' in page and 'id="attributes"' not in page


@pytest.fixture
def two_sources(bccd_root, tmp_path):
    root = shutil.copytree(bccd_root, tmp_path / 'bccd')
    lines = [
        'JPEGImages\tlab',
        'JPEGImages/test_0000.png\tweb',
        'JPEGImages/test_0001.png\tweb',
    ]
    (root / 'sources.txt').write_text('\n'.join(lines))
    return root


def test_a_detectors_report_has_each_source(two_sources, tmp_path):
    given = {
        split: predictions(two_sources, split, tmp_path / f'{split}.pkl')
        for split in ('test', 'validation')
    }
    sets = collect(given, two_sources).content['sets']
    assert sets['metric'] == 'area_ap50'
    rows = [(one['set'], one['sources'], one['images']) for one in sets['rows']]
    assert rows == [
        ('validation', ['lab'], 4),
        ('test', ['lab', 'web'], 4),
        ('test', ['lab'], 2),
        ('test', ['web'], 2),
    ]
    assert [one['estimate']['value'] for one in sets['rows']] == [1.0] * 4
