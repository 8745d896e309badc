import numpy as np
import pytest

from custom_datasets.predicting.painting import (
    class_palette,
    paint_boxes,
    paint_class,
)

BOX = np.array([[20.0, 60.0, 300.0, 400.0]])


def gray(height=480, width=640):
    return np.full((height, width, 3), 128, np.uint8)


def test_boxes_are_painted_in_the_colour_of_their_class():
    palette = {'cat': (255, 0, 0), 'dog': (0, 255, 0)}
    painted = paint_boxes(gray(), BOX, ['cat'], [0.9], palette=palette)
    assert painted.shape == gray().shape
    assert painted[200, 20].tolist() == [0, 0, 255]
    assert painted[200, 150].tolist() == [128] * 3


def test_the_image_itself_stays_as_it_is():
    image = gray()
    paint_boxes(image, BOX, ['cat'], [0.9])
    assert (image == 128).all()


def test_no_boxes_leave_the_image():
    painted = paint_boxes(gray(), np.zeros((0, 4)), [], [])
    assert (painted == gray()).all()


@pytest.mark.parametrize('keep_size', [False, True])
def test_the_threshold_stands_below_or_in_a_frame(keep_size):
    painted = paint_boxes(
        gray(), BOX, ['cat'], [0.9], threshold_text='from 0.42', keep_size=keep_size
    )
    assert (painted.shape == gray().shape) == keep_size
    assert (painted[470 if keep_size else 485 :, :80] != 128).any()
    if not keep_size:
        assert (painted[430:480] == 128).all()


def test_a_small_image_is_enlarged_for_names_to_be_read():
    painted = paint_boxes(gray(30, 40), BOX / 10, ['cat'], [0.9])
    assert painted.shape == (240, 320, 3)


def test_a_class_is_written_with_its_runner_up():
    one = paint_class(gray(), ['cat'], [0.9])
    two = paint_class(gray(), ['cat', 'dog'], [0.9, 0.05])
    assert len(two) > len(one) > 480
    assert (two[:480] == 128).all()


def test_classes_have_colours_of_their_own():
    palette = class_palette([f'class {i}' for i in range(200)])
    assert len(set(palette.values())) == 200
    assert class_palette(['a'], [[1, 2, 3]]) == {'a': (1, 2, 3)}
