"""Suppression against rational arithmetic and the paper's formulas."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
import torchvision
from mmcv.ops import batched_nms, nms, nms_match, soft_nms

THRESHOLDS = (0.3, 0.5, 0.7, 1 / 3)


def draw(count, size=40, integers=False, device='cpu'):
    """Boxes crowded enough to overlap; with integers, ties are frequent."""
    corners = torch.rand(count, 2) * size
    boxes = torch.cat((corners, corners + 1 + torch.rand(count, 2) * size / 2), 1)
    scores = torch.rand(count)
    if integers:
        boxes, scores = boxes.round(), (scores * 8).round() / 8
    return boxes.to(device), scores.to(device)


def rational_iou(first, second, offset):
    first, second = (list(map(Fraction, box.tolist())) for box in (first, second))

    def area(x1, y1, x2, y2):
        return (x2 - x1 + offset) * (y2 - y1 + offset)

    width = min(first[2], second[2]) - max(first[0], second[0]) + offset
    height = min(first[3], second[3]) - max(first[1], second[1]) + offset
    shared = max(width, 0) * max(height, 0)
    union = area(*first) + area(*second) - shared
    return shared / union if union else Fraction(0)


def rational_groups(boxes, scores, exceeds, offset=0):
    """Group boxes by the kept one that suppresses them, without rounding."""
    left = sorted(range(len(boxes)), key=lambda index: -scores[index].item())
    groups = []
    while left:
        head, *others = left
        overlap = {
            index: rational_iou(boxes[head], boxes[index], offset) for index in others
        }
        groups.append([head, *(i for i in others if exceeds(overlap[i]))])
        left = [index for index in others if not exceeds(overlap[index])]
    return groups


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', THRESHOLDS)
def test_nms_is_exact_on_ties(device, threshold, offset):
    boxes, scores = draw(120, size=12, integers=True)
    dets, kept = nms(boxes.to(device), scores.to(device), threshold, offset=offset)
    limit = Fraction(threshold).limit_denominator(100)
    groups = rational_groups(boxes, scores, lambda iou: iou > limit, offset)
    assert len(groups) < len(boxes)
    assert kept.tolist() == [group[0] for group in groups]
    torch.testing.assert_close(dets.cpu()[:, :4], boxes[kept.cpu()])
    torch.testing.assert_close(dets.cpu()[:, 4], scores[kept.cpu()])


@pytest.mark.parametrize('offset', [0, 1])
def test_iou_equal_to_the_threshold_is_kept(extension, device, offset):
    """Two boxes of 10 pixels that share 7: their IoU is 7 / 10."""
    boxes = torch.tensor([[0, 0, 10, 1], [0, 0, 7, 1]], device=device)
    boxes[:, 2:] -= offset
    scores = torch.tensor([0.9, 0.8], device=device)
    for dtype in (torch.float32, torch.float64):
        kept = extension.nms(boxes.to(dtype), scores.to(dtype), 0.7, offset)
        assert kept.tolist() == [0, 1]
        kept = extension.nms(boxes.to(dtype), scores.to(dtype), 0.6999, offset)
        assert kept.tolist() == [0]


def test_offset_holds_for_large_fractional_coordinates(device):
    boxes, scores = draw(80, size=30)
    boxes += 3000
    _, kept = nms(boxes.to(device), scores.to(device), 0.4, offset=1)
    limit = Fraction(0.4)
    groups = rational_groups(boxes, scores, lambda iou: iou > limit, 1)
    assert kept.tolist() == [group[0] for group in groups]


def test_offset_is_added_without_rounding(extension, device):
    """In single precision 4095.0002 + 1 would be 4096: the same box twice."""
    step = 2.0**-12
    boxes = [[4095, 0, 4095 + step, 0], [4095, 0, 4095, 0]]
    boxes = torch.tensor(boxes, device=device)
    assert boxes[0, 2] + 1 == 4096
    scores = torch.tensor([0.9, 0.8], device=device)
    assert extension.nms(boxes, scores, 0.9999, 1).tolist() == [0, 1]


def test_nms_agrees_with_torchvision(device):
    boxes, scores = draw(2000, size=300, device=device)
    _, kept = nms(boxes, scores, 0.5)
    assert kept.tolist() == torchvision.ops.nms(boxes, scores, 0.5).tolist()


def test_score_threshold_and_max_num(device):
    boxes, scores = draw(50, device=device)
    _, kept = nms(boxes, scores, 0.9, score_threshold=0.5, max_num=7)
    assert len(kept) == 7
    assert (scores[kept] > 0.5).all()


def test_ten_thousand_boxes_with_offset(extension):
    boxes, scores = draw(10_000, size=1000, integers=True)
    kept = extension.nms(boxes, scores, 0.5, 1)
    wider = boxes + torch.tensor([0, 0, 1, 1])
    assert kept.tolist() == extension.nms(wider, scores, 0.5, 0).tolist()


@pytest.mark.parametrize('offset', [0, 1])
def test_no_box_one_box_and_identical_boxes(extension, device, offset):
    none = torch.zeros(0, 4, device=device)
    kept = extension.nms(none, none[:, 0], 0.5, offset)
    assert kept.shape == (0,)
    assert kept.dtype == torch.int64
    one, score = draw(1, device=device)
    assert extension.nms(one, score, 0.5, offset).tolist() == [0]
    same = one.expand(5, 4)
    assert extension.nms(same, score.expand(5), 0.5, offset).tolist() == [0]


@pytest.mark.parametrize('offset', [0, 1])
def test_identical_scores_keep_their_order(extension, device, offset):
    apart = torch.arange(600, device=device, dtype=torch.float32) * 10
    boxes = torch.stack((apart, apart, apart + 5, apart + 5), dim=1)
    scores = torch.full((600,), 0.5, device=device)
    kept = extension.nms(boxes, scores, 0.5, offset)
    assert kept.tolist() == list(range(600))


def test_boxes_without_area_are_kept(extension, device):
    point = torch.tensor([[3.0, 3.0, 3.0, 3.0]], device=device).expand(4, 4)
    scores = torch.linspace(0.9, 0.1, 4, device=device)
    assert extension.nms(point, scores, 0.5, 0).tolist() == [0, 1, 2, 3]
    assert extension.nms(point, scores, 0.5, 1).tolist() == [0]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(extension, device, dtype):
    boxes, scores = draw(100, device=device)
    half, scores = boxes.to(dtype), scores.to(dtype).float()
    for offset in (0, 1):
        kept = extension.nms(half, scores, 0.5, offset)
        wide = extension.nms(half.float(), scores, 0.5, offset)
        assert kept.tolist() == wide.tolist()
    dets, _ = soft_nms(half, scores.to(dtype))
    assert dets.dtype == dtype
    assert nms_match(torch.cat((half, scores.to(dtype)[:, None]), 1), 0.5)


def test_batched_nms_under_autocast(device):
    boxes, scores = draw(100, device=device)
    classes = torch.arange(100, device=device) % 3
    with torch.autocast(device, torch.bfloat16):
        config = dict(type='nms', iou_threshold=0.5)
        dets, kept = batched_nms(boxes, scores, classes, config)
    expected = torchvision.ops.batched_nms(boxes, scores, classes, 0.5)
    assert sorted(kept.tolist()) == sorted(expected.tolist())
    assert dets.dtype == torch.float32


@pytest.mark.parametrize('threshold', THRESHOLDS)
def test_nms_match_is_exact_on_ties(device, threshold):
    boxes, scores = draw(120, size=12, integers=True)
    groups = nms_match(torch.cat((boxes, scores[:, None]), 1).to(device), threshold)
    limit = Fraction(threshold).limit_denominator(100)
    expected = rational_groups(boxes, scores, lambda iou: iou >= limit)
    assert [group.tolist() for group in groups] == expected


def test_nms_match_of_no_box_and_of_numpy(extension):
    assert extension.nms_match(torch.zeros(0, 5), 0.5) == []
    dets = np.array([[0, 0, 2, 2, 0.1], [0, 0, 2, 2, 0.9]], dtype=np.float32)
    assert [group.tolist() for group in nms_match(dets, 0.5)] == [[1, 0]]


def soft_nms_by_hand(boxes, scores, threshold, sigma, min_score, method, offset):
    scores = dict(enumerate(scores.tolist()))
    result = []
    while scores:
        best = max(scores, key=scores.get)
        result.append((best, scores.pop(best)))
        for index in list(scores):
            iou = float(rational_iou(boxes[best], boxes[index], offset))
            if method == 'gaussian':
                scores[index] *= math.exp(-(iou**2) / sigma)
            elif iou >= threshold:
                scores[index] *= 0 if method == 'naive' else 1 - iou
            if scores[index] < min_score:
                del scores[index]
    return result


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_follows_the_paper(device, method, offset):
    boxes, scores = draw(60)
    settings = dict(sigma=0.4, min_score=0.05, method=method, offset=offset)
    dets, kept = soft_nms(boxes.to(device), scores.to(device), 0.3, **settings)
    expected = soft_nms_by_hand(boxes, scores, 0.3, **settings)
    assert kept.tolist() == [index for index, _ in expected]
    assert len(kept) < 60
    new_scores = torch.tensor([score for _, score in expected])
    torch.testing.assert_close(dets[:, 4].cpu(), new_scores)
    torch.testing.assert_close(dets[:, :4].cpu(), boxes[kept.cpu()])
    assert dets.device.type == kept.device.type == device


def test_soft_nms_fills_holes_from_the_end(extension):
    """The best box drops 1 and 2; then 5 takes the place of 1, 4 that of 2."""
    x = torch.tensor([0.0, 0, 0, 20, 40, 60])
    boxes = torch.stack((x, x, x + 10, x + 10), dim=1)
    scores = torch.tensor([0.9, 0.5, 0.5, 0.5, 0.5, 0.5])
    dets = torch.full((6, 5), -1.0)
    kept = extension.softnms(boxes, scores, dets, 0.3, 0.5, 0.1, 0, 0)
    assert kept.tolist() == [0, 5, 4, 3]
    torch.testing.assert_close(dets[:4, :4], boxes[kept])
    torch.testing.assert_close(dets[:4, 4], scores[kept])
    assert (dets[4:] == -1).all()


def test_soft_nms_of_no_box_one_box_and_low_scores():
    none = torch.zeros(0, 4)
    dets, kept = soft_nms(none, none[:, 0])
    assert dets.shape == (0, 5)
    assert kept.dtype == torch.int64
    one, _ = draw(1)
    dets, kept = soft_nms(one, torch.tensor([1e-9]))
    assert kept.tolist() == [0]
    two = torch.cat((one, one + 100))
    _, kept = soft_nms(two, torch.tensor([1e-9, 1e-9]))
    assert kept.tolist() == [0]


def test_soft_nms_leaves_its_arguments_alone():
    boxes, scores = draw(30)
    before = boxes.clone(), scores.clone()
    soft_nms(boxes, scores)
    assert torch.equal(boxes, before[0])
    assert torch.equal(scores, before[1])


@pytest.mark.compiled_mmcv
@pytest.mark.parametrize('integers', [False, True])
@pytest.mark.parametrize('offset', [0, 1])
def test_nms_as_compiled(as_compiled, device, offset, integers):
    """Without ties between scores: mmcv leaves their order to chance."""
    scores = torch.rand(1000, device=device)
    for threshold in THRESHOLDS:
        boxes, _ = draw(1000, size=150, integers=integers, device=device)
        as_compiled(lambda b=boxes, s=scores, t=threshold: nms(b, s, t, offset)[1])


@pytest.mark.compiled_mmcv
@pytest.mark.parametrize('integers', [False, True])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_as_compiled(as_compiled, method, offset, integers):
    boxes, scores = draw(300, size=80, integers=integers)
    settings = dict(min_score=0.05, method=method, offset=offset)
    as_compiled(lambda: soft_nms(boxes, scores, 0.3, **settings))


@pytest.mark.compiled_mmcv
@pytest.mark.parametrize('integers', [False, True])
def test_nms_match_as_compiled(as_compiled, integers):
    scores = torch.rand(400, 1)
    for threshold in THRESHOLDS:
        boxes, _ = draw(400, size=100, integers=integers)
        dets = torch.cat((boxes, scores), 1)
        as_compiled(lambda d=dets, t=threshold: nms_match(d, t))
