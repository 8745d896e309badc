"""Sizes that are worked out, against those of the transforms themselves."""

import mmdet.datasets.transforms  # noqa: F401
import mmpretrain.datasets.transforms  # noqa: F401
import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config
from mmengine.registry import TRANSFORMS, DefaultScope

from custom_datasets.checks.scale import full_pipeline, measure_scaling, scale_boxes
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from tests.leaves import LEAVES

SIZES = [(640, 480), (375, 500), (64, 64), (1333, 91)]


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
    assert results is not None
    (x1, y1, x2, y2), *_ = np.asarray(getattr(results['gt_bboxes'], 'tensor', box))
    factor = ((x2 - x1) / width * 2, (y2 - y1) / height * 2)
    if scope == 'mmpretrain':
        factor = results['scale_factor']
    return factor, results['img'].shape[1::-1]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    'step',
    [
        dict(type='Resize', scale=(1333, 800), keep_ratio=True),
        dict(type='Resize', scale=(320, 240), keep_ratio=True),
        dict(type='Resize', scale=(240, 320), keep_ratio=True),
        dict(type='Resize', scale=(300, 300), keep_ratio=False),
        dict(type='Resize', scale=(300, 200)),
        dict(type='mmdet.Resize', scale=256, keep_ratio=True),
        dict(type='Resize', scale_factor=0.37),
        dict(type='Resize', scale_factor=(0.5, 2.0)),
        dict(type='Resize', scale_factor=1.7, keep_ratio=True),
        dict(type='FixScaleResize', scale=(800, 1333), keep_ratio=True),
        dict(type='FixShapeResize', width=320, height=200),
        dict(type='FixShapeResize', width=320, height=200, keep_ratio=True),
        dict(type='ResizeShortestEdge', scale=100, max_size=333, keep_ratio=True),
        dict(type='ResizeShortestEdge', scale=(100, 120)),
        dict(type='RandomFlip', prob=1.0),
        dict(type='RandomCrop', crop_size=(60, 80), allow_negative_crop=True),
        dict(
            type='RandomCrop',
            crop_size=(0.3, 0.7),
            crop_type='relative',
            allow_negative_crop=True,
        ),
        dict(type='Pad', size_divisor=32),
        dict(type='Pad', pad_to_square=True),
    ],
)
def test_as_the_transform_does(step, size):
    expected = measure_scaling([step], size)
    (x, y), out = run(step, size) if 'Crop' not in step['type'] else ((1, 1), None)
    out = out or measured_crop(step, size)
    for mine, theirs, side in zip(expected.factor, (x, y), size, strict=True):
        # Two of them leave the rounding to a pixel out.
        assert mine * side == pytest.approx(theirs * side, abs=_slack(step))
    assert expected.smallest == pytest.approx(expected.factor)
    assert expected.size == pytest.approx(out, abs=1.01)
    assert not expected.not_followed


def _slack(step):
    return 1.01 if step['type'].startswith('Fix') else 0.01


def measured_crop(step, size):
    with DefaultScope.overwrite_default_scope('mmdet'):
        transform = TRANSFORMS.build(step)
    return transform._get_crop_size(size[::-1])[::-1]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('edge', ['short', 'long', 'width', 'height'])
def test_resize_edge(edge, size):
    step = dict(type='ResizeEdge', scale=128, edge=edge)
    factor, out = run(step, size, scope='mmpretrain')
    expected = measure_scaling([step], size)
    assert expected.factor == pytest.approx(factor)
    assert expected.size == pytest.approx(out)


@pytest.mark.parametrize('size', SIZES)
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
    ],
)
def test_random_resize_is_within_its_ends(step, size):
    expected = measure_scaling([step], size)
    seen = np.array([run(step, size)[0] for _ in range(100)])
    tolerance = 1 + 1 / min(size)
    assert (seen.min(0) >= np.array(expected.smallest) / tolerance).all()
    assert (seen.min(0) <= np.array(expected.smallest) * 1.25).all()
    largest = np.array(expected.factor) ** 2 / expected.smallest
    assert (seen.max(0) <= largest * tolerance * 1.02).all()
    assert (seen.max(0) >= largest / 1.25).all()


@pytest.mark.parametrize('size', [(640, 480), (375, 500)])
@pytest.mark.parametrize(
    ('step', 'smallest', 'largest'),
    [
        (dict(type='Expand', prob=1.0), 1.0, 4.0),
        (dict(type='Expand', prob=1.0, ratio_range=(1.5, 2.0)), 1.5, 2.0),
        (dict(type='MinIoURandomCrop'), 0.3, 1.0),
        (dict(type='MinIoURandomCrop', min_crop_size=0.7, min_ious=()), 0.7, 1.0),
    ],
)
def test_a_border_or_a_crop_is_within_its_ends(step, smallest, largest, size):
    resize = dict(type='Resize', scale=size, keep_ratio=False)
    expected = measure_scaling([step, resize], size)
    assert not expected.not_followed
    assert expected.size == pytest.approx(size)
    # The image is put back to its size: what was cut out grows, a border shrinks it.
    assert expected.smallest == pytest.approx((1 / largest,) * 2, rel=0.01)
    sides = np.array([run(step, size)[1] for _ in range(200)]) / size
    assert sides.min() >= smallest - 0.01 and sides.max() <= largest
    assert sides.min() <= smallest * 1.3 and sides.max() >= largest / 1.3
    middle = np.exp(-np.log(sides).mean(0))
    assert expected.factor == pytest.approx(middle, rel=0.3)


def test_a_choice_of_scales():
    scales = [(320, 240), (640, 480), (1280, 960)]
    step = dict(type='RandomChoiceResize', scales=scales, keep_ratio=True)
    got = measure_scaling([step], (640, 480))
    assert got.factor == pytest.approx((1, 1))
    assert got.smallest == pytest.approx((0.5, 0.5))
    assert {run(step, (640, 480))[0][0] for _ in range(50)} == {0.5, 1.0, 2.0}


def test_mosaic():
    step = dict(
        type='Mosaic', img_scale=(320, 160), center_ratio_range=(1.0, 1.0), prob=1.0
    )
    got = measure_scaling([step], (640, 480))
    factor, size = run(step, (640, 480))
    assert got.factor == pytest.approx(factor, rel=0.01)
    assert got.size == pytest.approx(size)


def test_mosaic_and_affine_as_yolox_has_them():
    steps = [
        dict(type='Mosaic', img_scale=(640, 640)),
        dict(type='RandomAffine', scaling_ratio_range=(0.1, 2), border=(-320, -320)),
        dict(type='Resize', scale=(640, 640), keep_ratio=True),
    ]
    got = measure_scaling(steps, (320, 320))
    assert got.size == pytest.approx((640, 640))
    assert got.smallest == pytest.approx((0.2, 0.2))
    assert got.factor == pytest.approx((2 * 0.2**0.5,) * 2)


def test_a_crop_after_which_the_rest_is_enlarged():
    steps = [
        dict(type='RandomCrop', crop_size=(320, 240)),
        dict(type='Resize', scale=(640, 480), keep_ratio=True),
    ]
    assert measure_scaling(steps, (640, 480)).factor == pytest.approx((2, 2))


def test_a_relative_range_is_of_height_and_width():
    step = dict(type='RandomCrop', crop_size=(0.25, 1.0), crop_type='relative_range')
    crops = [measured_crop(step, (640, 480)) for _ in range(50)]
    assert {width for width, _ in crops} == {640}
    assert min(height for _, height in crops) < 240
    assert measure_scaling([step], (640, 480)).size == pytest.approx((640, 240))


def test_branches_have_their_probability():
    half = dict(type='Resize', scale_factor=0.5)
    quarter = dict(type='Resize', scale_factor=0.25)
    choice = dict(
        type='RandomChoice', transforms=[[half], [half, quarter]], prob=[0.75, 0.25]
    )
    got = measure_scaling([choice], (640, 480))
    assert got.factor[0] == pytest.approx(0.5**0.75 * 0.125**0.25)
    assert got.smallest == pytest.approx((0.125, 0.125))
    rare = dict(type='RandomApply', transforms=half, prob=0.1)
    assert measure_scaling([rare], (640, 480)).factor[0] == pytest.approx(0.5**0.1)
    never = dict(type='RandomApply', transforms=[half], prob=0.0)
    assert measure_scaling([never], (640, 480)).smallest == (1, 1)


def test_test_time_augmentation():
    step = dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale=s) for s in ((640, 480), (1280, 960))],
            [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
            [dict(type='PackDetInputs')],
        ],
    )
    got = measure_scaling([step], (640, 480))
    assert got.factor == pytest.approx((2**0.5, 2**0.5))
    assert got.smallest == pytest.approx((1, 1))


def test_random_resized_crop():
    step = dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.25, 1.0))
    got = measure_scaling([step], (448, 448))
    assert got.smallest == pytest.approx((0.5, 0.5))
    assert got.factor == pytest.approx((0.5**0.5, 0.5**0.5))
    assert got.size == pytest.approx((224, 224))


def test_what_is_not_followed_is_named():
    steps = [
        dict(type='RandomCenterCropPad'),
        dict(type='Resize'),
        dict(type='Resize', scale=(64, 48)),
        dict(type='RandomCenterCropPad'),
    ]
    got = measure_scaling(steps, (640, 480))
    assert got.not_followed == ('RandomCenterCropPad', 'Resize')
    assert got.factor == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda path: path.stem)
def test_the_pipelines_of_every_leaf_are_followed(leaf):
    cfg = Config.fromfile(leaf)
    for loader in ('train_dataloader', 'val_dataloader'):
        assert not measure_scaling(
            cfg[loader].dataset.pipeline, (640, 480)
        ).not_followed


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
    pipeline = [dict(type='Resize', scale=(320, 240), keep_ratio=True)]
    got = scale_boxes(split, {'a.png': (640, 480)}, pipeline)
    assert got.boxes.tolist() == [[0, 0, 32, 24], [300, 0, 320, 24], [0, 0, 64, 48]]
    assert got.sizes.tolist() == [[320, 240]] * 3
    owners = [(image.name, box.index) for image, box in got.owners]
    assert owners == [('a', 0), ('a', 4), ('b', 0)]
    empty = scale_boxes(SplitRecords('val', ('cell',), ()), {}, pipeline)
    assert empty.boxes.shape == (0, 4) and empty.sizes.shape == (0, 2)
