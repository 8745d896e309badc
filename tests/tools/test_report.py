"""The report of a run from end to end: trained, tested, and looked at."""

import json
import re
import shutil
from html import unescape

import cv2
import numpy as np
import pytest

from custom_datasets.pages.kit import MOST_BYTES
from custom_datasets.samples.boxes import METAL_CLASSES
from custom_datasets.training.record import read_run
from tests.leaves import LEAVES, small_run
from tests.pages.reading import CellPage, assert_numbers_are_in
from tests.tools.conftest import Trained

METAL = next(leaf for leaf in LEAVES if leaf.stem.startswith('resnet18_light_1xb64-'))
FILES = ['report.html', 'report.json', 'test_predictions.pkl', 'val_predictions.pkl']


@pytest.fixture(scope='module')
def metal(metal_crops, tmp_path_factory):
    """A classifier of drawn crops, and its report."""
    options = [o for o in small_run(METAL, metal_crops, 64) if '.indices=' not in o]
    options.append(f'classes={",".join(METAL_CLASSES)}')
    run = Trained(METAL, options, tmp_path_factory.mktemp('metal'), 1)
    assert run.report(run.checkpoint) == 0
    return run


def page_of(run):
    """Read a page, which must be small and need nothing."""
    data = (run.folder / 'report.html').read_bytes()
    assert len(data) < MOST_BYTES == 8_000_000
    page = CellPage(data.decode())
    assert page.outside == []
    assert len(page.all('script')) == 1 and not page.all('link')
    assert 'url(' not in data.decode()
    return page


def metrics_of(content):
    """Return all that does not say where the predictions are from."""
    parts = ('run', 'stock_metrics', 'class_maps', 'training')
    kept = {key: value for key, value in content.items() if key not in parts}
    # Only of a checkpoint are the iterations known.
    kept['summary'] = [re.sub(r' in \d+ iterations?', '', s) for s in kept['summary']]
    return kept


def test_a_detector_is_measured_as_it_was_tested(cells):
    content, logged = cells.content(), cells.logged
    found = content['overall']['area_ap50']['value']
    assert found > 0
    assert found == pytest.approx(logged['pascal_voc/mAP'], abs=1e-6)
    # COCO's numbers are rounded to three digits, of classes too.
    coco = content['overall']['coco']['AP']['value']
    assert coco == pytest.approx(logged['coco/bbox_mAP'], abs=5.1e-4)
    for row in content['per_class']:
        name, ap50, ap = row['name'], row['area_ap50']['value'], row['coco_ap']['value']
        assert ap50 == pytest.approx(logged[f'pascal_voc/AP50_{name}'], abs=5.1e-4)
        assert ap == pytest.approx(logged[f'coco/{name}_precision'], abs=5.1e-4)
    stock = content['stock_metrics']['test']['pascal_voc/mAP']
    assert stock == logged['pascal_voc/mAP']
    assert content['thresholds']['chosen_on'] == 'validation'
    assert content['notes'] == []
    assert (content['run']['epoch'], content['images']) == (3, 4)


def test_a_detectors_page_says_what_the_json_says(cells):
    page, content = page_of(cells), cells.content()
    assert_numbers_are_in(page, content)
    for sentence in content['summary']:
        assert sentence in page.text
    assert len(page.all('image')) + len(page.all('use')) == len(
        page.all('svg', 'picture')
    )
    assert 'training' in page.sections() and 'run.md' in page.links
    assert '(<report.html>)' in (cells.folder / 'run.md').read_text()
    assert len(content['training']['loss']) == 3


def run_code(run, monkeypatch):
    """Run each piece of the page's Python beside an image; return what it makes."""
    html = (run.folder / 'report.html').read_text()
    codes = map(unescape, re.findall(r'<code>(from custom.*?)</code>', html, re.S))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    cv2.imwrite(str(run.folder / 'image.jpg'), noise)
    monkeypatch.chdir(run.folder)
    made = []
    for code in codes:
        made.append({})
        exec(code, made[-1])
    return made


def test_the_code_of_a_detectors_page_runs(cells, monkeypatch, capsys):
    overall, per_class = run_code(cells, monkeypatch)
    thresholds = cells.content()['thresholds']
    chosen = overall['predictor'].decision.threshold
    assert chosen == pytest.approx(thresholds['overall']['threshold'], abs=6e-4)
    each = [row['threshold'] for row in thresholds['per_class']]
    assert list(per_class['predictor'].decision.threshold) == each
    assert len(capsys.readouterr().out.splitlines()) >= 2
    assert (overall['result'].scores >= chosen).all()


def test_the_code_of_a_classifiers_page_runs(metal, monkeypatch, capsys):
    pieces = run_code(metal, monkeypatch)
    assert pieces
    for made in pieces:
        assert made['result'].name in METAL_CLASSES
    assert capsys.readouterr().out


def test_only_the_files_of_the_report_are_added(cells):
    names = {path.name for path in cells.folder.iterdir() if path.is_file()}
    assert names >= {*FILES, 'run.json', 'run.md'}
    assert not [name for name in names if name.startswith('.')]


def test_the_record_of_the_run_tells_both_sets(cells):
    first, *others = read_run(str(cells.folder)).content['tests']
    assert [each['data']['list'] for each in others] == [
        'ImageSets/Main/test.txt',
        'ImageSets/Main/val.txt',
    ]
    metric = 'pascal_voc/mAP'
    assert others[0]['metrics'][metric] == first['metrics'][metric]
    stock = cells.content()['stock_metrics']['validation'][metric]
    assert others[1]['metrics'][metric] == stock


def test_earlier_predictions_give_the_same_numbers(cells, tmp_path):
    given = ['--predictions', cells.predictions, '--out', str(tmp_path)]
    val = ['--val-predictions', str(cells.folder / 'val_predictions.pkl')]
    before = sorted(path.stat().st_mtime_ns for path in cells.folder.iterdir())
    assert cells.report(*given, *val) == 0
    content = cells.content(tmp_path)
    assert metrics_of(content) == metrics_of(cells.content())
    assert content['run']['predictions']['test'] == cells.predictions
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    after = sorted(path.stat().st_mtime_ns for path in cells.folder.iterdir())
    assert after == before


def test_a_classifier_is_measured_as_it_was_tested(metal):
    content, logged = metal.content(), metal.logged
    overall = content['overall']
    for key, name in (
        ('top1', 'accuracy/top1'),
        ('macro_f1', 'classwise/f1-score'),
        ('balanced_accuracy', 'classwise/recall'),
    ):
        assert 100 * overall[key]['value'] == pytest.approx(logged[name], abs=1e-4)
    assert content['confusion']['counts'] == logged['classwise/confusion_matrix']
    assert content['classes'] == list(METAL_CLASSES)
    wrong = round(content['images'] * (1 - overall['top1']['value']))
    assert content['mistakes']['count'] == wrong > 0
    assert content['notes'] == []


def test_a_classifiers_page_says_what_the_json_says(metal):
    page, content = page_of(metal), metal.content()
    assert_numbers_are_in(page, content)
    maps = content['class_maps']
    assert (maps['rows'], maps['columns'], maps['refusal']) == (2, 2, None)
    assert '2\N{MULTIPLICATION SIGN}2 places' in page.text
    assert 'taken for' in page.text


def test_a_classifiers_earlier_predictions_give_the_same_numbers(metal, tmp_path):
    given = ['--predictions', metal.predictions, '--out', str(tmp_path)]
    val = ['--val-predictions', str(metal.folder / 'val_predictions.pkl')]
    assert metal.report(*given, *val) == 0
    assert metrics_of(metal.content(tmp_path)) == metrics_of(metal.content())


def test_a_classifier_without_validation_is_told_nothing_was_chosen(metal, tmp_path):
    given = ['--predictions', metal.predictions, '--out', str(tmp_path)]
    assert metal.report(*given) == 0
    content = metal.content(tmp_path)
    assert content['notes'] == [
        'There are no predictions on a validation set, so no temperature and no '
        'threshold is chosen.'
    ]
    assert 'on the test set itself' not in (tmp_path / 'report.html').read_text()


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['gone.pth'], 'gone.pth: no such checkpoint'),
        (['--predictions', 'gone.pkl'], 'gone.pkl: cannot be read (No such file'),
        (
            ['--predictions', 'VAL'],
            "not predictions of the config's test set: 4 images",
        ),
        (
            ['--predictions', 'METAL'],
            'is from a classifier, but the config is for a de',
        ),
        (['METAL.pth'], 'was trained on 4 classes (crease, '),
    ],
)
def test_what_does_not_fit_gets_a_sentence_and_nothing_is_written(
    cells, metal, tmp_path, monkeypatch, capsys, arguments, said
):
    monkeypatch.chdir(tmp_path)
    known = {
        'VAL': str(cells.folder / 'val_predictions.pkl'),
        'METAL': metal.predictions,
        'METAL.pth': metal.checkpoint,
    }
    given = [known.get(one, one) for one in arguments]
    capsys.readouterr()
    assert cells.report(*given, '--out', str(tmp_path / 'out')) == 1
    shown = capsys.readouterr()
    assert shown.out == ''
    assert shown.err.startswith('error: ') and said in shown.err
    assert shown.err.count('\n') == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def older(cells, tmp_path):
    """A copy of the run whose record an older version wrote."""
    path = shutil.copytree(cells.folder, tmp_path / 'run') / 'run.json'
    record = json.loads(path.read_text())
    del record['command']
    path.write_text(json.dumps(record))
    return path, path.read_bytes()


def test_an_older_record_gets_a_sentence_and_breaks_no_report(cells, older, capsys):
    path, before = older
    checkpoint = path.parent / 'epoch_3.pth'
    assert cells.report(str(checkpoint)) == 0
    (note,) = cells.content(path.parent)['notes']
    assert note == (
        f'This test is not added to the record of the run: {path}: damaged, or '
        "written by another version ('command' is missing); read it with that "
        'version, or move the file away.'
    )
    assert note in capsys.readouterr().out
    assert path.read_bytes() == before


def test_an_older_record_breaks_no_test_and_no_training(cells, older, monkeypatch):
    path, before = older
    monkeypatch.setattr(cells, 'folder', path.parent)
    monkeypatch.setattr(cells, 'checkpoint', str(path.parent / 'epoch_3.pth'))
    assert cells.test(path.parents[1] / 'test') == 0
    assert path.read_bytes() == before
    monkeypatch.setattr(
        cells, 'options', [*cells.options[:-2], 'train_cfg.max_epochs=4']
    )
    assert cells.train('--resume', cells.checkpoint) == 0
    content = read_run(str(path.parent), whole=True).content
    assert [entry['epoch'] for entry in content['epochs']] == [4]
    (kept,) = path.parent.glob('*/previous_run.json')
    assert kept.read_bytes() == before
    for said in ('test is not recorded: ', 'a new record begins: '):
        logs = path.parents[1].glob('*/*/*.log')
        assert any(f'{said}{path}: damaged' in log.read_text() for log in logs)
