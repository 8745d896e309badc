import numpy as np
import pytest
import torch
from mmdet.models.task_modules import AnchorGenerator, MaxIoUAssigner
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torchvision.ops import box_iou

from custom_datasets.checks.anchors import (
    best_ious,
    build_grid,
    check_anchors,
    cluster_shapes,
    fit_anchors,
)
from custom_datasets.checks.scale import ScaledBoxes
from custom_datasets.data.records import BoxRecord, ImageRecord

OCTAVES = dict(
    strides=[8, 16, 32, 64, 128],
    ratios=[0.5, 1.0, 2.0],
    octave_base_scale=4,
    scales_per_octave=3,
)
GENERATORS = [
    OCTAVES,
    dict(strides=[4, 8, 16, 32, 64], ratios=[0.5, 1.0, 2.0], scales=[8]),
    dict(strides=[16], ratios=[0.4, 1.7], scales=[2, 5.5], scale_major=False),
    dict(strides=[(8, 16), (16, 8)], ratios=[1.0], scales=[3], base_sizes=[10, 21]),
    dict(strides=[8, 16], ratios=[1.0, 2.0], scales=[4], center_offset=0.5),
    dict(strides=[64], ratios=[1.0], scales=[0.5]),
    dict(strides=[8, 16], ratios=[1.0], scales=[4], centers=[(4, 4), (3, 9)]),
]


def random_boxes(count, size=(320, 240), seed=0, smallest=4, largest=150):
    rng = np.random.default_rng(seed)
    sides = np.exp(rng.uniform(np.log(smallest), np.log(largest), (count, 2)))
    low = rng.uniform(0, 1, (count, 2)) * (np.array(size) - sides)
    return np.hstack([low, low + sides]), np.full((count, 2), size, float)


def as_scaled(boxes, sizes, names):
    image = ImageRecord('a', 'a.png', 'a.xml')
    owners = [(image, BoxRecord(i, n, (1, 1, 2, 2))) for i, n in enumerate(names)]
    return ScaledBoxes(boxes, sizes, tuple(owners), ())


def model(generator, head='bbox_head', **assigner):
    settings = {'assigner': {'type': 'MaxIoUAssigner', 'pos_iou_thr': 0.5, **assigner}}
    part = {
        'type': 'Head',
        'anchor_generator': {'type': 'AnchorGenerator', **generator},
    }
    train_cfg = settings if head == 'bbox_head' else {'rpn': settings}
    return {head: part, 'train_cfg': train_cfg}


def upstream_priors(generator, size):
    anchors = AnchorGenerator(**generator)
    cells = [(-(-size[1] // h), -(-size[0] // w)) for w, h in anchors.strides]
    return torch.cat(anchors.grid_priors(cells, device='cpu'))


@pytest.mark.parametrize('generator', GENERATORS)
def test_base_anchors_are_upstreams(generator):
    grid = build_grid(generator)
    for shapes, offset, upstream in zip(
        grid.shapes,
        grid.offsets,
        AnchorGenerator(**generator).base_anchors,
        strict=True,
    ):
        mine = np.hstack([offset - shapes / 2, offset + shapes / 2])
        key = lambda rows: sorted(map(tuple, np.round(rows, 3).tolist()))  # noqa: E731
        np.testing.assert_allclose(key(mine), key(upstream.numpy()), atol=2e-3)


@pytest.mark.parametrize('generator', GENERATORS)
def test_best_ious_are_those_with_upstreams_anchors(generator):
    size = (314, 233)
    boxes, sizes = random_boxes(200, size)
    priors = upstream_priors(generator, size)
    expected = box_iou(torch.tensor(boxes), priors.double()).max(1).values
    got = best_ious(build_grid(generator), boxes, sizes)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_best_ious_of_no_box_and_of_many():
    grid = build_grid(OCTAVES)
    assert best_ious(grid, np.empty((0, 4)), np.empty((0, 2))).shape == (0,)
    boxes, sizes = random_boxes(50)
    many = best_ious(grid, np.tile(boxes, (1000, 1)), np.tile(sizes, (1000, 1)))
    np.testing.assert_array_equal(many, np.tile(best_ious(grid, boxes, sizes), 1000))


@pytest.mark.parametrize(
    'assigner', [dict(min_pos_iou=0.3), dict(match_low_quality=False), dict()]
)
def test_boxes_without_an_anchor_are_those_of_the_assigner(assigner):
    boxes, sizes = random_boxes(100, smallest=3)
    priors = upstream_priors(OCTAVES, (320, 240))
    lost = 0
    for box in torch.tensor(boxes):
        # Another test may have left mmpretrain's scope behind.
        with DefaultScope.overwrite_default_scope('mmdet'):
            assign = MaxIoUAssigner(0.5, 0.4, **assigner).assign
        result = assign(
            InstanceData(priors=priors.double()),
            InstanceData(bboxes=box[None], labels=torch.zeros(1, dtype=torch.long)),
        )
        lost += not (result.gt_inds > 0).any()
    scaled = as_scaled(boxes, sizes, ['cell'] * 100)
    (finding,) = check_anchors(model(OCTAVES, **assigner), scaled)
    _, _, claim = finding.message.partition('best IoUs is ')
    assert claim.endswith(f'; {lost} boxes get no anchor in training') == bool(lost)
    assert ('no anchor' in claim) == bool(lost) == bool(assigner)


@pytest.mark.parametrize('train_cfg', ['abc', {'assigner': 'abc'}])
def test_an_assigner_that_is_no_dict_is_not_judged(train_cfg):
    scaled = as_scaled(*random_boxes(30), ['cell'] * 30)
    (finding,) = check_anchors({**model(OCTAVES), 'train_cfg': train_cfg}, scaled)
    assert finding.code == 'anchors-not-judged'


@pytest.mark.parametrize('least', ['abc', None])
def test_a_threshold_that_is_no_number_ends_no_check(least):
    scaled = as_scaled(*random_boxes(30), ['cell'] * 30)
    (finding,) = check_anchors(model(OCTAVES, min_pos_iou=least), scaled)
    assert finding.code == 'anchor-recall'


def test_a_generator_without_an_anchor_is_not_judged():
    scaled = as_scaled(*random_boxes(30), ['cell'] * 30)
    (finding,) = check_anchors(model({**OCTAVES, 'scales_per_octave': 0}), scaled)
    assert finding.code == 'anchors-not-judged'


def test_clusters_are_where_the_boxes_are():
    rng = np.random.default_rng(0)
    centers = np.array([[10, 20], [40, 40], [200, 90]])
    shapes = np.concatenate([c * rng.uniform(0.95, 1.05, (50, 2)) for c in centers])
    rng.shuffle(shapes)
    np.testing.assert_allclose(cluster_shapes(shapes, 3), centers, rtol=0.03)
    np.testing.assert_allclose(
        cluster_shapes(shapes[::-1], 3), cluster_shapes(shapes, 3)
    )


def test_clusters_lower_the_distance():
    boxes, _ = random_boxes(300)
    shapes = boxes[:, 2:] - boxes[:, :2]

    def distance(centers):
        inner = np.minimum(shapes[:, None], centers).prod(-1)
        union = shapes.prod(1)[:, None] + centers.prod(1) - inner
        return (1 - inner / union).min(1).mean()

    distances = [distance(cluster_shapes(shapes, count)) for count in (1, 3, 5, 9)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.6 * distances[0]


def test_as_many_clusters_as_shapes():
    shapes = np.array([[10.0, 10], [10, 10], [30, 20]])
    np.testing.assert_allclose(cluster_shapes(shapes, 9), [[10, 10], [30, 20]])


@pytest.mark.parametrize('generator', [OCTAVES, GENERATORS[1]])
def test_small_boxes_get_smaller_anchors(generator):
    boxes, sizes = random_boxes(300, smallest=12, largest=30)
    before = best_ious(build_grid(generator), boxes, sizes)
    changes = fit_anchors(generator, boxes, sizes, np.array(['cell'] * 300))
    after = best_ious(build_grid({**generator, **changes}), boxes, sizes)
    assert (before >= 0.5).mean() < 0.6
    assert (after >= 0.5).mean() > 0.9
    assert set(changes) <= {
        'octave_base_scale',
        'scales_per_octave',
        'ratios',
        'scales',
    }


def test_long_boxes_get_other_ratios():
    boxes, sizes = random_boxes(200, smallest=30, largest=40)
    boxes[:, 2] = boxes[:, 0] + 5 * (boxes[:, 3] - boxes[:, 1])
    changes = fit_anchors(OCTAVES, boxes, sizes, np.array(['rod'] * 200))
    assert changes['ratios'] == [pytest.approx(0.2)]


def test_good_anchors_stay():
    boxes, sizes = random_boxes(300, smallest=34, largest=200)
    scaled = as_scaled(boxes, sizes, ['a'] * 150 + ['b'] * 150)
    (finding,) = check_anchors(model(OCTAVES), scaled)
    assert (finding.code, finding.severity) == ('anchor-recall', 'note')
    assert not finding.hint


def test_the_suggestion_can_be_pasted_and_is_true():
    """A rare class of small cells: the recall of all boxes alone would pass."""
    large, sizes = random_boxes(1200, smallest=60, largest=110)
    small, _ = random_boxes(40, smallest=17, largest=22, seed=1)
    boxes = np.concatenate([large, small])
    sizes = np.concatenate([sizes, sizes[:40]])
    names = ['large'] * 1200 + ['small'] * 40
    scaled = as_scaled(boxes, sizes, names)
    for head in ('bbox_head', 'rpn_head'):
        (finding,) = check_anchors(model(OCTAVES, head), scaled)
        assert (finding.code, finding.severity) == ('anchor-recall', 'warning')
        assert finding.message.startswith(f'{head}: ') and '(small 0' in finding.message
        line, _, claim = finding.hint.partition(' would reach ')
        pasted = Config.fromstring(line, '.py')
        generator = {**OCTAVES, **pasted.model[head].anchor_generator}
        ious = best_ious(build_grid(generator), boxes, sizes)
        reached = (ious >= 0.5)[np.array(names) == 'small'].mean()
        assert f'small {reached:.3g}' in claim
        assert reached >= 0.95
        AnchorGenerator(**generator)


def test_where_only_larger_images_help():
    """Boxes of 5 px between the centres of a stride of 8."""
    boxes, sizes = random_boxes(200, smallest=5, largest=5.5)
    fine = dict(OCTAVES, octave_base_scale=0.7, ratios=[1.0])
    (finding,) = check_anchors(model(fine), as_scaled(boxes, sizes, ['dot'] * 200))
    assert 'on images twice as wide and high' in finding.hint


def test_where_nothing_helps():
    boxes, sizes = random_boxes(200, smallest=1, largest=1.1)
    (finding,) = check_anchors(model(OCTAVES), as_scaled(boxes, sizes, ['dot'] * 200))
    assert finding.severity == 'warning' and 'finer stride' in finding.hint


def test_few_boxes_of_a_class_are_not_judged_alone():
    boxes, sizes = random_boxes(200, smallest=40, largest=100)
    boxes[:5, 2:] = boxes[:5, :2] + 6
    scaled = as_scaled(boxes, sizes, ['rare'] * 5 + ['a'] * 195)
    (finding,) = check_anchors(model(OCTAVES), scaled)
    assert finding.severity == 'note' and 'rare' not in finding.message


@pytest.mark.parametrize(
    'generator, assigner, said',
    [
        ('SSDAnchorGenerator', 'MaxIoUAssigner', True),
        ('YOLOAnchorGenerator', 'GridAssigner', True),
        ('AnchorGenerator', 'ATSSAssigner', True),
        ('MlvlPointGenerator', 'SimOTAAssigner', False),
    ],
)
def test_what_is_not_judged(generator, assigner, said):
    boxes, sizes = random_boxes(30)
    cfg = model(OCTAVES, type=assigner)
    cfg['bbox_head']['anchor_generator']['type'] = f'mmdet.{generator}'
    findings = check_anchors(cfg, as_scaled(boxes, sizes, ['a'] * 30))
    assert [(f.code, f.severity) for f in findings] == [
        ('anchors-not-judged', 'note')
    ] * said


def test_an_incomplete_generator_is_no_crash():
    boxes, sizes = random_boxes(30)
    cfg = model({'strides': [8], 'ratios': [1.0]})
    (finding,) = check_anchors(cfg, as_scaled(boxes, sizes, ['a'] * 30))
    assert finding.code == 'anchors-not-judged'


def test_without_boxes_or_anchors():
    none = ScaledBoxes(np.empty((0, 4)), np.empty((0, 2)), (), ())
    assert check_anchors(model(OCTAVES), none) == []
    boxes, sizes = random_boxes(30)
    scaled = as_scaled(boxes, sizes, ['a'] * 30)
    assert check_anchors({'type': 'DETR', 'train_cfg': None}, scaled) == []
