"""Sizes that are worked out on paper, against those of the transforms themselves."""

import mmdet.datasets.transforms  # noqa: F401
import mmpretrain.datasets.transforms  # noqa: F401
import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.registry import TRANSFORMS, DefaultScope

from custom_datasets.checks.check import check_shape
from custom_datasets.checks.scale import full_pipeline, measure_scaling, scale_boxes
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords

SIZES = [(640, 480), (375, 500), (1333, 91)]
HALF = dict(type='Resize', scale_factor=0.5)


def run(step, size, scope='mmdet'):
    """Return factor and size that a transform really brings about."""
    with DefaultScope.overwrite_default_scope(scope):
        transform = TRANSFORMS.build(step)
    width, height = size
    box = np.array([[0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height]])
    results = {
        'img': np.zeros((height, width, 3), np.uint8),
        'img_shape': (height, width),
        'gt_bboxes': box if scope == 'mmpretrain' else HorizontalBoxes(box),
        'gt_bboxes_labels': np.zeros(1, np.int64),
        'gt_ignore_flags': np.zeros(1, bool),
    }
    results['mix_results'] = [dict(results) for _ in range(3)]
    results = transform(results)
    boxes = np.asarray(getattr(results['gt_bboxes'], 'tensor', box))
    x1, y1, x2, y2 = boxes[0] if len(boxes) else box[0]  # A crop may lose it.
    factor = ((x2 - x1) / width * 2, (y2 - y1) / height * 2)
    if scope == 'mmpretrain':
        factor = results['scale_factor']
    return factor, results['img'].shape[1::-1]


def resize(**settings):
    return dict(type='Resize', **settings)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    'step',
    [
        resize(scale=(1333, 800), keep_ratio=True),
        resize(scale=(240, 320), keep_ratio=True),
        resize(scale=(300, 200)),
        resize(scale=256, keep_ratio=True) | dict(type='mmdet.Resize'),
        resize(scale_factor=0.37),
        resize(scale_factor=(0.5, 2.0)),
        resize(scale_factor=1.7, keep_ratio=True),
        dict(type='FixScaleResize', scale=(800, 1333), keep_ratio=True),
        dict(type='FixShapeResize', width=320, height=200),
        dict(type='FixShapeResize', width=320, height=200, keep_ratio=True),
        dict(type='ResizeShortestEdge', scale=100, max_size=333, keep_ratio=True),
        dict(type='ResizeShortestEdge', scale=(100, 120)),
        dict(type='RandomFlip', prob=1.0),
        dict(type='Pad', size_divisor=32),
        dict(type='Pad', pad_to_square=True),
        dict(type='Pad', size=(400, 600)),
        *[dict(type='ResizeEdge', scale=128, edge=e) for e in ('short', 'long')],
        *[dict(type='ResizeEdge', scale=128, edge=e) for e in ('width', 'height')],
        dict(type='Mosaic', img_scale=(320, 160), center_ratio_range=(1.0, 1.0)),
    ],
    ids=lambda step: '-'.join(str(value) for value in step.values()),
)
def test_what_is_certain_is_as_the_transform_does_it(step, size):
    scope = 'mmpretrain' if step['type'] == 'ResizeEdge' else 'mmdet'
    factor, out = run(step, size, scope)
    scaling = measure_scaling([step], size)
    # A box at the border of a mosaic is cut, and two leave a pixel's rounding out.
    slack = 1.01 if step['type'].startswith(('Fix', 'Mosaic')) else 0.01
    for expected, real, side in zip(scaling.factor, factor, size, strict=True):
        assert expected * side == pytest.approx(real * side, abs=slack)
    assert scaling.size == pytest.approx(out, abs=1.01)
    assert not scaling.not_followed


@pytest.mark.parametrize('size', SIZES[:2])
@pytest.mark.parametrize(
    'step',
    [
        dict(
            type='RandomResize',
            scale=(320, 240),
            ratio_range=(0.5, 2.0),
            keep_ratio=True,
        ),
        dict(type='RandomResize', scale=[(320, 200), (480, 300)], keep_ratio=True),
        dict(type='RandomResize', scale=(320, 240), ratio_range=(0.8, 1.25)),
        dict(
            type='RandomChoiceResize',
            scales=[(320, 240), (640, 480), (1280, 960)],
            keep_ratio=True,
        ),
        dict(type='Expand', prob=1.0),
        dict(type='Expand', prob=1.0, ratio_range=(1.5, 2.0)),
        dict(type='MinIoURandomCrop'),
        dict(type='MinIoURandomCrop', min_crop_size=0.7, min_ious=()),
        dict(type='RandomCrop', crop_size=(60, 80)),
        dict(type='RandomCrop', crop_size=(0.3, 0.7), crop_type='relative'),
        dict(type='RandomCrop', crop_size=(0.25, 1.0), crop_type='relative_range'),
        dict(type='RandomCrop', crop_size=(100, 200), crop_type='absolute_range'),
        dict(type='RandomApply', transforms=HALF, prob=0.1),
        dict(type='RandomChoice', transforms=[[HALF], [HALF, HALF]], prob=[0.75, 0.25]),
    ],
    ids=lambda step: '-'.join(str(value) for value in step.values())[:60],
)
def test_what_is_random_is_as_the_transform_does_it_in_the_mean(step, size):
    if step['type'] == 'RandomCrop':
        step = {**step, 'allow_negative_crop': True}
    np.random.seed(0)
    real = [run(step, size) for _ in range(150)]
    scaling = measure_scaling([step], size)
    outs = np.exp(np.log([out for _, out in real]).mean(0))
    assert scaling.size == pytest.approx(outs, rel=0.2)
    if 'Crop' not in step['type']:  # Of a box that is cut the sides say nothing.
        factors = np.exp(np.log([factor for factor, _ in real]).mean(0))
        assert scaling.factor == pytest.approx(factors, rel=0.2)


@pytest.mark.parametrize(
    ('steps', 'size', 'factor', 'out'),
    [
        (  # As YOLOX has them.
            [
                dict(type='Mosaic', img_scale=(640, 640)),
                dict(
                    type='RandomAffine',
                    scaling_ratio_range=(0.1, 2),
                    border=(-320, -320),
                ),
                resize(scale=(640, 640), keep_ratio=True),
            ],
            (320, 320),
            2 * 0.2**0.5,
            (640, 640),
        ),
        (  # What is left of a crop is enlarged.
            [
                dict(type='RandomCrop', crop_size=(320, 240)),
                resize(scale=(640, 480), keep_ratio=True),
            ],
            (640, 480),
            2,
            (640, 480),
        ),
        (
            [dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.25, 1.0))],
            (448, 448),
            0.5**0.5,
            (224, 224),
        ),
        (
            [
                dict(
                    type='TestTimeAug',
                    transforms=[
                        [resize(scale=s) for s in ((640, 480), (1280, 960))],
                        [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
                    ],
                )
            ],
            (640, 480),
            2**0.5,
            (640 * 2**0.5, 480 * 2**0.5),
        ),
        ([dict(type='RandomApply', transforms=[HALF], prob=0)], (64, 48), 1, (64, 48)),
    ],
)
def test_pipelines(steps, size, factor, out):
    scaling = measure_scaling(steps, size)
    assert scaling.factor == pytest.approx((factor, factor))
    assert scaling.size == pytest.approx(out)


def test_what_is_not_followed_is_a_note():
    steps = [
        dict(type='RandomCenterCropPad'),
        dict(type='Resize'),
        resize(scale=(64, 48)),
        dict(type='RandomCenterCropPad'),
    ]
    scaling = measure_scaling(steps, (640, 480))
    assert scaling.not_followed == ('RandomCenterCropPad', 'Resize')
    assert scaling.factor == pytest.approx((0.1, 0.1))
    image = ImageRecord('a', 'a.png', size=(640, 480))
    split = SplitRecords('train', (), (image,))
    loader = {'dataset': {'pipeline': steps}}
    [finding] = check_shape({'train_dataloader': loader}, [split], {})
    assert (finding.code, finding.severity) == ('pipeline-not-followed', 'note')
    assert finding.message.startswith('RandomCenterCropPad, Resize: ')


def test_pipelines_of_wrapped_data_sets():
    plain = {'type': 'XMLDataset', 'pipeline': [{'type': 'a'}, {'type': 'b'}]}
    repeated = {'type': 'RepeatDataset', 'times': 3, 'dataset': plain}
    joined = {'type': 'ConcatDataset', 'datasets': [repeated, {'pipeline': []}]}
    mixed = {
        'type': 'MultiImageMixDataset',
        'dataset': joined,
        'pipeline': [{'type': 'c'}],
    }
    for dataset, names in ((plain, 'ab'), (joined, 'ab'), (mixed, 'abc'), ({}, '')):
        assert ''.join(step['type'] for step in full_pipeline(dataset)) == names


def test_scale_boxes():
    boxes = (
        BoxRecord(0, 'cell', (1, 1, 64, 48)),
        BoxRecord(1, 'cell', (10, 10, 10, 20)),
        BoxRecord(2, 'dust', (1, 1, 64, 48)),
        BoxRecord(3, 'cell', (1, 1, 64, 48), difficult=True),
        BoxRecord(4, 'cell', (601, 1, 700, 48)),
    )
    images = (
        ImageRecord('a', 'a.png', boxes=boxes, size=(1, 1)),
        ImageRecord('b', None, boxes=boxes[:1], size=(320, 240)),
        ImageRecord('c', None, boxes=boxes),
    )
    split = SplitRecords('train', ('cell',), images, one_based=True)
    pipeline = [resize(scale=(320, 240), keep_ratio=True)]
    scaled = scale_boxes(split, {'a.png': (640, 480)}, pipeline)
    assert scaled.boxes.tolist() == [[0, 0, 32, 24], [300, 0, 320, 24], [0, 0, 64, 48]]
    assert scaled.sizes.tolist() == [[320, 240]] * 3
    owners = [(image.name, box.index) for image, box in scaled.owners]
    assert owners == [('a', 0), ('a', 4), ('b', 0)]
    empty = scale_boxes(SplitRecords('val', ('cell',), ()), {}, pipeline)
    assert empty.boxes.shape == (0, 4) and empty.sizes.shape == (0, 2)
