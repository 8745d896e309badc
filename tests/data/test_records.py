import numpy as np
import pytest

from custom_datasets.data.records import has_area, iou

BOX = (0, 0, 10, 10)


@pytest.mark.parametrize(
    ('other', 'share'),
    [
        (BOX, 1),
        ((5, 0, 15, 10), 1 / 3),
        ((2, 2, 4, 4), 0.04),
        ((10, 0, 20, 10), 0),
        ((20, 20, 30, 30), 0),
        ((4, 4, 4, 9), 0),
        ((9, 9, 1, 1), 0),
    ],
)
def test_share_of_two_boxes(other, share):
    assert float(iou(BOX, other)) == pytest.approx(share)
    assert float(iou(other, BOX)) == pytest.approx(share)


def test_two_boxes_without_area_share_nothing():
    assert float(iou((4, 4, 4, 4), (4, 4, 4, 4))) == 0


def test_each_with_each():
    boxes = np.array([BOX, (0, 0, 5, 10), (90, 90, 99, 99)])
    shares = iou(boxes[:, None], boxes[:2])
    assert shares.tolist() == [[1, 0.5], [0.5, 1], [0, 0]]


@pytest.mark.parametrize('box', [(1, 1, 1, 9), (1, 9, 9, 9), (9, 1, 1, 9)])
def test_a_box_without_area(box):
    assert not has_area(box)
    assert has_area(BOX)
