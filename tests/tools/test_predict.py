"""The command that uses a trained model: both tasks, every output, from end to end."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from custom_datasets.cli import INTERRUPTED
from custom_datasets.config import read_config
from tests.leaves import ROOT
from tests.predicting.conftest import (  # noqa: F401 - a fixture
    CLASSES,
    WASTE,
    classifier,
)
from tools import predict as tool
from tools import tag as tag_tool
from tools.dataset_converters import convert as convert_tool


@pytest.fixture
def detecting(cells, tmp_path):
    """A copy of the shared run, which has a report."""
    folder = tmp_path / 'cells'
    shutil.copytree(cells.folder, folder)
    return folder


@pytest.fixture
def classifying(classifier, tmp_path):  # noqa: F811
    """A run's folder with the classifier whose scores are known."""
    folder = tmp_path / 'waste'
    folder.mkdir()
    cfg = read_config(str(WASTE))
    cfg.classes = list(CLASSES)
    cfg.dump(folder / 'leaf.py')
    shutil.copy(classifier, folder / 'best_accuracy_epoch_3.pth')
    return folder


@pytest.fixture
def images(bccd_root, tmp_path):
    """Three drawn cells, and half of one."""
    folder = tmp_path / 'images'
    folder.mkdir()
    paths = sorted((bccd_root / 'JPEGImages').iterdir())[:4]
    for path in paths[:3]:
        shutil.copy(path, folder)
    data = paths[3].read_bytes()
    (folder / paths[3].name).write_bytes(data[: len(data) // 2])
    return folder


def rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding='utf-8-sig'))))


def test_a_detector_writes_everything(detecting, images, tmp_path, capsys):
    out = tmp_path / 'out'
    outputs = ['--csv', '--coco', '--crops', '--save-labels', 'voc', '--device', 'cpu']
    status = tool.main([str(detecting), str(images), '--out', str(out), *outputs])
    printed, said = capsys.readouterr()
    assert status == 1  # One image is damaged, and the others are done.
    assert 'chosen on the validation set' in said
    assert said.count('error: ') == 1 and str(images) in said
    assert str(out / 'painted') in printed
    assert len(list((out / 'painted').iterdir())) == 3
    lines = (out / 'predictions.jsonl').read_text().splitlines()
    boxes = [box for line in lines for box in json.loads(line)['boxes']]
    assert len(lines) == 3 and boxes
    named = [row for row in rows(out / 'predictions.csv') if row['name']]
    assert [row['name'] for row in named] == [box['name'] for box in boxes]
    assert len(list((out / 'crops').rglob('*.jpg'))) == len(boxes)
    truth = COCO(str(out / 'coco_images.json'))
    found = truth.loadRes(str(out / 'coco_results.json'))
    assert len(found.anns) == len(boxes) and len(truth.imgs) == 3
    labels = str(out / 'labels_voc')
    assert convert_tool.main([labels, str(tmp_path / 'yolo'), '--to', 'yolo']) == 0


def test_a_classifier_writes_everything_it_can(classifying, images, tmp_path, capsys):
    out = tmp_path / 'out'
    model = [str(classifying / 'leaf.py'), str(next(classifying.glob('*.pth')))]
    status = tool.main(
        [*model, str(images), '--out', str(out), '--csv', '--crops', '--threshold', '0']
    )
    assert status == 1
    assert [row['name'] for row in rows(out / 'predictions.csv')] == ['coffee'] * 3
    assert len(list((out / 'crops/coffee').iterdir())) == 3
    assert len(list((out / 'painted').iterdir())) == 3
    capsys.readouterr()
    for option in (['--coco'], ['--save-labels', 'yolo']):
        assert tool.main([str(classifying), str(images), *option]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 2


def test_tags_are_all_that_is_printed(detecting, classifying, images):
    """By a process of its own: packages greet on stdout."""
    image = str(sorted(images.iterdir())[0])
    start = [sys.executable, str(ROOT / 'tools/predict.py')]
    for folder, names in ((detecting, None), (classifying, ['coffee'])):
        command = [*start, str(folder), image, '--tags', 'list']
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        tags = json.loads(done.stdout)
        assert list(tags) == [image] and (names is None or tags[image] == names)
        assert not (folder / 'predictions').exists()


def test_tag_is_a_name_for_it(classifying, images, capsys):
    image = str(sorted(images.iterdir())[0])
    assert tag_tool.main([str(classifying), image]) == 0
    score = json.loads(capsys.readouterr().out)[image]['coffee']['score']
    assert 0.6 < score < 0.7


def test_ctrl_c_and_the_same_command_again(detecting, tmp_path):
    folder = tmp_path / 'many'
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for number in range(300):
        cv2.imwrite(str(folder / f'{number}.png'), noise)
    command = [sys.executable, str(ROOT / 'tools/predict.py'), str(detecting)]
    command += [str(folder), '--csv']
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stderr:
            if line.startswith('predicting: '):
                process.send_signal(signal.SIGINT)
                break
        printed, _ = process.communicate(timeout=100)
    assert process.returncode == INTERRUPTED
    assert printed.splitlines()[-1] == 'Interrupted; the same command goes on'
    (out,) = (detecting / 'predictions').iterdir()
    before = len(rows(out / 'predictions.csv'))
    assert 0 < len((out / 'predictions.jsonl').read_text().splitlines()) < 300
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [out] == list((detecting / 'predictions').iterdir())
    assert len((out / 'predictions.jsonl').read_text().splitlines()) == 300
    assert len(rows(out / 'predictions.csv')) > before


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['RUN', 'no.png'], 'no.png: no such file or folder'),
        (['RUN', 'IMAGE', '--device', 'cuda:77'], "device 'cuda:77': this machine has"),
        (['RUN', 'IMAGE', '--threshold', 'per-class'], ''),
        (['EMPTY', 'IMAGE'], ': has no config; name the work directory of a run'),
    ],
)
def test_one_sentence_for_what_is_wrong(
    detecting, images, tmp_path, capsys, arguments, message
):
    (tmp_path / 'empty').mkdir()
    (image, *_) = sorted(images.iterdir())
    places = {'RUN': detecting, 'IMAGE': image, 'EMPTY': tmp_path / 'empty'}
    words = [str(places.get(word, word)) for word in arguments]
    status = tool.main(words)
    said = capsys.readouterr().err.splitlines()
    if message:
        assert status == 1 and said[-1].startswith('error: ') and message in said[-1]
    else:
        assert status == 0 and 'thresholds ' in said[0]
    assert Path(image).exists()


@pytest.mark.parametrize('sources', [['IMAGES'], ['IMAGES', 'IMAGES'], ['a.jpg']])
def test_a_config_without_a_checkpoint_says_so(sources, tmp_path, capsys):
    words = [str(tmp_path) if word == 'IMAGES' else word for word in sources]
    with pytest.raises(SystemExit):
        tool.main([str(WASTE), *words])
    said = capsys.readouterr().err
    assert 'is a config: name a checkpoint (.pth) behind it' in said
