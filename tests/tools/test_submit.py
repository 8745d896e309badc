"""From training to a competition's file by the commands, and what is refused."""

import csv
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.results import read_results, read_samples
from tests.leaves import LEAVES, SAMPLE
from tests.predicting.drawn import (
    classifier_sample,
    coco_content,
    detector_sample,
    write_json,
    write_pickle,
)
from tools import submit as tool
from tools.dataset_converters import convert as convert_tool

NAMES = ('RBC', 'WBC', 'Platelets')
IDS = [f'test_{number:04}' for number in range(4)]


@pytest.fixture
def submit(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; returns its status and what it says."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments):
        capsys.readouterr()
        status = tool.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run_command


def table(path):
    with open(path, encoding='utf-8', newline='') as file:
        return list(csv.reader(file))


def test_boxes_are_written_as_the_sample_asks(cells, submit, tmp_path):
    order = [2, 0, 3, 1]
    rows = ''.join(f'"",{IDS[k]}.png\r\n' for k in order)
    text = f'\ufeff"PredictionString","image_id"\r\n{rows}'
    (tmp_path / 'sample.csv').write_text(text, encoding='utf-8', newline='')
    arguments = ['--sample', 'sample.csv', '--labels', 'names', '--config', SAMPLE]
    arguments += ['--order', 'xmin ymin width height score label']
    status, said = submit(cells.predictions, '--out', 'out.csv', *arguments)
    assert status == 0, said
    header, *rows = table('out.csv')
    assert header == ['PredictionString', 'image_id']
    assert [row[1] for row in rows] == [f'{IDS[k]}.png' for k in order]
    samples = read_samples(cells.predictions)
    count = 0
    for (text, _), k in zip(rows, order, strict=True):
        assert samples[k]['img_id'] == IDS[k]
        assert 'e' not in text.replace('Platelets', '')
        words = np.array(text.split()).reshape(-1, 6)
        found = samples[k]['pred_instances']
        ranking = found['scores'].argsort(descending=True, stable=True)
        x1, y1, x2, y2 = found['bboxes'][ranking].double().numpy().T
        numbers = np.stack((x1, y1, x2 - x1, y2 - y1), 1)
        assert words[:, :4].astype(float) == pytest.approx(numbers, abs=2e-3)
        scores = found['scores'][ranking].numpy()
        assert words[:, 4].astype(float) == pytest.approx(scores, abs=1e-8)
        assert words[:, 5].tolist() == [NAMES[k] for k in found['labels'][ranking]]
        count += len(words)
    assert said == f'wrote out.csv: 4 images, {count} boxes\n'
    assert count > 20


def test_cocos_file_is_worth_what_the_predictions_are(
    cells, bccd_root, submit, tmp_path
):
    arguments = [str(bccd_root), str(tmp_path / 'coco'), '--to', 'coco']
    assert convert_tool.main(arguments) == 0
    file = tmp_path / 'coco/annotations/test.json'
    # The converter may number classes in an order of its own.
    content = json.loads(file.read_text())
    content['categories'].reverse()
    file.write_text(json.dumps(content))
    arguments = ['--out', 'out.json', '--config', SAMPLE, '--coco', file]
    status, said = submit(cells.predictions, *arguments)
    assert status == 0, said
    truth = COCO(str(file))
    evaluation = COCOeval(truth, truth.loadRes('out.json'), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    found = np.where(evaluation.stats[:6] < 0, np.nan, evaluation.stats[:6])
    ours = ap_tables(read_results(cells.predictions, NAMES)).coco_ap(np.ones(4))[:6]
    assert found == pytest.approx(ours, abs=1e-6, nan_ok=True)
    stock = [cells.logged[f'coco/{name}'] for name in ('bbox_mAP', 'bbox_mAP_50')]
    assert found[:2] == pytest.approx(stock, abs=5.1e-4)
    assert found[1] > 0.01


def test_a_test_file_without_annotations(submit, tmp_path):
    """Ten classes, images in a sub-folder, columns the other way round."""
    names = [f'test/{number:04}.jpg' for number in range(3)]
    classes = [f'class {number}' for number in range(10)]
    write_json(tmp_path / 'test.json', coco_content(names, classes))
    dataset = {
        'type': 'CocoDataset',
        'data_root': str(tmp_path),
        'ann_file': 'test.json',
        'metainfo': {'classes': classes},
    }
    (tmp_path / 'config.py').write_text(f'test_dataloader=dict(dataset={dataset!r})')
    size = (1024, 1024)
    found = [
        [(9, 0.75, (1000.0, -4.5, 1030.0, 1024.0)), (0, 1e-6, (0, 0, 512, 0.25))],
        [],
        [(4, 1.0, (1, 2, 3, 4))],
    ]
    samples = [
        detector_sample(str(tmp_path / name), *boxes, size=size, img_id=key)
        for key, (name, boxes) in enumerate(zip(names, found, strict=True), 7)
    ]
    predictions = write_pickle(tmp_path / 'p.pkl', samples)
    rows = ''.join(f',{name}\n' for name in names)
    (tmp_path / 'sample.csv').write_text(f'PredictionString,image_id\n{rows}')
    arguments = ['--config', 'config.py', '--sample', 'sample.csv']
    status, said = submit(predictions, '--out', 'out.csv', *arguments)
    assert status == 0
    assert said == (
        'note: boxes that reached more than a pixel past their image, cut: 1\n'
        'note: images without a box: 1\n'
        'wrote out.csv: 3 images, 3 boxes\n'
    )
    assert (tmp_path / 'out.csv').read_text() == (
        'PredictionString,image_id\n'
        '9 0.75 1000 0 1024 1024 0 0.000001 0 0 512 0.25,test/0000.jpg\n'
        ',test/0001.jpg\n'
        '4 1 1 2 3 4,test/0002.jpg\n'
    )
    status, _ = submit(predictions, '--out', 'out.json', '--config', 'config.py')
    assert status == 0
    rows = json.loads((tmp_path / 'out.json').read_text())
    assert [(row['image_id'], row['category_id']) for row in rows] == [
        (7, 12),
        (7, 3),
        (9, 7),
    ]
    COCO('test.json').loadRes('out.json')


@pytest.fixture
def classes(tmp_path):
    """Predictions on three images by the six classes of metal surface."""
    chosen = [4, 0, 5]
    samples = [
        classifier_sample(f'/d/{number:04}.png', np.eye(6)[k] * 0.7 + 0.05)
        for number, k in enumerate(chosen, 12)
    ]
    return write_pickle(tmp_path / 'classes.pkl', samples)


METAL = next(leaf for leaf in LEAVES if leaf.parent.name == 'metal_surface')
GIVEN = ['--config', METAL, '--cfg-options', 'classes=a,b,c,d,e,f']


def test_classes_are_written_as_the_sample_asks(classes, submit, tmp_path):
    status, said = submit(classes, '--out', 'out.csv')
    assert (status, said) == (0, 'wrote out.csv: 3 images\n')
    assert (tmp_path / 'out.csv').read_text() == 'id,label\n0012,4\n0013,0\n0014,5\n'
    (tmp_path / 'sample.csv').write_text('target,Id\na,0014\na,0012\na,0013\n')
    arguments = ['--sample', 'sample.csv', '--labels', 'names', *GIVEN]
    status, said = submit(classes, '--out', 'out.csv', *arguments)
    assert status == 0, said
    assert table('out.csv') == [
        ['target', 'Id'],
        ['f', '0014'],
        ['e', '0012'],
        ['a', '0013'],
    ]


def test_probabilities_are_written_where_the_sample_asks(classes, submit, tmp_path):
    (tmp_path / 'sample.csv').write_text(
        'id,f,e,d,c,b,a\n'
        + ''.join(f'{k}.png,0,0,0,0,0,1\n' for k in ('0012', '0013', '0014'))
    )
    arguments = ['--sample', 'sample.csv', *GIVEN]
    status, said = submit(classes, '--out', 'out.csv', *arguments)
    assert status == 0, said
    header, *rows = table('out.csv')
    assert header == ['id', 'f', 'e', 'd', 'c', 'b', 'a']
    assert [row[0] for row in rows] == ['0012.png', '0013.png', '0014.png']
    numbers = np.array([row[1:] for row in rows], float)
    expected = np.eye(6)[[1, 5, 0]] * 0.7 + 0.05
    assert numbers == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        (
            '0012,0\n0013,0\n',
            "1 of 3 predicted images are not in it, for example '0014.png'",
        ),
        ('0012,0\n0013,0\n0014,0\n0015,0\n', "not predicted, for example '0015'"),
        (
            '12,0\n13,0\n14,0\n',
            "3 of 3 predicted images are not in it, for example '0012.png'",
        ),
        ('0012,0\n0012,0\n', "line 3: '0012' appears twice"),
        ('0012,cat\n0013,cat\n0014,cat\n', "label 'cat' where '0' would be written"),
    ],
    ids=['fewer', 'more', 'other', 'twice', 'names'],
)
def test_a_sample_that_does_not_fit(classes, submit, tmp_path, rows, message):
    (tmp_path / 'sample.csv').write_text(f'id,label\n{rows}')
    (tmp_path / 'out.csv').write_text('kept')
    arguments = ['--sample', 'sample.csv', '--out', 'out.csv']
    status, said = submit(classes, *arguments)
    assert status == 1
    assert said.startswith('error: sample.csv')
    assert message in said
    assert (tmp_path / 'out.csv').read_text() == 'kept'


def test_predictions_that_are_not_there(submit):
    assert submit('none.pkl', '--out', 'out.csv') == (
        1,
        'error: none.pkl: cannot be read (No such file or directory)\n',
    )
