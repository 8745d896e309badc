import json
import re

import cv2
import numpy as np
import pytest

from custom_datasets.evaluation.classification_report import classification_report
from custom_datasets.evaluation.results import ClassificationResults, ImageInfo
from custom_datasets.pages.class_maps import ClassMap, Explained, Explanations
from custom_datasets.pages.classification import (
    classification_facts,
    classification_sections,
)
from custom_datasets.pages.summaries import classification_summary, threshold_text
from tests.evaluation.class_results import draw, results
from tests.pages.parsing import Page
from tests.pages.reading import cell

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


def render(report, explained=None):
    return ''.join(part.body for part in classification_sections(report, explained))


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


def test_sections_are_well_formed_and_fetch_nothing(report):
    parts = classification_sections(report, explain(report))
    assert [part.name for part in parts] == SECTIONS
    page = Page(render(report, explain(report)))
    assert page.sections() == SECTIONS
    assert page.outside == []


def test_every_number_is_one_of_the_json(report):
    known = {f'{number:.3f}' for number in numbers(report)}
    known.add(f'{report["calibration"]["temperature"]["value"]:.2f}')
    texts = re.findall('>([^<]+)<', render(report, explain(report)))
    text = ' '.join([*texts, *classification_summary(report)])
    shown = re.findall(r'-?\d+\.\d{2,}', text)
    assert len(shown) > 200
    assert set(shown) <= known


def test_every_count_is_one_of_the_json(report):
    known = {str(number) for number in numbers(report) if isinstance(number, int)}
    html = render(report)
    cells = re.findall(r'<td[^>]*>(\d[\d,]*)</td>', html)
    assert cells and {cell.replace(',', '') for cell in cells} <= known
    facts = {name: value for name, value, _ in classification_facts(report)}
    values = {row['name']: row['f1']['value'] for row in report['per_class']}
    assert facts['images'] == '200'
    assert facts['worst class'] == min(values, key=values.get)


def test_the_matrix_has_all_counts(report):
    html = next(
        part.body
        for part in classification_sections(report)
        if part.name == 'confusion'
    )
    counts = np.array(report['confusion']['counts'])
    shown = re.findall(r'class="heated[^"]*"[^>]*>(\d+)<', html)
    assert list(map(int, shown)) == counts[counts > 0].tolist()
    wrong = re.findall(r'class="heated wrong"[^>]*>(\d+)<', html)
    assert sum(map(int, wrong)) == report['mistakes']['count']


def test_mistakes_are_shown_with_their_maps(report):
    page = Page(render(report, explain(report)))
    first = report['mistakes']['confident'][0]
    assert f'{first["true"]}, taken for {first["predicted"]}' in page.text
    assert f'for {first["predicted"]}: {first["confidence"]:.3f} sure' in page.text
    # Two mistakes with three pictures each, the other mistakes, twelve that are
    # least sure, and four classes with two pictures each.
    assert len(page.all('svg', 'picture')) == 2 * 3 + 22 + 12 + 4 * 2
    assert '2\N{MULTIPLICATION SIGN}2 places' in page.text


def test_each_row_has_the_numbers_of_its_class(report):
    text = Page(render(report)).text
    for row in report['per_class']:
        measured = ''.join(cell(row[key]) for key in ('precision', 'recall', 'f1'))
        assert f'{row["name"]}{row["images"]}{row["predicted"]}{measured}' in text
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
    text = f'Of {report["mistakes"]["count"]} mistakes the surest are shown.'
    assert text in render(report)
    fewer = plain(report)
    fewer['mistakes']['count'] = shown
    assert 'the surest are shown' not in render(fewer)


def test_without_maps_the_page_says_why(report):
    assert 'only predictions were given' in render(report)
    refusal = 'No maps of where it looks: X ends in no map of features.'
    page = Page(render(report, Explanations({}, refusal)))
    assert refusal in page.text
    assert len(page.all('svg', 'picture')) == 24 + 12


def test_images_that_are_gone_are_no_error(report, tmp_path):
    gone = plain(report)
    for row in (*gone['mistakes']['confident'], *gone['unsure']):
        row['path'] = str(tmp_path / 'gone.png')
    page = Page(render(gone))
    assert page.text.count('It cannot be shown.') == 24 + 12


def test_names_are_escaped_and_long_ones_clipped():
    name = '<script>' + 'x' * 300
    test = results([0, 1], [[0.2, 0.8], [0.3, 0.7]], (name, 'other'))
    report = classification_report(test, test, resamples=5)
    html = render(report)
    assert '<script>' not in html
    assert '&lt;script&gt;' in html
    assert 'x' * 100 not in html


def test_a_page_of_many_classes_stays_small():
    test = draw(400, 100, 0)
    html = render(classification_report(test, test, resamples=3))
    assert len(html) < 1_000_000
    assert 'report.json has all 100.' in html
    many = draw(400, 101, 0)
    html = render(classification_report(many, resamples=3))
    assert '101 classes are too many to show' in html


def test_a_page_without_mistakes():
    right = results([0, 1, 1], np.eye(2)[[0, 1, 1]])
    report = classification_report(right, right, resamples=3)
    page = Page(render(report))
    assert 'worst class' not in [name for name, _, _ in classification_facts(report)]
    assert 'There are no mistakes.' in page.text
    assert 'No image is taken for another class.' in page.text
    assert 'none needed' in page.text


def test_a_page_without_validation():
    page = Page(render(classification_report(draw(60, 3), resamples=3)))
    assert 'No threshold is chosen' in page.text
    assert 'No temperature is fitted' in page.text
    assert 'with the temperature' not in page.text
    assert 'ImageClassificationInferencer' not in page.text


def test_how_to_use_a_temperature_stands_only_where_it_helps(report):
    use = 'To use the temperature'
    assert report['calibration']['temperature']['change']['high'] < 0
    assert use in render(report)
    other = plain(report)
    other['calibration']['temperature']['change'] = {
        'value': -0.01,
        'low': -0.03,
        'high': 0.01,
    }
    assert use not in render(other)
    assert 'It is not worth it' in render(other)


def test_goals_of_one_threshold_share_a_row(report):
    merged = plain(report)
    for row in merged['thresholds']['goals'][2:]:
        row['threshold'] = None
    text = Page(render(merged)).text
    assert '0.980 to 1.000 right' in text
    assert text.count('none reaches it') == 1


def test_summary_by_hand():
    test = results(
        [0, 0, 0, 1],
        [[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9]],
        ('cat', 'dog'),
    )
    report = classification_report(test, resamples=2)
    quality, worst, confusion, calibration, temperature = classification_summary(report)
    assert quality.startswith('Top-1 accuracy 0.750 (')
    assert quality.endswith('on 4 images.')
    # Cat: 2 of 3 found, all right, F1 0.8; dog: 1 of 1 found, 1 of 2 right, 0.667.
    assert worst.startswith('Worst class: dog with F1 0.667 (')
    assert worst.endswith(
        'of its 1 image 1.000 are found, of what is taken for it 0.500 is right.'
    )
    assert confusion == 'Most often cat is taken for dog: 1 image, 0.333 of cat.'
    # Mean confidence 3.5 / 4.
    assert calibration.startswith('On average its confidence is 0.875 and its accuracy')
    assert temperature.startswith('No temperature is fitted')


def test_summary_of_a_classifier_that_is_too_sure(report):
    text = ' '.join(classification_summary(report))
    assert 'it is too sure, by more than chance explains' in text
    assert 'Use it: it lowers the negative log likelihood' in text
    assert 'To have 0.980 of the answers right on validation' in text


def test_a_class_that_is_never_predicted():
    test = results([0, 1], [[0.9, 0.1], [0.8, 0.2]])
    text = ' '.join(classification_summary(classification_report(test, resamples=2)))
    assert 'Worst class: b with F1 0.000 (0.000 to 0.' in text
    assert 'no image is taken for it' in text


@pytest.mark.parametrize(
    ('threshold', 'text'),
    [(0.75, '0.750'), (0.9994, '0.999'), (0.99987654, '0.99987654'), (1.0, '1.000')],
)
def test_thresholds_near_1_keep_their_digits(threshold, text):
    assert threshold_text(threshold) == text
