"""Age and gender from end to end: convert, check, train, test, report."""

import json
import shutil

import pytest

from custom_datasets.datasets.age_gender import AgeGenderDataset
from custom_datasets.samples.classes import draw_portraits
from tests.leaves import LEAVES, small_run
from tools import check as check_tool
from tools import test as test_tool
from tools import train as train_tool
from tools.analysis_tools import report as report_tool
from tools.dataset_converters import age_gender as tool

CLASSES = AgeGenderDataset.METAINFO['classes']
LIGHT = next(
    leaf for leaf in LEAVES if leaf.parent.name == 'age_gender' and 'light' in leaf.stem
)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Thirty portraits to train, ten to validate, twenty of another source to test."""
    folder = tmp_path_factory.mktemp('faces')
    draw_portraits(str(folder / 'studio'), dict.fromkeys(CLASSES, 5))
    draw_portraits(str(folder / 'street'), dict.fromkeys(CLASSES, 2), 'street', 1)
    given = [folder / 'studio', folder / 'crops', '--test', folder / 'street']
    assert tool.main([str(argument) for argument in given]) == 0
    return folder / 'crops'


@pytest.fixture
def copy(root, tmp_path):
    return shutil.copytree(root, tmp_path / 'crops')


def check(root, tmp_path):
    file = tmp_path / 'found.json'
    arguments = [str(LIGHT), '--no-cache', '--json', str(file)]
    status = check_tool.main([*arguments, '--cfg-options', f'data_root={root}'])
    found = json.loads(file.read_text())
    return status, {(one['code'], one['split'], one['severity']) for one in found}


def test_what_is_converted_is_clean(root, tmp_path):
    status, found = check(root, tmp_path)
    assert status == 0
    assert not [one for one in found if one[2] == 'error']


def test_converting_needs_a_source(tmp_path, capsys):
    assert tool.main([str(tmp_path / 'nothing'), str(tmp_path / 'out')]) == 1
    assert 'give a folder of class folders' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def listed(root, part):
    return (root / f'{part}.txt').read_text().splitlines()


def write(root, part, lines):
    (root / f'{part}.txt').write_text(''.join(f'{line}\n' for line in lines))


def crop(root, part, index):
    return root / listed(root, part)[index].partition('\t')[0]


def unknown_class(root):
    lines = listed(root, 'train')
    lines[4] = lines[4].replace('\t20s_', '\t20_')
    write(root, 'train', lines)


def listed_twice(root):
    lines = listed(root, 'train')
    write(root, 'train', [*lines, lines[5]])


def truncated_image(root):
    path = crop(root, 'train', 1)
    path.write_bytes(path.read_bytes()[:2000])


def class_without_box(root):
    lines = [line for line in listed(root, 'test') if not line.endswith('60s_male')]
    write(root, 'test', lines)


FAULTS = {
    ('missing-image', 'train', 'error'): lambda root: crop(root, 'train', 0).unlink(),
    ('truncated-image', 'train', 'error'): truncated_image,
    ('identical-images', 'test', 'error'): lambda root: shutil.copy(
        crop(root, 'test', 0), crop(root, 'train', 2)
    ),
    ('unknown-class', 'train', 'error'): unknown_class,
    ('listed-twice', 'train', 'error'): listed_twice,
    ('class-without-box', 'test', 'warning'): class_without_box,
}


def test_planted_faults_are_found(root, copy, tmp_path):
    _, clean = check(root, tmp_path)
    for plant in FAULTS.values():
        plant(copy)
    status, found = check(copy, tmp_path)
    assert status == 1
    assert set(FAULTS) <= found
    assert not set(FAULTS) & clean
    errors = {one for one in found if one[2] == 'error'}
    assert errors == {one for one in FAULTS if one[2] == 'error'}


def test_trains_tests_and_reports_each_source_and_attribute(root, tmp_path, capsys):
    # All that are validated and tested, so that there are both sources.
    options = small_run(LIGHT, root, 32)
    options = [one for one in options if not one.endswith('indices=2')]
    given = [str(LIGHT), '--work-dir', str(tmp_path / 'train')]
    settings = ['--cfg-options', *options, 'loss=class-weighted']
    assert train_tool.main([*given, *settings]) == 0
    weights = str(tmp_path / 'train/epoch_1.pth')
    given = [str(LIGHT), weights, '--work-dir', str(tmp_path / 'test')]
    assert test_tool.main([*given, *settings]) == 0

    metrics = json.loads(next((tmp_path / 'test').glob('*/*.json')).read_text())
    assert metrics['source/top1_street'] == pytest.approx(metrics['accuracy/top1'])
    matrix = metrics['classwise/confusion_matrix']
    off = [
        (abs(int(CLASSES[true][0]) - int(CLASSES[found][0])), count)
        for true, row in enumerate(matrix)
        for found, count in enumerate(row)
    ]
    images = sum(count for _, count in off)
    error = sum(decades * count for decades, count in off) / images
    assert metrics['attribute/decade_error'] == pytest.approx(error, abs=1e-6)
    low, high = (metrics[f'attribute/decade_error_{end}'] for end in ('low', 'high'))
    assert low <= error <= high
    gender = sum(
        count
        for true, row in zip(CLASSES, matrix, strict=True)
        for found, count in zip(CLASSES, row, strict=True)
        if true[3:] == found[3:]
    )
    assert metrics['attribute/gender_accuracy'] == pytest.approx(100 * gender / images)

    capsys.readouterr()
    given = [str(LIGHT), weights, '--out', str(tmp_path / 'report')]
    assert report_tool.main([*given, *settings]) == 0
    content = json.loads((tmp_path / 'report/report.json').read_text())
    rows = [(row['set'], row['sources']) for row in content['sets']['rows']]
    assert rows == [('validation', ['studio']), ('test', ['street'])]
    assert content['sets']['rows'][1]['estimate'] == content['overall']['top1']
    decade, of_gender = content['attributes']
    assert decade['mean_absolute_error']['value'] == pytest.approx(error, abs=1e-6)
    assert of_gender['accuracy']['value'] == pytest.approx(gender / images, abs=1e-6)
    assert 'decade: right for ' in capsys.readouterr().out
    page = (tmp_path / 'report/report.html').read_text()
    assert 'id="sets"' in page and 'id="attributes"' in page
