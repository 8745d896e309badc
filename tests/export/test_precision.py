"""Exports of less than 32 bits: what they keep, what they lose, what they need."""

import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import onnx
import pytest

from custom_datasets import Predictor
from custom_datasets.errors import UserError
from custom_datasets.export.export import Request, export_model
from custom_datasets.export.labelled import Labelled
from custom_datasets.export.quantising import Node, allowed_drop, float_layers, quantise
from custom_datasets.predicting.outputs import BoxArrays
from tests.conftest import METAL_CLASSES
from tests.export.conftest import CONFIGS, save_network
from tools import export as export_tool

BCCD = CONFIGS / 'bccd/retinanet_r18_fpn_1xb4-24e_bccd.py'
METAL = CONFIGS / 'metal_surface/resnet18_light_1xb64-30e_metal-surface.py'
CRACKS = tuple(METAL_CLASSES)
CELLS = ('RBC', 'WBC', 'Platelets')
BOTH = ('openvino', 'onnx')
FILES = {'openvino': 'model.bin', 'onnx': 'model.onnx'}


def write(folder, leaf, checkpoint, options, **settings):
    request = Request(
        str(leaf), str(folder), checkpoint, BOTH, options=options, **settings
    )
    lines = export_model(request, lambda done, total: None)
    return folder, json.loads((folder / 'model.json').read_text()), lines


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    path = tmp_path_factory.mktemp('cells') / 'epoch_3.pth'
    return save_network(BCCD, path, (128, 96), CELLS)


@pytest.fixture(scope='module')
def metal(tmp_path_factory):
    path = tmp_path_factory.mktemp('metal') / 'epoch_3.pth'
    return save_network(METAL, path, classes=CRACKS)


@pytest.fixture(scope='module')
def detectors(detector, bccd_root, tmp_path_factory):
    """The same detector by its precision, with what its export says."""
    out = tmp_path_factory.mktemp('precisions')
    options = {'image_scale': (128, 96), 'data_root': str(bccd_root)}
    return {
        name: write(out / name, BCCD, detector, options, precision=name)
        for name in ('float32', 'float16', 'int8')
    }


@pytest.fixture(scope='module')
def picture():
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (12, 16, 3), np.uint8)
    return cv2.resize(small, (128, 96), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize('runtime', BOTH)
@pytest.mark.parametrize(
    ('precision', 'share', 'pixels'), [('float16', 0.51, 0.5), ('int8', 0.3, 4)]
)
def test_less_is_written_and_nearly_the_same_is_said(
    precision, share, pixels, runtime, detectors, picture
):
    folder, about, _ = detectors[precision]
    whole = (detectors['float32'][0] / FILES[runtime]).stat().st_size
    assert (folder / FILES[runtime]).stat().st_size < share * whole
    assert about['precision'] == precision
    exact, answer = (
        Predictor.from_export(detectors[name][0], runtime=runtime, threshold=0.05)(
            picture
        )
        for name in ('float32', precision)
    )
    assert len(exact) > 20
    near = [
        np.abs(exact.boxes - box).max(axis=1).min() < pixels for box in answer.boxes
    ]
    assert len(answer) > 0.7 * len(exact)
    assert np.mean(near) > 0.7


def test_the_table_has_a_row_for_each(detectors):
    _, about, lines = detectors['int8']
    rows = about['measured']['rows']
    assert [(row['model'], row['precision']) for row in rows] == [
        ('PyTorch', 'float32'),
        ('OpenVINO float32', 'float32'),
        ('ONNX Runtime float32', 'float32'),
        ('OpenVINO int8', 'int8'),
        ('ONNX Runtime int8', 'int8'),
    ]
    assert about['measured']['metric'] == 'COCO AP'
    for row in rows:
        assert row['megabytes'] > 1 and row['milliseconds'] > 0
        assert row['metric']['low'] <= row['metric']['value'] <= row['metric']['high']
    assert rows[1]['difference']['value'] == pytest.approx(0, abs=5e-4)
    assert about['versions']['nncf']
    text = '\n'.join(lines)
    assert '| OpenVINO int8' in text
    assert 'layers are int8; COCO AP on the validation set' in text
    assert '| ONNX Runtime int8' in (detectors['int8'][0] / 'README.md').read_text()


@pytest.mark.parametrize('runtime', BOTH)
def test_every_layer_with_weights_is_int8_and_the_rest_is_not(runtime, detectors):
    _, about, _ = detectors['int8']
    outcome = about['measured']['quantisation'][runtime]
    # ResNet-18 has 20 convolutions, the neck 8 or so; two towers run on each level.
    assert outcome['layers'] > 40 and outcome['left'] == []
    if runtime == 'onnx':
        graph = onnx.load(detectors['int8'][0] / 'model.onnx').graph
        makers = {name: node for node in graph.node for name in node.output}
        (nms,) = [node for node in graph.node if node.op_type == 'NonMaxSuppression']
        waiting, seen = list(nms.input), set()
        while waiting:
            node = makers.get(waiting.pop())
            if node is None or node.name in seen:
                continue
            seen.add(node.name)
            if node.op_type == 'Conv':
                continue
            assert node.op_type != 'QuantizeLinear', node.name
            waiting += node.input


def test_onnx_keeps_half_of_each_weight(detectors):
    model = onnx.load(detectors['float16'][0] / 'model.onnx')
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    halves = [name for name in kinds if name.endswith('_half')]
    assert len(halves) > 40
    assert {kinds[name] for name in halves} == {onnx.TensorProto.FLOAT16}


def test_a_classifier_of_any_number_is_quantised(metal, metal_crops, tmp_path, picture):
    options = {'data_root': str(metal_crops), 'classes': CRACKS}
    out, about, _ = write(
        tmp_path / 'out', METAL, metal, options, precision='int8', batch=None
    )
    assert about['measured']['metric'] == 'top-1'
    answers = Predictor.from_export(out)([picture, picture[::-1].copy()], batch_size=2)
    assert len(answers) == 2
    assert sum(answers[0].probabilities) == pytest.approx(1, abs=1e-3)


def test_layers_stay_in_float_where_too_much_is_lost(detector, bccd_root, tmp_path):
    options = {'image_scale': (64, 48), 'data_root': str(bccd_root)}
    request = Request(
        str(BCCD),
        str(tmp_path / 'out'),
        detector,
        ('openvino',),
        precision='int8',
        options=options,
        # Less than nothing may be lost, which no choice of layers reaches.
        max_drop=-1.0,
    )
    lines = export_model(request, lambda done, total: None)
    about = json.loads((tmp_path / 'out/model.json').read_text())
    left = about['measured']['quantisation']['openvino']['left']
    assert left
    # By the names that they have in PyTorch.
    assert {name.split('.')[0] for name in left} <= {'backbone', 'neck', 'bbox_head'}
    assert any(line.startswith('In float stayed: ') for line in lines)


def test_layers_that_share_weights_go_back_into_float(detectors, picture, tmp_path):
    """The truth is what float32 says, so int8 loses; in ONNX weights had two names."""
    source, out = detectors['float32'][0], tmp_path / 'model.onnx'
    path = str(tmp_path / 'picture.png')
    cv2.imwrite(path, picture)
    answer = Predictor.from_export(source, runtime='onnx', threshold=0.2)(path)
    instances = [
        {'bbox': box.tolist(), 'bbox_label': int(label)}
        for box, label in zip(answer.boxes, answer.labels, strict=True)
    ]
    outcome = quantise(
        {
            'source': str(source),
            'runtime': 'onnx',
            'out': str(out),
            'images': [path],
            'classes': list(CELLS),
            'truth': [{'img_path': path, 'img_id': 'a', 'instances': instances}],
            'max_drop': 0.02,
        }
    )
    assert outcome['float32'] - outcome['int8'] <= 0.02
    assert 0 < len(outcome['left']) <= outcome['layers']
    onnx.checker.check_model(str(out), full_check=True)


def test_int8_needs_the_validation_set(detector, bccd_root, tmp_path):
    """And says what is wrong with it."""
    root = tmp_path / 'data'
    shutil.copytree(bccd_root, root)
    out = tmp_path / 'out'
    lines = {'nowhere/': r'ImageSets/Main/val\.txt', str(root): 'line 1.*such'}
    (root / 'ImageSets/Main/val.txt').write_text('such\n')
    for place, reason in lines.items():
        request = Request(
            str(BCCD),
            str(out),
            detector,
            precision='int8',
            options={'data_root': place},
        )
        with pytest.raises(
            UserError, match=f'int8 is calibrated on the validation set, .*{reason}'
        ):
            export_model(request, lambda done, total: None)
    assert not out.exists()


def test_images_that_cannot_be_read_are_left_out_and_modules_here_are_not_imported(
    metal, metal_crops, tmp_path, monkeypatch
):
    root = tmp_path / 'crops'
    shutil.copytree(metal_crops, root)
    first = (root / 'val.txt').read_text().splitlines()[0].rsplit(' ', 1)[0]
    (root / first).write_bytes(b'no image')
    (tmp_path / 'statistics.py').write_text('raise SystemExit("imported")')
    monkeypatch.chdir(tmp_path)
    request = Request(
        str(METAL),
        'out',
        metal,
        ('onnx',),
        precision='int8',
        images=2,
        options={'data_root': str(root), 'classes': CRACKS},
    )
    export_model(request, lambda done, total: None)
    about = json.loads((tmp_path / 'out/model.json').read_text())
    assert about['measured']['quantisation']['onnx']['layers'] == 21


def test_who_quantises_ends_with_who_asked(tmp_path):
    """Its pipe ends with the other process, whatever ended that."""
    code = (
        'import sys, threading, time\n'
        'from custom_datasets.export import quantising\n'
        'quantising._work = lambda task: time.sleep(60)\n'
        'quantising.main()'
    )
    process = subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE)
    process.stdin.write(b'{}\n')
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(5)
    process.stdin.close()
    assert process.wait(20) == 1


def test_nncf_is_asked_for_by_int8_alone(monkeypatch, capsys, tmp_path):
    from importlib.util import find_spec

    monkeypatch.setattr(
        'custom_datasets.cli.find_spec',
        lambda name: None if name == 'nncf' else find_spec(name),
    )
    arguments = [str(BCCD), 'nowhere.pth', '--out', str(tmp_path / 'out')]
    assert export_tool.main([*arguments, '--int8']) == 1
    assert capsys.readouterr().err == (
        'error: nncf: not installed; run pip install -r requirements/export.txt\n'
    )
    assert export_tool.main(arguments) == 1
    assert 'nowhere.pth' in capsys.readouterr().err


def test_a_metric_that_differs_is_refused(detector, bccd_root, tmp_path, monkeypatch):
    """Boxes below the threshold count for it, which are not compared one by one."""
    scores = iter([0.5, 0.4990])
    monkeypatch.setattr(Labelled, 'score', lambda self, answers: next(scores))
    options = {'image_scale': (128, 96), 'data_root': str(bccd_root)}
    request = Request(str(BCCD), str(tmp_path / 'out'), detector, options=options)
    with pytest.raises(UserError, match=r'COCO AP 0\.4990 .*, PyTorch 0\.5000'):
        export_model(request, lambda done, total: None)
    assert list(tmp_path.iterdir()) == []


def node(name, kind, *inputs, weighted=False):
    return Node(name, kind, inputs, weighted)


def test_what_chooses_places_stays_in_float():
    """A second stage has weights, and takes features by places that NMS chose."""
    nodes = [
        node('conv', 'Convolution', 'image', weighted=True),
        node('relu', 'Relu', 'conv'),
        node('rpn', 'Convolution', 'relu', weighted=True),
        node('sigmoid', 'Sigmoid', 'rpn'),
        node('nms', 'NonMaxSuppression', 'sigmoid'),
        node('pool', 'ROIAlign', 'relu', 'nms'),
        node('order', 'TopK', 'nms'),
        node('gather', 'Gather', 'pool', 'order'),
        node('add', 'Add', 'gather', 'bias'),
        node('fc', 'MatMul', 'add', weighted=True),
        node('softmax', 'Softmax', 'fc'),
    ]
    assert float_layers(nodes) == ['sigmoid', 'nms', 'order', 'softmax']


def test_one_image_of_few_is_no_loss():
    assert allowed_drop(0.003, 'top-1', 1000) == 0.003
    assert allowed_drop(0.003, 'COCO AP', 50) == 0.003
    # 76 of 152 images were right, and then 75.
    assert 76 / 152 - 75 / 152 < allowed_drop(0.003, 'top-1', 152) < 2 / 152


def test_a_metric_is_that_of_the_truth():
    sample = {
        'img_path': 'a.png',
        'img_id': 'a',
        'instances': [{'bbox': [0.0, 0.0, 9.0, 9.0], 'bbox_label': 1}],
    }
    labelled = Labelled(('tea', 'coffee'), [sample])
    right = BoxArrays(np.array([[0.0, 0, 9, 9]]), np.ones(1), np.array([1]))
    wrong = BoxArrays(np.array([[5.0, 0, 14, 9]]), np.ones(1), np.array([1]))
    assert [labelled.score([answer]) for answer in (right, wrong)] == [1, 0]
    assert labelled.measure([right]).estimates()[0].value == 1
    assert labelled.metric == 'COCO AP'
