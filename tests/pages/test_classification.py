"""A classifier's page: true to the JSON, whatever it was given."""

import json
import re

import cv2
import numpy as np
import pytest

from custom_datasets.evaluation.classification_report import classification_report
from custom_datasets.evaluation.results import ClassificationResults, ImageInfo
from custom_datasets.pages.class_maps import ClassMap, Explained, Explanations
from custom_datasets.pages.run_page import render_run
from custom_datasets.pages.summaries import classification_summary
from tests.evaluation.class_results import draw, results
from tests.pages.reading import CellPage, cell

SECTIONS = ['classes', 'confusion', 'calibration', 'threshold', 'mistakes', 'looks']


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """The report of a classifier that is too sure, on images that are there."""
    folder = tmp_path_factory.mktemp('images')
    test, val = draw(200, 4, 1, temperature=2), draw(220, 4, 2, temperature=2)
    images = []
    for index in range(200):
        path = str(folder / f'part_{index}.png')
        cv2.imwrite(path, np.full((20, 30, 3), index, np.uint8))
        images.append(ImageInfo(f'part_{index}.png', path))
    names = ('bolt', 'nut', 'washer', 'screw')
    test = ClassificationResults(names, tuple(images), test.truth, test.scores)
    val = ClassificationResults(names, val.images, val.truth, val.scores)
    # As the tool does, so that the page has no more digits than the file.
    return json.loads(json.dumps(classification_report(test, val, resamples=50)))


RUN = {
    **{'config': 'parts.py', 'options': {}, 'checkpoint': None, 'epoch': None},
    **{'predictions': {}, 'dataset': '', 'date': '', 'versions': {}},
}


def page_of(report, explained=None):
    """Return the page of a report, and check that nothing is fetched."""
    content = {**report, 'run': RUN, 'notes': [], 'stock_metrics': {}, 'summary': []}
    page = CellPage(render_run(content, None, explained).decode())
    assert page.outside == []
    return page


def plain(report):
    return json.loads(json.dumps(report))


def explain(report):
    heat = np.array([[0, 1], [0.5, 0]])
    pixels = np.full((20, 30, 3), 90, np.uint8)
    rows = [*report['mistakes']['confident'][:2], *report['typical']]
    return Explanations(
        {
            row['path']: Explained(
                pixels,
                tuple(
                    ClassMap(name, heat)
                    for name in dict.fromkeys((row['predicted'], row['true']))
                ),
            )
            for row in rows
        }
    )


def numbers(value):
    """Collect all numbers of a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for one in value for number in numbers(one)]
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return [value] if known else []


def test_a_page_has_all_its_parts(report):
    assert page_of(report, explain(report)).sections() == [*SECTIONS, 'about']


def test_every_number_is_one_of_the_json(report):
    written = {f'{abs(number):.3f}' for number in numbers(report)}
    written.add(f'{report["calibration"]["temperature"]["value"]:.2f}')
    pieces = page_of(report, explain(report)).pieces.values()
    texts = [*classification_summary(report), *(t for part in pieces for t in part)]
    shown = re.findall(r'\d+\.\d{2,}', '\n'.join(texts))
    assert len(shown) > 200
    assert set(shown) <= written


def test_every_count_is_one_of_the_json(report):
    counts = {str(number) for number in numbers(report) if isinstance(number, int)}
    page = page_of(report)
    cells = [text for text in page.pieces['confusion'] if text.isdigit()]
    assert len(cells) > 10 and set(cells) <= counts
    values = {row['name']: row['f1']['value'] for row in report['per_class']}
    header = ''.join(page.pieces['header'])
    assert f'worst class{min(values, key=values.get)}images200mistakes' in header


def test_the_matrix_has_all_counts(report):
    counts = np.array(report['confusion']['counts'])
    page = page_of(report)
    wrong = counts[~np.eye(len(counts), dtype=bool)]
    assert len(page.all('td', 'wrong')) == (wrong > 0).sum()
    assert len(page.all('td', 'heated')) == (counts > 0).sum()
    text = ''.join(page.pieces['confusion'])
    for name, row in zip(report['classes'], counts.tolist(), strict=True):
        assert name + ''.join(str(count) for count in row if count) in text


def test_mistakes_are_shown_with_their_maps(report):
    page = page_of(report, explain(report))
    first = report['mistakes']['confident'][0]
    assert f'{first["true"]}, taken for {first["predicted"]}' in page.text
    for name, share in (('predicted', 'confidence'), ('true', 'probability')):
        assert f'for {first[name]}: confidence {first[share]:.3f}' in page.text
    # Two mistakes with three pictures each, the other mistakes, twelve that are
    # least sure, and four classes with two pictures each.
    assert len(page.all('svg', 'picture')) == 2 * 3 + 22 + 12 + 4 * 2
    assert '2\N{MULTIPLICATION SIGN}2 places' in page.text


def test_each_row_has_the_numbers_of_its_class(report):
    text = page_of(report).text
    for row in report['per_class']:
        measured = ''.join(cell(row[key]) for key in ('f1', 'precision', 'recall'))
        counts = f'{row["images"]} images, {row["predicted"]} predicted'
        assert f'{row["name"]}{counts}{measured}' in text
    for key, name in (('ece', 'Expected calibration error'), ('nll', 'likelihood')):
        before, after = (report['calibration'][one][key] for one in ('before', 'after'))
        assert f'{name}{cell(before)}{cell(after)}' in text


def test_how_fine_the_maps_are_is_in_the_json(report):
    explained = explain(report)
    facts = {'images': len(explained.images), 'rows': 2, 'columns': 2}
    assert explained.facts() == {**facts, 'refusal': None}
    refused = Explanations({}, 'No maps.').facts()
    assert refused == {'images': 0, 'rows': None, 'columns': None} | {
        'refusal': 'No maps.'
    }


def test_of_more_mistakes_than_are_shown_all_are_counted(report):
    shown = len(report['mistakes']['confident'])
    assert report['mistakes']['count'] > shown
    text = f'Of {report["mistakes"]["count"]} mistakes the most confident are shown.'
    assert text in page_of(report).text
    fewer = plain(report)
    fewer['mistakes']['count'] = shown
    assert 'the most confident are shown' not in page_of(fewer).text


def test_without_maps_the_page_says_why(report):
    assert 'only predictions were given' in page_of(report).text
    refusal = 'No maps of where it looks: X ends in no map of features.'
    page = page_of(report, Explanations({}, refusal))
    assert refusal in page.text
    assert len(page.all('svg', 'picture')) == 24 + 12


def test_images_that_are_gone_are_no_error(report, tmp_path):
    gone = plain(report)
    for row in (*gone['mistakes']['confident'], *gone['unsure']):
        row['path'] = str(tmp_path / 'gone.png')
    page = page_of(gone)
    assert page.text.count('It cannot be shown.') == 24 + 12


def test_names_are_escaped_and_long_ones_clipped():
    name = '<script>' + 'x' * 300
    test = results([0, 1], [[0.2, 0.8], [0.3, 0.7]], (name, 'other'))
    report = classification_report(test, test, resamples=5)
    page = page_of(report)
    assert len(page.all('script')) == 1
    assert '<script>x' in page.text
    assert 'x' * 100 not in page.text


def test_a_page_of_many_classes_stays_small():
    test = draw(400, 100, 0)
    page = page_of(classification_report(test, test, resamples=3))
    assert 'report.json has all 100.' in page.text
    assert len(page.tags) < 30_000
    many = draw(400, 101, 0)
    page = page_of(classification_report(many, resamples=3))
    assert '101 classes are too many to show' in page.text


def test_a_page_without_mistakes():
    right = results([0, 1, 1], np.eye(2)[[0, 1, 1]])
    report = classification_report(right, right, resamples=3)
    page = page_of(report)
    assert 'worst class' not in page.text
    assert 'There are no mistakes.' in page.text
    assert 'No image is taken for another class.' in page.text
    assert 'none needed' in page.text


def test_a_page_without_validation():
    page = page_of(classification_report(draw(60, 3), resamples=3))
    assert 'No threshold is chosen' in page.text
    assert 'No temperature is fitted' in page.text
    assert 'with the temperature' not in page.text
    assert 'import Predictor' not in page.text


def test_how_to_use_a_temperature_stands_only_where_it_helps(report):
    use = 'To use the temperature'
    assert report['calibration']['temperature']['change']['high'] < 0
    assert use in page_of(report).text
    other = plain(report)
    other['calibration']['temperature']['change'] = {
        'value': -0.01,
        'low': -0.03,
        'high': 0.01,
    }
    assert use not in page_of(other).text
    assert 'It is not worth using' in page_of(other).text


def test_goals_of_one_threshold_share_a_row(report):
    merged = plain(report)
    for row in merged['thresholds']['goals'][2:]:
        row['threshold'] = None
    text = page_of(merged).text
    assert '0.980 to 1.000 right' in text
    assert text.count('none reaches it') == 1


def test_mistakes_can_be_chosen_by_class_and_confidence(report):
    page = page_of(report, explain(report))
    mistakes, unsure = report['mistakes']['confident'], report['unsure'][:12]
    shown = [*mistakes, *unsure]
    names = {row['true'] for row in shown}
    assert len(page.all('option')) == 1 + len(names)
    (slider,) = page.all('input')
    lowest = min(row['confidence'] for row in shown)
    assert float(slider['min']) == float(slider['value']) == lowest
    tiles = [a for a in page.all('figure') if 'data-class' in a]
    assert len(tiles) == len(shown) - 2
    trios = [a for a in page.all('article') if 'data-class' in a]
    assert [(a['data-class'], a['data-score']) for a in trios[:2]] == [
        (row['true'], f'{row["confidence"]:.4f}') for row in mistakes[:2]
    ]
