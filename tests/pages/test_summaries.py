"""What reports say in plain sentences, and the code that puts them to use."""

import copy
import json
import shutil

import pytest
from mmengine.config import Config

from custom_datasets.evaluation.classification_report import classification_report
from custom_datasets.pages.run_page import render_run
from custom_datasets.pages.summaries import (
    KINDS,
    attributes_sentence,
    classification_summary,
    detection_summary,
    has_anchors,
    main_error,
    sets_note,
    threshold_setting,
    threshold_text,
)
from tests.evaluation.class_results import draw, results
from tests.leaves import ROOT
from tests.pages.drawn import draw_content
from tests.pages.reading import CellPage, assert_numbers_are_in
from tests.pages.test_run_report import collect, predictions


def estimate(value, low=None, high=None):
    return {'value': value, 'low': low, 'high': high}


def error(kind, dap, *of_classes):
    rows = [{'count': 1, 'dap': one} for one in of_classes]
    return {'kind': kind, 'count': 2, 'deployed': 1, 'dap': dap, 'per_class': rows}


CONTENT = {
    'images': 1200,
    'objects': 34,
    'overall': {
        'area_ap50': estimate(0.7, 0.6, 0.8),
        'coco': {'AP': estimate(0.5)},
    },
    'per_class': [
        {'name': 'cat', 'area_ap50': estimate(0.9)},
        {'name': 'dog', 'area_ap50': estimate(0.5, 0.25, 0.75)},
        {'name': 'cow', 'area_ap50': estimate(None)},
    ],
    'thresholds': {
        'chosen_on': 'validation',
        'overall': {
            'threshold': 0.4321,
            'precision': estimate(0.8),
            'recall': estimate(0.75),
        },
    },
    'errors': {
        'types': [
            error('missed', 0.1, 0.2, 0.0, None),
            error('class', 0.05, 0.0, 0.1, None),
            error('both', None, None, None, None),
        ]
    },
}


def test_it_says_how_good_at_which_threshold_and_what_fails():
    assert detection_summary(CONTENT) == [
        'area-AP50 0.700 (0.600 to 0.800), COCO AP 0.500, on 1,200 images with 34 '
        'objects.',
        'Threshold to deploy: 0.432, chosen on the validation set; at this threshold '
        'precision is 0.800 and recall 0.750.',
        'Worst class: dog, with area-AP50 0.500 (0.250 to 0.750); what costs it most '
        'is class (the right place, but another class), 0.100 of AP.',
    ]


@pytest.mark.parametrize(
    ('source', 'words'),
    [('test', 'chosen on the test set itself'), ('default', 'since nothing was found')],
)
def test_it_says_where_the_threshold_is_from(source, words):
    content = copy.deepcopy(CONTENT)
    content['thresholds']['chosen_on'] = source
    assert words in detection_summary(content)[1]


def test_a_detector_that_has_learnt_nothing_gets_no_advice_on_thresholds():
    content = copy.deepcopy(CONTENT)
    content['overall']['area_ap50'] = estimate(0.004, 0.001, 0.007)
    quality, nothing = detection_summary(content, 40)
    assert quality.startswith('area-AP50 0.004 (0.001 to 0.007), ')
    assert nothing.startswith(
        'It has learnt next to nothing in 40 iterations. Most often the training was '
        'too short'
    )
    assert detection_summary(content)[1].startswith('It has learnt next to nothing. ')


def test_a_threshold_that_nothing_reaches_is_a_whole_sentence():
    content = copy.deepcopy(CONTENT)
    content['thresholds']['overall'] |= {'precision': estimate(None)}
    assert detection_summary(content)[1] == (
        'Threshold to deploy: 0.432, chosen on the validation set; nothing on the test '
        'set reaches it.'
    )


def test_a_classifier_that_guesses_is_not_calibrated():
    # All of one class, as surely as anything.
    test = results([0, 1] * 20, [[0.99, 0.01]] * 40, ('cat', 'dog'))
    report = classification_report(test, resamples=20)
    quality, nothing = classification_summary(report, 1)
    assert quality.startswith('Top-1 accuracy 0.500 (')
    assert nothing.startswith(
        'It has learnt next to nothing in 1 iteration: of a class it finds 0.500'
    )
    assert ', and guessing finds 0.500. Most often' in nothing


@pytest.mark.parametrize(
    ('generator', 'anchors'), [('AnchorGenerator', True), ('MlvlPointGenerator', False)]
)
def test_only_anchors_are_advised_on(generator, anchors):
    head = {'type': 'Head', 'anchor_generator': {'type': f'mmdet.{generator}'}}
    assert has_anchors({'bbox_head': head}) == anchors


def test_one_class_has_no_worst():
    content = {**CONTENT, 'per_class': CONTENT['per_class'][1:]}
    assert len(detection_summary(content)) == 2


def test_the_main_error_is_what_costs_most():
    errors = CONTENT['errors']
    assert main_error(errors) == ('missed', 0.1)
    assert main_error(errors, 1) == ('class', 0.1)
    assert main_error(errors, 2) is None


def test_each_kind_of_error_is_explained(tmp_path):
    content = draw_content(tmp_path, images=2)
    assert {row['kind'] for row in content['errors']['types']} == set(KINDS)


def test_summary_of_a_classifier_by_hand():
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
    assert worst.startswith('Worst class: dog, with F1 0.667 (')
    assert worst.endswith(
        'of its 1 image 1.000 are found, and of those taken for it 0.500 are right.'
    )
    assert confusion == 'Most often cat is taken for dog: 1 image, 0.333 of cat.'
    # Mean confidence 3.5 / 4.
    assert calibration.startswith('On average its confidence is 0.875 and its accuracy')
    assert temperature.startswith('No temperature is fitted')


def test_summary_of_a_classifier_that_is_too_sure():
    test, val = draw(200, 4, 1, temperature=2), draw(220, 4, 2, temperature=2)
    report = classification_report(test, val, resamples=50)
    text = ' '.join(classification_summary(report))
    assert 'it is too sure, by more than chance explains' in text
    assert 'Use it: it lowers the negative log likelihood' in text
    assert 'To have 0.980 of the answers right on validation' in text


def test_a_calibration_error_may_be_chance():
    report = classification_report(draw(200, 4, 1), resamples=20)
    chance = report['calibration']['before']['chance']['high']
    text = ' '.join(classification_summary(report))
    assert f'a calibrated classifier shows up to {chance:.3f}.' in text
    assert 'by more than chance' not in text


def test_a_class_that_is_never_predicted():
    scores = [[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [0.8, 0.2, 0.0]] * 20
    test = results([0, 1, 2] * 20, scores, ('a', 'b', 'c'))
    text = ' '.join(classification_summary(classification_report(test, resamples=20)))
    assert 'Worst class: c, with F1 0.000' in text
    assert '; no image is taken for it.' in text


@pytest.mark.parametrize(
    ('threshold', 'text'),
    [(0.75, '0.750'), (0.9994, '0.999'), (0.99987654, '0.99987654'), (1.0, '1.000')],
)
def test_thresholds_near_1_keep_their_digits(threshold, text):
    assert threshold_text(threshold) == text


@pytest.mark.parametrize(
    ('leaf', 'setting'),
    [
        ('retinanet_r18_fpn_1xb4-24e_bccd', 'model.test_cfg.score_thr'),
        ('rtmdet_tiny_1xb4-24e_bccd', 'model.test_cfg.score_thr'),
        ('faster-rcnn_r50_fpn_1xb4-24e_bccd', 'model.test_cfg.rcnn.score_thr'),
    ],
)
def test_the_setting_is_one_that_the_config_has(leaf, setting):
    cfg = Config.fromfile(ROOT / f'configs/bccd/{leaf}.py')
    assert threshold_setting(cfg.model) == setting
    before = cfg.model.to_dict()
    cfg.merge_from_dict({setting: 0.5})
    assert cfg.model.to_dict() != before


@pytest.mark.parametrize('model', [{}, {'test_cfg': None}, {'test_cfg': {'max': 1}}])
def test_a_model_may_have_no_such_setting(model):
    assert threshold_setting(model) is None


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
        'to 0.970) on 400 validation images, from lab against 0.710 (0.660 to 0.760) '
        'on 1,200 test images, from <web>, lab. '
    )


def test_nothing_is_said_of_sets_that_agree_or_of_one():
    near = {**FAR, 'rows': [FAR['rows'][0], FAR['rows'][3]]}
    assert sets_note(near) == []
    assert sets_note({**FAR, 'rows': FAR['rows'][1:]}) == []
    # A source of its own that is far is in the table, not in a note.
    rows = [FAR['rows'][0], {**FAR['rows'][3], 'sources': []}, FAR['rows'][2]]
    assert sets_note({**FAR, 'rows': rows}) == []


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


def test_sets_and_attributes_have_sections_where_there_is_something_to_say(tmp_path):
    content = draw_content(tmp_path)
    alone = {**content, 'sets': {**FAR, 'rows': FAR['rows'][1:2]}, 'attributes': []}
    for nothing in (content, alone):
        sections = CellPage(render_run(nothing).decode()).sections()
        assert not {'sets', 'attributes'} & set(sections)
    content = {**content, 'sets': FAR, 'attributes': [DECADE, GENDER]}
    page = CellPage(render_run(json.loads(json.dumps(content))).decode())
    assert_numbers_are_in(page, content)
    assert 'test<web>, lab1,2000.7100.660 to 0.760' in page.text
    assert 'gender: right0.900 (0.850 to 0.940)' in page.text
    assert 'decade: off by at most 10.800 (0.700 to 0.900)' in page.text


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
