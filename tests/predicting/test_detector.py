"""From an image to tags: with a model that answers at once, and with a real one."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS

from custom_datasets.errors import UserError
from custom_datasets.predicting import detector as tagging
from custom_datasets.predicting.detector import Tagger, collect_tags, load_detector
from tests.configs.test_leaves import load
from tests.leaves import ROOT, SAMPLE
from tools import tag as tag_tool

LEAF = ROOT / 'configs/tagger/faster-rcnn_r18_c4_light_1xb4-24e_tagger.py'
CLASSES = ('tea', 'coffee', 'cocoa')
BOXES = np.array([[0, 0, 9, 9], [1, 1, 5, 5], [2, 2, 8, 8], [3, 3, 4, 4]], float)
SCORES = np.array([0.4, 0.9, 0.6, 0.2])
NAMES = ['dog', 'cat', 'dog', 'bird']


@pytest.fixture
def stub(monkeypatch):
    """A tagger that finds the same on each image, and the images it has seen."""
    seen = []

    def detect(model, image):
        seen.append(image)
        return BOXES, SCORES, np.array([1, 0, 1, 2])

    monkeypatch.setattr(tagging, 'detect', detect)
    return Tagger(SimpleNamespace(), ('cat', 'dog', 'bird'), 0.3), seen


def test_boxes_are_grouped_by_tag_and_the_best_comes_first():
    found = collect_tags(BOXES, SCORES, NAMES, 0.4)
    assert list(found) == ['cat', 'dog']
    assert (found['cat'].score, found['dog'].score) == (0.9, 0.6)
    assert found['dog'].boxes.tolist() == [[2, 2, 8, 8], [0, 0, 9, 9]]
    assert list(collect_tags(BOXES, SCORES, NAMES, 0.41)['dog'].boxes[:, 0]) == [2]


def test_nothing_gives_no_tags():
    assert collect_tags(np.zeros((0, 4)), np.zeros(0), [], 0.0) == {}
    assert collect_tags(BOXES, SCORES, NAMES, 0.91) == {}


def test_equal_scores_stay_in_order():
    found = collect_tags(BOXES, np.full(4, 0.5), NAMES, 0.5)
    assert list(found) == ['dog', 'cat', 'bird']
    assert found['dog'].boxes[:, 0].tolist() == [0, 2]


def test_a_list_and_a_dictionary(stub):
    tagger, seen = stub
    image = np.zeros((20, 30, 3), np.uint8)
    assert tagger.names(image) == ['cat', 'dog'] == list(tagger.tags(image))
    assert tagger.tags(image)['dog'].boxes.shape == (2, 4)
    assert all(one is image for one in seen)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A checkpoint of the light leaf that calls everything coffee.

    Logits are 5 for coffee and 0 for the others and for background.
    """
    torch.manual_seed(0)
    model = MODELS.build(load(LEAF, from_scratch=True, classes=CLASSES).model)
    model.init_weights()
    head = model.roi_head.bbox_head
    with torch.no_grad():
        head.fc_cls.weight.zero_()
        head.fc_cls.bias.copy_(torch.tensor([0.0, 5.0, 0.0, 0.0]))
    path = tmp_path_factory.mktemp('tagger') / 'epoch_1.pth'
    meta = {'dataset_meta': {'classes': CLASSES}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)
    return str(path)


@pytest.fixture
def photo(tmp_path):
    path = str(tmp_path / 'photo.png')
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    cv2.imwrite(path, noise)
    return path


COFFEE = float(np.exp(5) / (np.exp(5) + 3))


def test_a_checkpoint_brings_its_own_classes(trained, photo):
    model, classes = load_detector(str(LEAF), trained)
    assert classes == CLASSES
    tagger = Tagger(model, classes)
    found = tagger.tags(photo)
    assert list(found) == ['coffee'] == tagger.names(photo)
    assert found['coffee'].score == pytest.approx(COFFEE, abs=1e-5)
    boxes = found['coffee'].boxes
    assert len(boxes)
    assert (boxes > -0.001).all()
    # In pixels of the image, not of what the network saw.
    assert (boxes < [90.001, 60.001, 90.001, 60.001]).all()
    assert boxes[:, 2].max() > 80 and boxes[:, 3].max() > 50
    from_pixels = tagger.tags(cv2.imread(photo))['coffee'].boxes
    np.testing.assert_allclose(from_pixels, boxes)
    np.testing.assert_allclose(tagger.tags(photo)['coffee'].boxes, boxes)


def test_weights_of_several_gpus_are_those_of_one(trained, photo, tmp_path):
    checkpoint = torch.load(trained, weights_only=False)
    weights = checkpoint['state_dict'].items()
    checkpoint['state_dict'] = {f'module.{name}': w for name, w in weights}
    torch.save(checkpoint, tmp_path / 'several.pth')
    tagger = Tagger(*load_detector(str(LEAF), str(tmp_path / 'several.pth')))
    assert tagger.tags(Path(photo))['coffee'].score == pytest.approx(COFFEE, abs=1e-5)


@pytest.mark.parametrize('shape', [(20, 30), (20, 30, 4), (0, 30, 3)])
def test_pixels_of_another_shape(trained, shape):
    tagger = Tagger(*load_detector(str(LEAF), trained))
    with pytest.raises(UserError, match=re.escape(f'{shape}: needs (height, width')):
        tagger.names(np.zeros(shape, np.uint8))


def test_a_damaged_image_takes_the_tags_of_no_other(trained, photo, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / 'whole.jpg'), cv2.imread(photo))
    cut = tmp_path / 'cut.jpg'
    cut.write_bytes((tmp_path / 'whole.jpg').read_bytes()[:2000])
    assert tag_tool.main([str(LEAF), trained, str(cut), photo]) == 1
    out, err = capsys.readouterr()
    assert list(json.loads(out)) == [photo]
    assert err.splitlines()[-1].startswith(f'error: {cut}: is cut off')


def test_a_threshold_is_a_share(trained, photo):
    for text in ('50', 'nan', '-0.1'):
        with pytest.raises(SystemExit):
            tag_tool.main([str(LEAF), trained, photo, '--threshold', text])


def test_a_missing_image_gets_a_sentence(trained, tmp_path):
    tagger = Tagger(*load_detector(str(LEAF), trained))
    with pytest.raises(UserError, match=r'photo\.png'):
        tagger.names(str(tmp_path / 'photo.png'))


def test_the_command_prints_json(trained, photo, capsys):
    assert tag_tool.main([str(LEAF), trained, photo]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [photo] and list(found[photo]) == ['coffee']
    assert found[photo]['coffee']['score'] == round(COFFEE, 4)
    assert all(len(box) == 4 for box in found[photo]['coffee']['boxes'])
    assert tag_tool.main([str(LEAF), trained, photo, '--threshold', '0.99']) == 0
    assert json.loads(capsys.readouterr().out) == {photo: {}}


def test_the_command_prints_nothing_but_json(trained, photo):
    command = [sys.executable, str(ROOT / 'tools/tag.py'), str(LEAF), trained, photo]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert list(json.loads(done.stdout)[photo]) == ['coffee']


@pytest.mark.parametrize(
    ('leaf', 'checkpoint', 'message'),
    [
        (LEAF, 'no.pth', 'no.pth: no such checkpoint'),
        (LEAF, __file__, 'not a complete checkpoint that names its classes'),
        (SAMPLE, None, 'is of another model'),
        ('no.py', None, 'no.py: no such config'),
        (
            ROOT / 'configs/metal_surface/resnet18_light_1xb64-30e_metal-surface.py',
            None,
            'is a classifier, but a detector is needed',
        ),
    ],
)
def test_a_wrong_file_gets_a_sentence(
    trained, photo, capsys, leaf, checkpoint, message
):
    assert tag_tool.main([str(leaf), checkpoint or trained, photo]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert re.fullmatch(f'error: .*{re.escape(message)}.*', err.splitlines()[-1])
