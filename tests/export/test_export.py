"""The folder: what is in it, who reads it, and what is refused."""

import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from custom_datasets import Predictor
from custom_datasets.errors import UserError
from custom_datasets.export.export import Request, export_model
from custom_datasets.export.parity import Difference
from custom_datasets.predicting.exported import ExportedNetwork, is_export
from custom_datasets.predicting.outputs import BoxArrays
from custom_datasets.predicting.run_folder import Decision
from tests.export.conftest import CLASSES, RETINANET, WASTE, save_network
from tests.leaves import ROOT
from tools import export as export_tool
from tools import predict as predict_tool

SMALL = {'image_scale': (128, 96)}


@pytest.fixture(scope='module')
def eager(detector):
    return Predictor(RETINANET, detector, options=SMALL)


def write(request):
    return export_model(request, lambda done, total: None)


@pytest.mark.parametrize('runtime', ['openvino', 'onnx'])
def test_a_predictor_answers_as_in_pytorch(runtime, exported, eager):
    predictor = Predictor.from_export(exported, runtime=runtime)
    assert predictor.network.runtime == runtime
    assert (predictor.task, predictor.classes) == ('detection', CLASSES)
    pixels = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
    pixels = cv2.resize(pixels, (256, 192))
    expected, answer = eager(pixels), predictor(pixels)
    assert len(expected) > 5
    assert answer.size == expected.size == (256, 192)
    assert answer.names == expected.names
    np.testing.assert_allclose(answer.boxes, expected.boxes, atol=0.01)
    np.testing.assert_allclose(answer.scores, expected.scores, atol=1e-4)


def test_boxes_end_with_the_image_inside_of_the_letterbox(exported):
    """A narrow image fills a part of the input only, and boxes are of that part."""
    predictor = Predictor.from_export(exported, threshold=0.01)
    pixels = np.random.default_rng(1).integers(0, 256, (16, 6, 3), np.uint8)
    answer = predictor(cv2.resize(pixels, (60, 160)))
    assert len(answer) > 5
    assert (answer.boxes >= 0).all()
    assert (answer.boxes <= [60.001, 160.001, 60.001, 160.001]).all()
    assert answer.boxes[:, 2].max() > 50 and answer.boxes[:, 3].max() > 140
    assert (answer.boxes[:, 2:] > answer.boxes[:, :2]).all()


@pytest.mark.parametrize('runtime', ['openvino', 'onnx'])
def test_nothing_is_an_answer_too(runtime, tmp_path, detector):
    """Where no box reaches the score of test_cfg, NMS has nothing to do."""
    options = {**SMALL, 'model.test_cfg.score_thr': 0.99999}
    out = str(tmp_path / 'out')
    request = Request(
        str(RETINANET), out, detector, (runtime,), images=2, options=options
    )
    write(request)
    assert len(Predictor.from_export(out)(np.zeros((96, 128, 3), np.uint8))) == 0


@pytest.mark.parametrize('runtime', ['openvino', 'onnx'])
def test_a_fixed_batch_is_filled_up(runtime, tmp_path, detector, exported):
    out = str(tmp_path / 'out')
    write(
        Request(
            str(RETINANET),
            out,
            detector,
            (runtime,),
            batch=2,
            images=1,
            options=SMALL,
        )
    )
    rng = np.random.default_rng(1)
    images = [
        cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (128, 96))
        for _ in range(3)
    ]
    alone = Predictor.from_export(exported, runtime=runtime)(images)
    together = Predictor.from_export(out)(images, batch_size=3)
    for one, other in zip(alone, together, strict=True):
        assert len(one) > 5
        assert one.names == other.names
        np.testing.assert_allclose(one.boxes, other.boxes, atol=0.01)


@pytest.mark.parametrize('runtime', ['openvino', 'onnx'])
def test_a_classifier_takes_any_number(runtime, exported_classifier, classifier):
    rng = np.random.default_rng(1)
    images = [
        cv2.resize(rng.integers(0, 256, (8, 8, 3), np.uint8), (50 + 30 * k, 80))
        for k in range(5)
    ]
    expected = Predictor(WASTE, classifier)(images)
    answers = Predictor.from_export(exported_classifier, runtime=runtime)(
        images, batch_size=5
    )
    for one, other in zip(expected, answers, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)
    assert len({answer.name for answer in expected}) > 1


def middle_of(short, side=64, **edge):
    return [
        {'type': 'LoadImageFromFile'},
        {'type': 'ResizeEdge', 'scale': short, 'edge': 'short', **edge},
        {'type': 'CenterCrop', 'crop_size': side},
        {'type': 'PackInputs'},
    ]


def test_the_middle_of_an_image(classifier, tmp_path):
    """As new_dataset.py's classifiers see it, in every shape."""
    pipeline = {'test_dataloader.dataset.pipeline': middle_of(73)}
    out = tmp_path / 'out'
    write(
        Request(
            str(WASTE), str(out), classifier, ('openvino', 'onnx'), options=pipeline
        )
    )
    rng = np.random.default_rng(1)
    paths = []
    for number, size in enumerate([(80, 80), (201, 80), (91, 133), (64, 300), (9, 7)]):
        paths.append(str(tmp_path / f'{number}.png'))
        noise = rng.integers(0, 256, (6, 6, 3), np.uint8)
        cv2.imwrite(paths[-1], cv2.resize(noise, size))
    expected = Predictor(WASTE, classifier, options=pipeline)(paths)
    assert len({answer.name for answer in expected}) > 1
    about = json.loads((out / 'model.json').read_text())
    assert about['input']['short_edge'] == 73
    assert about['parity']['same_input_as_test_pipeline'] == about['parity']['images']
    for runtime in ('openvino', 'onnx'):
        answers = Predictor.from_export(out, runtime=runtime)(paths)
        rows = run_alone(out, runtime, *paths)
        for one, other, row in zip(expected, answers, rows, strict=True):
            np.testing.assert_allclose(
                one.probabilities, other.probabilities, atol=1e-4
            )
            assert row['answer'] == pytest.approx(one.to_dict(), abs=2e-4)


def test_another_size_of_the_middle(classifier, tmp_path):
    pipeline = {'test_dataloader.dataset.pipeline': middle_of(80)}
    out = tmp_path / 'out'
    request = Request(
        str(WASTE), str(out), classifier, size=(96, 64), options=pipeline, images=1
    )
    write(request)
    spec = json.loads((out / 'model.json').read_text())['input']
    assert (spec['width'], spec['height'], spec['short_edge']) == (96, 64, 120)


@pytest.mark.parametrize(
    ('pipeline', 'message'),
    [
        (middle_of(60), 'resizes the short edge to 60, from which 64 x 64 cannot'),
        (middle_of(73)[:2], r'has no Resize \(nor ResizeEdge and CenterCrop\)'),
        (middle_of(73, interpolation='area'), "the short edge, with OpenCV and 'bil"),
        ([*middle_of(73)[:3], *middle_of(73)[2:]], 'its test pipeline has CenterCrop'),
        (middle_of(73)[::2], r'its test pipeline has CenterCrop; .* write'),
    ],
)
def test_ways_to_the_middle_that_are_refused(pipeline, message, classifier, tmp_path):
    options = {'test_dataloader.dataset.pipeline': pipeline}
    request = Request(str(WASTE), str(tmp_path / 'out'), classifier, options=options)
    with pytest.raises(UserError, match=message):
        write(request)
    assert list(tmp_path.iterdir()) == []


def run_alone(folder, runtime, *images):
    """Run predict.py where torch, mmengine and this package cannot be imported."""
    block = folder / 'sitecustomize.py'
    other = {'openvino': 'onnxruntime', 'onnx': 'openvino'}[runtime]
    names = ('torch', 'mmengine', 'mmdet', 'custom_datasets', other)
    lines = [f'sys.modules[{name!r}] = None' for name in names]
    block.write_text('\n'.join(['import sys', *lines]))
    code = f'import sitecustomize, runpy; runpy.run_path({str(folder / "predict.py")!r}'
    done = subprocess.run(
        [sys.executable, '-c', f"{code}, run_name='__main__')", *images],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize('runtime', ['openvino', 'onnx'])
def test_predict_py_runs_alone(runtime, exported, tmp_path, photo):
    folder = tmp_path / 'moved'
    shutil.copytree(exported, folder)
    about = json.loads((folder / 'model.json').read_text())
    about['files'] = {runtime: about['files'][runtime]}
    (folder / 'model.json').write_text(json.dumps(about))
    first, missing = run_alone(folder, runtime, photo, 'nowhere.png')
    expected = Predictor.from_export(exported, runtime=runtime)(photo)
    assert len(expected) > 0
    assert missing == {'image': 'nowhere.png', 'error': 'no such file, or no image'}
    assert [box['name'] for box in first['answer']] == list(expected.names)
    for box, row in zip(first['answer'], expected.to_dict(), strict=True):
        assert box['score'] == pytest.approx(row['score'], abs=1e-4)
        assert box['box'] == pytest.approx(row['box'], abs=0.06)


def test_predict_py_is_calibrated_as_the_predictor_is(
    exported_classifier, tmp_path, photo
):
    folder = tmp_path / 'moved'
    shutil.copytree(exported_classifier, folder)
    about = json.loads((folder / 'model.json').read_text())
    about['decision']['temperature'] = 2.5
    (folder / 'model.json').write_text(json.dumps(about))
    ((_, answer),) = [tuple(row.values()) for row in run_alone(folder, 'onnx', photo)]
    expected = Predictor.from_export(folder)(photo).to_dict()
    assert list(answer) == list(expected)
    assert answer == pytest.approx(expected, abs=1e-4)
    plain = Predictor.from_export(folder, calibrate=False)(photo).to_dict()
    assert answer != pytest.approx(plain, abs=1e-2)


@pytest.mark.parametrize('name', ['predict_boxes', 'predict_class'])
def test_predict_py_is_short(name):
    path = ROOT / f'custom_datasets/export/templates/{name}.py'
    assert len(path.read_text().splitlines()) < 80


@pytest.mark.parametrize(
    ('name', 'damage'), [('model.bin', b'other'), ('model.onnx', None)]
)
def test_predict_py_looks_at_its_files(name, damage, exported, tmp_path, photo):
    folder = tmp_path / 'moved'
    shutil.copytree(exported, folder)
    (folder / name).unlink()
    if damage:
        (folder / name).write_bytes(damage)
    if name == 'model.onnx':
        about = json.loads((folder / 'model.json').read_text())
        about['files'].pop('openvino')
        (folder / 'model.json').write_text(json.dumps(about))
    done = subprocess.run(
        [sys.executable, folder / 'predict.py', photo], capture_output=True, text=True
    )
    assert done.returncode == 1
    path = folder / name
    assert done.stderr == f'error: {path}: missing or damaged; copy it again\n'


def test_a_predictor_of_an_export_needs_no_torch(exported, photo):
    """Nor are its packages imported by who does not ask for them."""
    code = (
        'import sys; sys.modules.update(torch=None, mmengine=None, mmdet=None); '
        'from custom_datasets import Predictor; import custom_datasets.export; '
        "heavy = {'openvino', 'onnx', 'onnxruntime', 'nncf'}; "
        'early = heavy & set(sys.modules); '
        f'answer = Predictor.open({str(exported)!r})({photo!r}); '
        'print(len(answer) > 0, early, sorted(heavy & set(sys.modules)))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.strip() == "True set() ['openvino']", done.stderr


def test_the_tools_import_no_exporter():
    """Nor does predicting with a checkpoint."""
    code = (
        'import sys, tools.export, tools.predict, custom_datasets.predicting.model; '
        "print({'openvino', 'onnx', 'onnxruntime', 'nncf'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.strip().splitlines()[-1] == 'set()', done.stderr


def test_openvino_reports_to_nobody(exported):
    code = (
        'from custom_datasets.predicting.exported import import_openvino; '
        'import_openvino(); from openvino.tools.ovc import telemetry_utils as used; '
        'print(used.tm.__name__)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.strip() == 'openvino.tools.ovc.telemetry_stub', done.stderr


def test_a_signal_is_heard_after_models_came_and_went(exported):
    """As Ctrl-C by a server that was given a newer export."""
    code = (
        'import signal\n'
        'from custom_datasets.predicting.exported import ExportedNetwork\n'
        'signal.signal(signal.SIGTERM, lambda *_: print("heard"))\n'
        f'older, newer = (ExportedNetwork({str(exported)!r}) for _ in range(2))\n'
        'del older\n'
        'del newer\n'
        'signal.raise_signal(signal.SIGTERM)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.stdout, done.returncode) == ('heard\n', 0), done.stderr


def test_tools_predict_takes_an_export(exported, photo, tmp_path, capsys):
    out = tmp_path / 'out'
    status = predict_tool.main([str(exported), photo, '--out', str(out), '--csv'])
    assert status == 0
    assert '(exported)' in capsys.readouterr().err
    assert (out / 'predictions.jsonl').is_file()


def test_an_export_takes_no_settings(exported):
    for settings, fault in (
        ({'device': 'cuda'}, 'runs on the CPU only'),
        ({'options': {'a': 1}}, 'has no settings left'),
        ({'checkpoint': 'c.pth'}, 'takes no checkpoint'),
    ):
        with pytest.raises(UserError, match=fault):
            Predictor.open(exported, **settings)


def test_thresholds_are_those_of_the_report(detector, tmp_path):
    """And may be chosen anew."""
    run = tmp_path / 'run'
    run.mkdir()
    shutil.copy(detector, run / 'epoch_3.pth')
    report = {
        'run': {'checkpoint': 'epoch_3.pth', 'epoch': 3, 'iteration': 30, 'date': None},
        'classes': CLASSES,
        'thresholds': {
            'chosen_on': 'validation',
            'overall': {'threshold': 0.41},
            'per_class': [{'threshold': t} for t in (0.2, 0.5, None)],
        },
    }
    (run / 'report.json').write_text(json.dumps(report))
    out = tmp_path / 'out'
    write(
        Request(
            str(RETINANET),
            str(out),
            str(run / 'epoch_3.pth'),
            images=1,
            options=SMALL,
        )
    )
    assert Predictor.from_export(out).decision.threshold == 0.41
    per_class = Predictor.from_export(out, threshold='per-class').decision
    assert per_class.threshold == (0.2, 0.5, 2.0)
    assert Predictor.from_export(out, threshold=0.9).decision.threshold == 0.9
    assert str(tmp_path) not in (out / 'model.json').read_text()


def test_another_size_is_that_of_the_input(detector, tmp_path):
    out = tmp_path / 'out'
    request = Request(
        str(RETINANET), str(out), detector, size=(150, 60), images=1, options=SMALL
    )
    write(request)
    spec = json.loads((out / 'model.json').read_text())['input']
    assert (spec['width'], spec['height']) == (150, 60)
    assert (spec['padded_width'], spec['padded_height']) == (160, 64)
    assert len(Predictor.from_export(out, threshold=0.0)(np.zeros((9, 9, 3), 'u1'))) > 0


def test_a_model_that_differs_is_not_written(detector, tmp_path, monkeypatch):
    answers = ExportedNetwork.answers

    def moved(network, batch):
        return [row._replace(boxes=row.boxes + 0.02) for row in answers(network, batch)]

    monkeypatch.setattr(ExportedNetwork, 'answers', moved)
    out = tmp_path / 'out'
    request = Request(str(RETINANET), str(out), detector, images=1, options=SMALL)
    said = (
        r'openvino differs from PyTorch on 1 .*: 0\.0[23]\d* pixels and \S+ of score '
        r'at most; allowed .*nothing is written; .* train it longer, or try --to onnx$'
    )
    with pytest.raises(UserError, match=said):
        write(request)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_box_is_named_and_so_is_what_agrees(detector, tmp_path, monkeypatch):
    answers = ExportedNetwork.answers

    def fewer(network, batch):
        rows = answers(network, batch)
        if network.runtime == 'openvino':
            return rows
        return [BoxArrays(*(part[1:] for part in row)) for row in rows]

    monkeypatch.setattr(ExportedNetwork, 'answers', fewer)
    request = Request(
        str(RETINANET),
        str(tmp_path / 'out'),
        detector,
        ('openvino', 'onnx'),
        images=2,
        options=SMALL,
    )
    said = (
        r'onnx differs from PyTorch on 2 .* and 2 boxes that only one of them has '
        r'\((drawn image 1|\S+\.png): (tea|coffee|cocoa) with score 0\.\d{4}, only in '
        r'PyTorch\); '
        r'.*, or take --to openvino, which agrees$'
    )
    with pytest.raises(UserError, match=said):
        write(request)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_fails_is_one_sentence(detector, tmp_path, monkeypatch):
    def fail(network, batch):
        raise RuntimeError('Exception from node.cpp:\nReshape does not fit')

    monkeypatch.setattr(ExportedNetwork, 'answers', fail)
    request = Request(
        str(RETINANET), str(tmp_path / 'out'), detector, images=1, options=SMALL
    )
    with pytest.raises(UserError, match=r'openvino fails on image 1 .*does not fit'):
        write(request)
    assert list(tmp_path.iterdir()) == []


BOX = BoxArrays(np.array([[0.0, 0, 9, 9]]), np.array([0.6]), np.array([0]))
NONE = BoxArrays(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))


@pytest.mark.parametrize(
    ('other', 'is_small'),
    [
        (BOX, True),
        (BOX._replace(boxes=BOX.boxes + 0.005, scores=BOX.scores + 5e-5), True),
        (BOX._replace(boxes=BOX.boxes + 0.011), False),
        (BOX._replace(scores=BOX.scores + 2e-4), False),
        (BOX._replace(labels=BOX.labels + 1), False),
        (NONE, False),
    ],
)
@pytest.mark.parametrize('swapped', [False, True])
def test_what_counts_as_a_difference(other, is_small, swapped):
    difference = Difference()
    pair = (other, BOX) if swapped else (BOX, other)
    difference.add(*pair, Decision(0.5, 'as given'), 'a.jpg')
    assert difference.is_small is is_small


@pytest.mark.parametrize(('by', 'unpaired'), [(0.02, 0), (0.9, 0), (1.1, 2)])
def test_a_box_that_moved_is_the_same_box_still(by, unpaired):
    difference = Difference()
    other = BOX._replace(boxes=BOX.boxes + by)
    difference.add(BOX, other, Decision(0.5, 'as given'), 'a.jpg')
    assert not difference.is_small
    assert difference.unpaired == unpaired
    assert difference.box == pytest.approx(0 if unpaired else by)


def test_the_first_box_that_only_one_has_is_kept():
    difference = Difference()
    for image in ('a.jpg', 'b.jpg'):
        difference.add(NONE, BOX, Decision(0.5, 'as given'), image)
    assert difference.unpaired == 2
    assert difference.first == ('a.jpg', 0, 0.6, False)
    assert 'first' not in difference.to_dict()


def test_boxes_below_the_threshold_may_differ():
    difference = Difference()
    difference.add(BOX, NONE, Decision(0.7, 'as given'), 'a.jpg')
    # One is just above the threshold, and the other by a rounding just below.
    difference.add(BOX, NONE, Decision(0.59995, 'as given'), 'a.jpg')
    # No more fit into the answer.
    difference.add(BOX, NONE, Decision(0.5, 'as given'), 'a.jpg', most=1)
    assert difference.is_small and not difference.answers


def test_an_incomplete_or_changed_folder_is_one_sentence(exported, tmp_path):
    folder = tmp_path / 'copy'
    shutil.copytree(exported, folder)
    with open(folder / 'model.bin', 'r+b') as file:
        file.write(b'\0\0\0\0')
    with pytest.raises(UserError, match=r'model\.bin: is not the file that was'):
        Predictor.from_export(folder)
    (folder / 'model.bin').unlink()
    with pytest.raises(UserError, match=r'model\.bin: cannot be read'):
        Predictor.from_export(folder)
    (folder / 'model.json').write_text('{"format": 1, "task": "detection"}')
    with pytest.raises(UserError, match=r"damaged.*has no 'architecture'"):
        Predictor.from_export(folder)
    (folder / 'model.json').write_text('{"format": 9}')
    with pytest.raises(UserError, match='has format 9'):
        Predictor.from_export(folder)
    (folder / 'model.json').write_text('[')
    with pytest.raises(UserError, match='incomplete or damaged'):
        Predictor.from_export(folder)
    (folder / 'model.json').unlink()
    assert not is_export(str(folder))
    with pytest.raises(UserError, match=r'tools/export\.py wrote'):
        Predictor.from_export(folder)


def test_what_runs_it_must_be_installed(exported, monkeypatch):
    monkeypatch.setattr(
        'custom_datasets.predicting.exported.find_spec', lambda name: None
    )
    with pytest.raises(UserError, match='pip install openvino or onnxruntime'):
        Predictor.from_export(exported)
    with pytest.raises(UserError, match='no model for tflite, only for openvino, onnx'):
        Predictor.from_export(exported, runtime='tflite')


def test_a_missing_extra_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('custom_datasets.cli.find_spec', lambda name: None)
    status = export_tool.main(['run', '--out', str(tmp_path / 'o'), '--to', 'both'])
    assert status == 1
    assert capsys.readouterr().err == (
        'error: openvino, onnx, onnxruntime: not installed; run pip install -r '
        'requirements/export.txt\n'
    )


def test_the_command_says_what_was_compared(detector, tmp_path, capsys):
    out = str(tmp_path / 'out')
    arguments = [str(RETINANET), detector, '--out', out, '--images', '1']
    # Where the demo was run, there is a test set at the config's own place.
    arguments += ['--cfg-options', 'image_scale=(128,96)', 'data_root=nowhere/']
    assert export_tool.main(arguments) == 0
    text = capsys.readouterr().out
    assert 'OpenVINO float32 differs from PyTorch by ' in text
    assert '| OpenVINO float32 |' in text
    assert 'Compared on 1 image: drawn, since there is no test' in text
    assert export_tool.main(arguments) == 1
    assert 'exists' in capsys.readouterr().err
    assert export_tool.main([*arguments[:6], '--overwrite', *arguments[6:]]) == 0


def test_images_are_those_of_the_test_set(detector, bccd_root, tmp_path):
    options = {**SMALL, 'data_root': str(bccd_root)}
    out = tmp_path / 'out'
    lines = write(Request(str(RETINANET), str(out), detector, options=options))
    parity = json.loads((out / 'model.json').read_text())['parity']
    # Drawn of 96 x 80 pixels, which leaves a part of 128 x 96 empty.
    assert (parity['images'], parity['kind']) == (4, 'test set')
    assert any('another shape' in line for line in lines) == (
        parity['same_input_as_test_pipeline'] < 4
    )


FLIPPING = [
    {'type': 'LoadImageFromFile'},
    {'type': 'RandomFlip', 'prob': 0.5},
    {'type': 'PackDetInputs'},
]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'batch': None}, 'a detector is exported for a fixed number of images'),
        ({'checkpoint': None}, 'is a config; name a checkpoint as well'),
        ({'model': 'nowhere'}, 'nowhere: no such file or folder; name'),
        (
            {'options': {'model.test_cfg.nms.type': 'soft_nms'}},
            'its test_cfg has soft_nms, and only plain NMS',
        ),
        (
            {'options': {'model.data_preprocessor.pad_value': 114}},
            'pads with 114',
        ),
        (
            {'options': {'test_dataloader.dataset.pipeline': FLIPPING}},
            'its test pipeline has RandomFlip',
        ),
    ],
)
def test_what_is_refused(change, message, detector, tmp_path):
    asked = {'model': str(RETINANET), 'checkpoint': detector, 'images': 1, **change}
    with pytest.raises(UserError, match=message):
        write(Request(out=str(tmp_path / 'out'), **asked))
    assert list(tmp_path.iterdir()) == []


def test_anchors_of_ssd_keep_their_size(tmp_path):
    leaf = ROOT / 'configs/faces/ssd300_vgg16_light_1xb4-24e_folded-face-mask.py'
    checkpoint = save_network(leaf, tmp_path / 'c.pth')
    request = Request(str(leaf), str(tmp_path / 'out'), checkpoint, size=(512, 512))
    with pytest.raises(UserError, match='anchors are those of 300 x 300'):
        write(request)


def test_serving_takes_an_export(exported):
    from custom_datasets.serving.engine import load_model
    from custom_datasets.serving.limits import Service

    predictor, facts = load_model(Service(str(exported)))
    assert predictor.kind == 'exported'
    assert facts.version.startswith('model-')
    assert facts.classes == CLASSES


def damage(folder, change):
    about = json.loads((folder / 'model.json').read_text())
    *path, last = change[0].split('.')
    node = about
    for name in path:
        node = node[name]
    node[last] = change[1]
    (folder / 'model.json').write_text(json.dumps(about))


@pytest.mark.parametrize(
    'change',
    [
        *[
            (name, None)
            for name in ('classes', 'files', 'input', 'decision', 'openvino')
        ],
        *[('classes', []), ('task', 'x'), ('batch', 'b'), ('batch', 0), ('files', {})],
        *[('input', {}), ('input.std', [0, 0, 0]), ('input.width', 0)],
        *[('input.mean', [1]), ('input.channels', 'GBR'), ('decision', {})],
        *[('decision.threshold', 2), ('decision.threshold', 'a')],
        *[('decision.temperature', 0), ('decision.temperature', -1)],
        ('decision.per_class', [0.5]),
        *[('classes', 'tea'), ('classes', ['tea', 'tea', 'cocoa'])],
        *[('batch', 1.0), ('batch', 10**9), ('input.width', True)],
        *[('input.padded_width', 10**12), ('input.short_edge', 3)],
        *[('input.std', [1e-300, 1, 1]), ('input.mean', [1e39, 0, 0])],
        *[('decision.temperature', 5e-324), ('openvino', {'CACHE_DIR': 'x'})],
        *[('files.openvino', {}), ('files.openvino', {'model.xml': 'x'})],
        *[('files.openvino', 'model.xml'), ('files.onnx', {'../model.onnx': 'x'})],
    ],
    ids=str,
)
def test_an_edited_description_is_one_sentence(change, exported, tmp_path):
    folder = tmp_path / 'edited'
    shutil.copytree(exported, folder)
    damage(folder, change)
    with pytest.raises(UserError, match=r'model\.json: .* export the model again'):
        Predictor.from_export(folder)


@pytest.mark.parametrize('runtime', ['openvino', 'onnx'])
@pytest.mark.parametrize(
    ('change', 'photos'),
    [
        (('classes', ['tea']), 1),
        (('batch', 2), 1),
        (('input.padded_width', 160), 1),
        (('task', 'classification'), 1),
    ],
    ids=str,
)
def test_a_description_of_another_model_is_one_sentence(
    change, photos, runtime, exported, tmp_path, photo
):
    folder = tmp_path / 'edited'
    shutil.copytree(exported, folder)
    damage(folder, change)
    predictor = Predictor.from_export(folder, runtime=runtime, threshold=0)
    with pytest.raises(UserError, match=r'does not run as model\.json says'):
        predictor([photo] * photos)


def test_more_names_than_a_classifier_has_outputs(exported_classifier, tmp_path, photo):
    folder = tmp_path / 'edited'
    shutil.copytree(exported_classifier, folder)
    about = json.loads((folder / 'model.json').read_text())
    damage(folder, ('classes', [*about['classes'], 'more']))
    with pytest.raises(UserError, match='does not run as'):
        Predictor.from_export(folder)(photo)


def test_nothing_but_an_export_is_replaced(classifier, tmp_path):
    out = tmp_path / 'out'
    request = Request(str(WASTE), str(out), classifier, images=1, overwrite=True)
    write(request)
    write(request)
    (out / 'predictions').mkdir()
    with pytest.raises(UserError, match='has predictions, which would be lost'):
        write(request)
    (out / 'predictions').rmdir()
    # Made by another of our commands, and its mark says so.
    (out / 'model.json').unlink()
    with pytest.raises(UserError, match='is no export, and would be lost'):
        write(request)
    assert (out / 'labels.txt').exists()


def test_a_run_of_predict_py_is_one_inference(exported, photo):
    """OpenVINO's outputs are taken from one run, and not each from a run of its own."""
    code = (
        'import openvino, runpy, sys\n'
        'class Counted:\n'
        '    def __init__(self, model): self.model = model\n'
        '    def __getattr__(self, name): return getattr(self.model, name)\n'
        '    def __call__(self, inputs):\n'
        '        print("inference")\n'
        '        return self.model(inputs)\n'
        'compile_model = openvino.compile_model\n'
        'openvino.compile_model = lambda *args: Counted(compile_model(*args))\n'
        f'sys.argv = ["predict.py", {photo!r}]\n'
        f'runpy.run_path({str(exported / "predict.py")!r}, run_name="__main__")'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert done.stdout.count('inference') == 1


def test_pytorch_is_measured_behind_the_test_pipeline(detector, bccd_root, tmp_path):
    """Of upright images an export sees less, and the table must say what that costs."""
    from custom_datasets.export.parity import EAGER, STOCK, choose_images, compare
    from custom_datasets.predicting.model import read_network

    tall = tmp_path / 'tall'
    shutil.copytree(bccd_root, tall)
    for path in (tall / 'JPEGImages').iterdir():
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (48, 128)))
    network = read_network(
        str(RETINANET), detector, {**SMALL, 'data_root': str(tall)}, device='cpu'
    )
    out = tmp_path / 'out'
    write(Request(str(RETINANET), str(out), detector, images=1, options=SMALL))
    model = ExportedNetwork(str(out))
    images = choose_images(network, model.about['input'])
    parity = compare(network, [model], Decision(0.3, ''), images, lambda a, b: None)
    assert parity.same_input == 0
    expected = Predictor(RETINANET, detector, threshold=0, options=SMALL)
    for read, stock, eager in zip(
        parity.reads, parity.answers[STOCK], parity.answers[EAGER], strict=True
    ):
        np.testing.assert_allclose(
            np.sort(stock.scores), np.sort(expected(read()).scores), atol=1e-5
        )
        assert len(stock.scores) != len(eager.scores) or not np.allclose(
            np.sort(stock.scores), np.sort(eager.scores), atol=1e-3
        )


def test_a_missing_image_is_a_failure_of_predict_py(exported, photo):
    done = subprocess.run(
        [sys.executable, exported / 'predict.py', photo, 'nowhere.png'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
