"""From an image to an answer, with a network whose scores are known."""

import json
import logging
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from custom_datasets import Predictor
from custom_datasets.errors import ConfigError, ImageError, UserError
from custom_datasets.predicting import predictor as predictor_module
from custom_datasets.predicting.model import choose_device
from tests.configs.test_leaves import load
from tests.leaves import ROOT, SAMPLE
from tests.predicting.conftest import CLASSES, LEAF, LOGITS, WASTE

COFFEE = float(np.exp(5) / (np.exp(5) + 3))
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum()


@pytest.fixture(scope='module')
def predictor(detector):
    return Predictor(LEAF, detector)


def test_a_checkpoint_brings_its_own_classes(predictor, photo):
    assert predictor.classes == CLASSES
    answer = predictor(photo)
    assert set(answer.names) == {'coffee'} == set(answer.tags())
    assert (answer.image, answer.size) == (photo, (90, 60))
    assert answer.scores[0] == pytest.approx(COFFEE, abs=1e-5)
    assert (np.diff(answer.scores) <= 0).all()
    assert len(answer) == len(answer.boxes) == len(answer.to_dict()) > 0
    assert str(answer).startswith(f'{len(answer)} boxes: coffee 0.98, ')
    assert (answer.boxes > -0.001).all()
    # In pixels of the image, not of what the network saw.
    assert (answer.boxes < [90.001, 60.001, 90.001, 60.001]).all()
    assert answer.boxes[:, 2].max() > 80 and answer.boxes[:, 3].max() > 50


def test_an_image_in_any_form_gets_the_same_answer(predictor, photo):
    """All are lossless, so that the pixels are the same."""
    pixels = cv2.imread(photo)
    forms = [
        Path(photo),
        Path(photo).read_bytes(),
        pixels,
        np.dstack([pixels, np.zeros((60, 90), np.uint8)]),
        np.asfortranarray(pixels),
        Image.open(photo),
        Image.open(photo).convert('RGBA'),
    ]
    expected = predictor(photo)
    for answer in predictor(forms):
        np.testing.assert_array_equal(answer.boxes, expected.boxes)
    stacked = predictor(np.stack([pixels, pixels[::-1]]))
    np.testing.assert_array_equal(stacked[0].boxes, expected.boxes)
    assert not np.array_equal(stacked[1].boxes, expected.boxes)


def test_gray_pixels_are_those_of_a_gray_image(predictor, photo):
    gray = cv2.imread(photo)[:, :, 0]
    boxes = predictor(np.dstack([gray] * 3)).boxes
    np.testing.assert_array_equal(predictor(gray).boxes, boxes)
    np.testing.assert_array_equal(predictor(Image.fromarray(gray)).boxes, boxes)


def test_an_image_is_turned_as_its_camera_says(predictor, photo, tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # A quarter turn.
    path = str(tmp_path / 'turned.png')
    Image.open(photo).save(path, exif=exif)
    for form in (path, Image.open(path)):
        assert predictor(form).size == (60, 90)


def test_several_gpus_leave_the_weights_of_one(detector, photo, tmp_path):
    checkpoint = torch.load(detector, weights_only=False)
    weights = checkpoint['state_dict'].items()
    checkpoint['state_dict'] = {f'module.{name}': w for name, w in weights}
    torch.save(checkpoint, tmp_path / 'several.pth')
    answer = Predictor(LEAF, tmp_path / 'several.pth')(photo)
    assert answer.scores[0] == pytest.approx(COFFEE, abs=1e-5)


def test_diverged_weights_predict_nothing_and_are_refused(detector, tmp_path):
    checkpoint = torch.load(detector, weights_only=False)
    checkpoint['state_dict']['roi_head.bbox_head.fc_cls.bias'][1] = torch.nan
    torch.save(checkpoint, tmp_path / 'diverged.pth')
    with pytest.raises(UserError, match=r'diverged\.pth: its training .*fc_cls\.bias'):
        Predictor(LEAF, tmp_path / 'diverged.pth')


def test_a_threshold_leaves_boxes_out(detector, photo):
    predictor = Predictor(LEAF, detector, threshold=0.99)
    assert not len(predictor(photo)) and str(predictor(photo)) == '0 boxes'
    assert str(predictor) == f'{detector}; threshold 0.99, as given'


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        ('no.jpg', 'no.jpg: cannot be read (No such file or directory)'),
        ('', ': cannot be read (No such file or directory)'),
        (str(ROOT), f'{ROOT}: is not a file'),
        (b'', 'image: is empty'),
        (b'\xff\xd8\xff', 'image: begins like a JPEG file, but is cut off or damaged'),
        (b'hello', 'image: is not an image, whatever its name says'),
        (
            np.zeros((20, 30), float),
            'image: has pixels of float64; they must be uint8',
        ),
        (
            np.zeros((2, 0, 3), np.uint8),
            'image: has pixels of shape (2, 0, 3); needs (height, width, 3)',
        ),
        (np.zeros((2, 9, 2), np.uint8), 'shape (2, 9, 2); needs (height, width, 3)'),
        (np.broadcast_to(np.uint8(0), (9999, 9999, 3)), 'is too large: 9999 x 9999 '),
    ],
)
def test_a_bad_image_is_one_error_and_the_others_are_predicted(
    predictor, photo, image, message
):
    with pytest.raises(ImageError, match=re.escape(message)):
        predictor(image)
    before, error, after = predictor([photo, image, photo], batch_size=3)
    assert isinstance(error, ImageError) and message in str(error)
    np.testing.assert_allclose(before.boxes, predictor(photo).boxes, atol=1e-4)
    np.testing.assert_array_equal(before.boxes, after.boxes)


def test_a_huge_image_is_refused_by_its_header(predictor, tmp_path):
    """Decoded it would take 3 GB."""
    import tracemalloc

    path = str(tmp_path / 'huge.png')
    Image.new('1', (32000, 32000)).save(path)
    tracemalloc.start()
    with pytest.raises(ImageError, match='too large: 32000 x 32000 pixels; at most 67'):
        predictor(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_what_the_pipeline_cannot_take_is_an_error_of_that_image(predictor, photo):
    thin = np.zeros((1, 20000, 3), np.uint8)
    error, answer = predictor([thin, photo])
    assert 'has 20000 x 1 pixels, which the test pipeline cannot take' in str(error)
    assert len(answer)


def test_a_picture_that_is_read_later(predictor, photo):
    def missing():
        raise ImageError('zip/a.jpg', 'is encrypted')

    names = ['one', 'two']
    pairs = list(predictor.stream_pixels([lambda: photo, missing], 2, names))
    assert pairs[0][0].image == 'one' and pairs[0][1].shape == (60, 90, 3)
    assert (str(pairs[1][0]), pairs[1][1]) == ('zip/a.jpg: is encrypted', None)


def test_images_of_several_sizes_have_the_answers_they_have_alone(predictor, photo):
    """A smaller one would be padded in a batch, and so get other boxes."""
    pixels = cv2.imread(photo)
    images = [pixels, pixels[:40, :80], pixels[::-1], pixels[5:45, :80]]
    for image, answer in zip(images, predictor(images, batch_size=4), strict=True):
        expected = predictor(image)
        np.testing.assert_allclose(answer.boxes, expected.boxes, atol=1e-3)
        np.testing.assert_allclose(answer.scores, expected.scores, atol=1e-4)


def test_large_images_make_small_batches(predictor, photo, monkeypatch):
    """They begin anew where those of small images would."""
    sizes = []
    forward = type(predictor.network).forward

    def watched(network, rows):
        sizes.append(len(rows))
        return forward(network, rows)

    monkeypatch.setattr(type(predictor.network), 'forward', watched)
    for most, expected in ((1 << 20, [5, 2]), (60 * 90, [2, 2, 1, 2]), (9, [1] * 7)):
        monkeypatch.setattr(predictor_module, '_MOST_PIXELS', most)
        predictor([photo] * 7, batch_size=5)
        assert sizes == expected
        sizes.clear()


def test_what_is_no_image_is_an_error_of_its_own(predictor, photo):
    none, answer, data = predictor([None, photo, bytearray(Path(photo).read_bytes())])
    assert str(none) == 'image: is not an image, but NoneType'
    np.testing.assert_array_equal(answer.boxes, data.boxes)
    for nothing in (None, 5):
        with pytest.raises(TypeError, match='an image is a path, bytes, an array or'):
            predictor(nothing)
    (single,) = predictor.stream(photo)
    np.testing.assert_array_equal(single.boxes, answer.boxes)
    with pytest.raises(ValueError, match='batch_size=0: must be at least 1'):
        predictor([photo], batch_size=0)


def test_sixteen_bits_of_gray_are_those_of_the_file(predictor, tmp_path):
    path = str(tmp_path / 'deep.png')
    noise = np.random.default_rng(0).integers(0, 1 << 16, (60, 90), np.uint16)
    cv2.imwrite(path, noise)
    boxes = predictor(path).boxes
    np.testing.assert_array_equal(predictor(Image.open(path)).boxes, boxes)
    with pytest.raises(ImageError, match='has mode F; convert it to 8 bits'):
        predictor(Image.fromarray(noise.astype(np.float32)))


def test_threads_may_load_too(detector):
    """Nothing of the process stays silenced."""
    stdout, level = sys.stdout, logging.root.manager.disable
    with ThreadPoolExecutor(3) as pool:
        for _ in pool.map(lambda _: Predictor(LEAF, detector), range(3)):
            pass
    assert sys.stdout is stdout and logging.root.manager.disable == level


def test_threads_take_turns(predictor, photo, monkeypatch):
    """On one image for each thread, and never two in the network."""
    running, most = [], []
    step = predictor.network.model.test_step

    def watched(batch):
        running.append(threading.get_ident())
        most.append(len(running))
        answer = step(batch)
        running.pop()
        return answer

    monkeypatch.setattr(predictor.network.model, 'test_step', watched)
    images = [np.roll(cv2.imread(photo), shift, 0) for shift in range(8)]
    expected = [predictor(image).boxes for image in images]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(predictor, images))
    assert max(most) == 1 and len(most) == 16
    for answer, boxes in zip(answers, expected, strict=True):
        np.testing.assert_array_equal(answer.boxes, boxes)


def test_what_is_saved_is_painted(predictor, photo, tmp_path):
    answer = predictor(photo)
    answer.save(str(tmp_path / 'painted.png'))
    painted = cv2.imread(str(tmp_path / 'painted.png'))
    assert painted.shape[1] >= 90 and len(np.unique(painted)) > 2
    shown = cv2.imdecode(np.frombuffer(answer._repr_png_(), np.uint8), 1)
    np.testing.assert_array_equal(shown, painted)
    frame = answer.paint(keep_size=True)
    assert frame.shape == (60, 90, 3)
    assert (frame != cv2.imread(photo)).any()


def test_a_classifier_answers_with_probabilities(classifier, photo):
    predictor = Predictor(WASTE, classifier)
    answer = predictor(photo)
    assert predictor.task == 'classification'
    assert (answer.name, answer.label, answer.names) == ('coffee', 1, ('coffee',))
    np.testing.assert_allclose(answer.probabilities, SHARES, atol=1e-6)
    assert [name for name, _ in answer.top(2)] == ['coffee', 'cocoa']
    assert list(answer.to_dict()) == ['coffee', 'cocoa', 'tea']
    assert str(answer) == 'coffee 0.67, cocoa 0.24'
    unsure = Predictor(WASTE, classifier, threshold=0.9)(photo)
    assert (unsure.name, unsure.names) == ('coffee', ())


def report(folder, task='detection', **changes):
    """Write what a predictor takes from a report."""
    point = {'threshold': 0.25}
    content = {
        'task': task,
        'classes': CLASSES,
        'run': {'checkpoint': 'epoch_3.pth', 'epoch': 3, 'iteration': 30},
        'thresholds': {
            'chosen_on': 'validation',
            'overall': point,
            'per_class': [{'threshold': 0.5}, {'threshold': 0.999}, point],
        },
        'calibration': {'temperature': {'value': 2.0, 'change': {'low': -1.0}}},
        **changes,
    }
    Path(folder, 'report.json').write_text(json.dumps(content))


@pytest.fixture
def run(detector, tmp_path):
    """The folder of a run: a config, a best and a last checkpoint."""
    load(LEAF, classes=CLASSES).dump(tmp_path / 'leaf.py')
    shutil.copy(detector, tmp_path / 'best_pascal_voc_mAP_epoch_3.pth')
    shutil.copy(detector, tmp_path / 'epoch_5.pth')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_5.pth')
    return tmp_path


def test_a_run_predicts_by_its_best_checkpoint_and_its_report(run, photo):
    without = Predictor.from_run(run)
    assert without.decision.threshold == 0.3
    best = run / 'best_pascal_voc_mAP_epoch_3.pth'
    assert str(without) == (
        f'{best} (best); threshold 0.3, the default: there is no {run}/report.json; '
        'tools/analysis_tools/report.py writes it'
    )
    report(run)
    predictor = Predictor.from_run(run)
    assert str(predictor) == (
        f'{best} (best); threshold 0.25, chosen on the validation set '
        f'({run}/report.json)'
    )
    assert set(predictor(photo).names) == {'coffee'}
    per_class = Predictor.from_run(run, threshold='per-class')
    assert per_class.decision.threshold == (0.5, 0.999, 0.25)
    assert not len(per_class(photo))
    best.unlink()
    assert Predictor.from_run(run).kind == 'last'


@pytest.mark.parametrize(
    ('changes', 'why'),
    [
        (
            {'run': {'checkpoint': 'w/epoch_9.pth', 'epoch': 9, 'iteration': 90}},
            'report.json is about epoch_9.pth, not best_pascal_voc_mAP_epoch_3.pth',
        ),
        ({'classes': CLASSES[::-1]}, 'report.json is about epoch_3.pth, not best'),
        ({'thresholds': {'chosen_on': 'default'}}, 'report.json found none to choose'),
    ],
)
def test_a_report_on_something_else_chooses_nothing(run, changes, why):
    report(run, **changes)
    predictor = Predictor.from_run(run)
    assert predictor.decision.threshold == 0.3 and why in str(predictor)
    with pytest.raises(UserError, match=f"'per-class': .*{re.escape(why)}"):
        Predictor.from_run(run, threshold='per-class')


def test_a_report_on_an_earlier_training_chooses_nothing(run, detector):
    checkpoint = torch.load(detector, weights_only=False)
    best = run / 'best_pascal_voc_mAP_epoch_3.pth'
    for saved, chosen in (('20300101_120001', 0.3), ('20300101_115959', 0.25)):
        checkpoint['meta']['time'] = saved
        torch.save(checkpoint, best)
        when = {'epoch': 3, 'iteration': 30, 'date': '2030-01-01T12:00:00+09:00'}
        report(run, run=when)
        predictor = Predictor.from_run(run)
        assert predictor.decision.threshold == chosen
    assert 'was written before' not in str(predictor)


@pytest.mark.parametrize(
    'changes',
    [
        None,
        {'run': []},
        {'thresholds': {'chosen_on': 'test'}},
        {'thresholds': {'chosen_on': 'test', 'overall': {'threshold': 'x'}}},
        {'thresholds': ['x']},
    ],
)
def test_a_damaged_report_is_named(run, changes):
    if changes is None:
        (run / 'report.json').write_text('{"classes": []')
    else:
        report(run, **changes)
    with pytest.raises(UserError, match=r'report\.json: incomplete or damaged'):
        Predictor.from_run(run)


def test_a_classifier_is_calibrated_by_its_report(classifier, photo):
    folder = Path(classifier).parent
    report(folder, 'classification')
    calibrated = np.exp(np.array(LOGITS) / 2)
    answer = Predictor(WASTE, classifier)(photo)
    expected = calibrated / calibrated.sum()
    np.testing.assert_allclose(answer.probabilities, expected, atol=1e-6)
    assert answer.decision.temperature == 2
    # One that makes the test set less likely is left out.
    harmful = {'temperature': {'value': 2.0, 'change': {'low': 0.1}}}
    report(folder, 'classification', calibration=harmful)
    np.testing.assert_allclose(
        Predictor(WASTE, classifier)(photo).probabilities, SHARES, atol=1e-6
    )
    (folder / 'report.json').unlink()


@pytest.mark.parametrize(
    ('prepare', 'message'),
    [
        (lambda run: shutil.rmtree(run), ': no such folder'),
        (lambda run: (run / 'leaf.py').unlink(), ': has no config; name the work dir'),
        (
            lambda run: shutil.copy(run / 'leaf.py', run / 'other.py'),
            ': has 2 configs; name the work dir',
        ),
        (
            lambda run: [path.unlink() for path in run.glob('*.pth')],
            ': has no checkpoint',
        ),
    ],
)
def test_a_folder_that_is_no_run_gets_a_sentence(run, prepare, message):
    prepare(run)
    with pytest.raises(UserError, match=re.escape(f'{run}{message}')):
        Predictor.from_run(run)


@pytest.mark.parametrize(
    ('leaf', 'checkpoint', 'message'),
    [
        (LEAF, 'no.pth', r'no\.pth: no such checkpoint'),
        (LEAF, __file__, r'test_predictor\.py: incomplete or damaged'),
        (LEAF, 'http://127.0.0.1:9/c.pth', r'c\.pth: cannot be fetched'),
        (SAMPLE, None, 'is of another model'),
        ('no.py', None, r'no\.py: no such config'),
    ],
)
def test_a_wrong_file_gets_a_sentence(detector, leaf, checkpoint, message):
    with pytest.raises(UserError, match=message):
        Predictor(leaf, checkpoint or detector)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('gpu', "'gpu': must be cpu, cuda, cuda:N or mps"),
        ('meta', "'meta': must be cpu, cuda, cuda:N or mps"),
        ('cuda:99', "'cuda:99': this machine has "),
    ],
)
def test_a_device_that_is_not_there(name, message):
    with pytest.raises(UserError, match=message):
        choose_device(name)


@pytest.mark.parametrize('threshold', ['best', 2, -0.1, True, float('nan')])
def test_a_threshold_is_a_share_or_a_name(detector, threshold):
    with pytest.raises(UserError, match='must be a number from 0 to 1'):
        Predictor(LEAF, detector, threshold=threshold)


@pytest.mark.parametrize(
    'options',
    [
        {'model.type': 'Nope'},
        {'model.backbone.depht': 18},
        {'test_dataloader.dataset.pipeline.1.type': 'Nope'},
    ],
)
def test_a_config_that_builds_nothing_gets_a_sentence(detector, options):
    with pytest.raises(ConfigError, match='cannot be built'):
        Predictor(LEAF, detector, options=options)


def test_another_loader_is_refused(detector):
    steps = 'test_dataloader.dataset.pipeline.0.color_type'
    with pytest.raises(ConfigError, match=r"'grayscale'.*only LoadImageFromFile"):
        Predictor(LEAF, detector, options={steps: 'grayscale'})


def test_the_name_costs_no_torch():
    code = (
        'import sys; from custom_datasets import Predictor; '
        'print(Predictor.__name__, "torch" in sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], check=True, capture_output=True, text=True
    )
    assert done.stdout == 'Predictor False\n'


def test_each_image_may_have_a_threshold_of_its_own(predictor, photo):
    """Prepared apart, predicted in one run."""
    sure = predictor.prepare(photo, threshold=0.99)
    usual = predictor.prepare(photo, 'a name')
    answers = predictor.predict([sure, usual])
    assert len(answers[0]) == 0
    assert answers[0].decision.caption == 'threshold 0.99'
    assert len(answers[1]) == len(predictor(photo))
    assert answers[1].image == 'a name'


def test_an_image_is_refused_by_pixels_that_the_caller_allows(predictor, photo):
    with pytest.raises(ImageError, match='90 x 60 pixels'):
        predictor.prepare(photo, max_pixels=90 * 60 - 1)
    predictor.prepare(photo, max_pixels=90 * 60)
