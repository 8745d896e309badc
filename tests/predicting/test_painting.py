import cv2
import numpy as np
import pytest

from custom_datasets.predicting.painting import paint_boxes, paint_class

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


def test_a_threshold_does_not_cover_a_tiny_frame():
    for height, width, stands in ((48, 64, False), (240, 320, True)):
        painted = paint_boxes(
            gray(height, width),
            np.zeros((0, 4)),
            [],
            [],
            threshold_text='score at least 0.42',
            keep_size=True,
        )
        assert (painted != 128).any() == stands


def test_a_tiny_frame_still_has_a_name():
    images = [
        paint_boxes(
            gray(48, 64),
            BOX / 10,
            ['cat'],
            [0.9],
            palette={'cat': (255, 0, 0)},
            threshold_text=text,
            keep_size=True,
        )
        for text in (None, 'score at least 0.42')
    ]
    assert (images[0] == images[1]).all()


def test_a_class_leaves_more_of_a_tiny_frame_free_than_it_covers():
    painted = {
        threshold_text: paint_class(
            gray(48, 64),
            ['cat', 'dog'],
            [0.9, 0.05],
            threshold_text=threshold_text,
            keep_size=True,
        )
        for threshold_text in (None, 'score at least 0.42')
    }
    assert (painted[None] == painted['score at least 0.42']).all()
    rows = (painted[None] != 128).any((1, 2))
    assert 8 < rows.sum() < 24
    assert len(paint_class(gray(480, 640), ['cat'], [0.9], keep_size=True)) == 480


def test_a_small_image_is_enlarged_for_names_to_be_read():
    painted = paint_boxes(gray(30, 40), BOX / 10, ['cat'], [0.9])
    assert painted.shape == (240, 320, 3)


def test_a_class_is_written_with_its_runner_up():
    one = paint_class(gray(), ['cat'], [0.9])
    two = paint_class(gray(), ['cat', 'dog'], [0.9, 0.05])
    assert len(two) > len(one) > 480
    assert (two[:480] == 128).all()


def test_a_class_below_the_threshold_is_not_claimed():
    texts = {'threshold_text': 'below threshold 0.95'}
    sure, unsure = (
        paint_class(gray(), ['cat', 'dog'], [0.9, 0.05], sure=sure, **texts)
        for sure in (True, False)
    )
    assert 480 < len(unsure) < len(sure)
    tiny = paint_class(
        gray(48, 64), ['cat'], [0.9], sure=False, keep_size=True, **texts
    )
    assert (tiny == gray(48, 64)).all()


def label_height(size):
    """Return the height of a label on an image of ``size`` x ``size``."""
    image = np.full((size, size, 3), 128, np.uint8)
    box = np.array([[0.2, 0.5, 0.8, 0.9]]) * size
    painted = paint_boxes(image, box, ['cat'], [0.9], palette={'cat': (255, 0, 0)})
    column = painted[: size // 2, round(0.2 * size) + 1]
    return int((column == (0, 0, 255)).all(1).sum())


def test_text_grows_with_the_image_but_stays_readable():
    heights = [label_height(size) for size in (320, 640, 1600, 4800)]
    assert heights == sorted(set(heights))
    assert heights[0] >= 12
    assert 60 <= heights[-1] <= 200


def test_lines_grow_with_the_image():
    def thickness(size):
        image = np.full((size, size, 3), 128, np.uint8)
        box = np.array([[0.1, 0.5, 0.9, 0.9]]) * size
        painted = paint_boxes(image, box, ['cat'], [0.9])
        return int((painted[int(0.7 * size), : size // 2] != 128).any(1).sum())

    assert 1 <= thickness(320) < thickness(1600) < thickness(4800)


@pytest.mark.parametrize(
    'box',
    [
        (0, 0, 639, 479),
        (600, 0, 639, 20),
        (0, 470, 5, 479),
        (-50, -50, 900, 900),
        (630, 470, 640, 480),
        (300, 200, 301, 201),
        (700, 500, 800, 600),
    ],
)
def test_a_label_stays_inside_the_image(box):
    red = {'cat': (255, 0, 0)}
    painted = paint_boxes(gray(), np.array([box]), ['cat'], [0.9], palette=red)
    rows, columns = (painted == (0, 0, 255)).all(2).nonzero()
    label = painted[rows.min() :, columns.min() :]
    # All of the label's letters: as many light pixels as far from any edge.
    middle = paint_boxes(
        gray(), np.array([[200, 200, 400, 400]]), ['cat'], [0.9], palette=red
    )
    assert (label == 250).all(2).sum() == (middle == 250).all(2).sum()


def test_a_long_name_is_shortened_but_its_score_is_not():
    long = paint_boxes(gray(), BOX, ['cat ' * 200], [0.87])
    (row,) = {r for r in range(480) if (long[r, 2:638] != 128).all()} & {55}
    assert (long[row, -2:] != 128).any()


@pytest.mark.parametrize('letters', [30, 90, 400, 2000])
def test_as_much_of_a_long_name_is_kept_as_fits(letters):
    name = ('cat ' * letters)[:letters]
    painted = paint_boxes(gray(), BOX, [name], [0.87], palette={name: (255, 0, 0)})
    columns = (painted[:59] == (0, 0, 255)).all(2).any(0).nonzero()[0]
    length = columns[-1] - columns[0]
    assert length < 640
    if letters > 90:
        assert length > 640 - 20


def test_labels_do_not_cover_each_other():
    boxes = np.tile(BOX, (2, 1))
    palette = {'cat': (255, 0, 0), 'dog': (0, 0, 255)}
    alone = [
        paint_boxes(gray(), BOX, [name], [0.9], palette=palette)[:60]
        for name in palette
    ]
    both = paint_boxes(gray(), boxes, list(palette), [0.5, 0.9], palette=palette)
    # The surer one has the best place, above the box; the other is whole elsewhere.
    assert (both[:60, :150] == alone[1][:, :150]).all()
    red = (both == (0, 0, 255)).all(2).sum()
    assert red >= (alone[0] == (0, 0, 255)).all(2).sum()


def test_a_label_does_not_hide_a_small_box():
    boxes = np.vstack((BOX, [[30, 46, 38, 54]]))
    palette = {'cat': (255, 0, 0), 'fly': (0, 0, 255)}
    painted = paint_boxes(gray(), boxes, list(palette), [0.9, 0.5], palette=palette)
    assert (painted[46:54, 30] == (255, 0, 0)).all()
    assert (painted == (0, 0, 255)).all(2).any()


def test_labels_leave_most_of_a_crowded_image_free():
    corners = np.random.default_rng(0).uniform(0, 400, (200, 2))
    boxes = np.hstack((corners, corners + 60))
    names = [f'class {i % 10}' for i in range(200)]
    scores = np.linspace(0.3, 1, 200)
    palette = dict.fromkeys(names, (255, 255, 255))
    painted = paint_boxes(gray(), boxes, names, scores, palette=palette)
    # Opening takes the outlines away, which are thin.
    plain = (painted[:480] != 128).any(2).astype(np.uint8)
    labels = cv2.morphologyEx(plain, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    assert 0.15 < labels.mean() < 0.3
    # The legend below says what the others are.
    assert len(painted) > 480


def test_a_frame_has_no_legend():
    boxes = np.tile(BOX, (100, 1))
    painted = paint_boxes(gray(), boxes, ['cat'] * 100, [0.9] * 100, keep_size=True)
    assert painted.shape == gray().shape


@pytest.mark.parametrize(
    ('colour', 'letters'), [((255, 255, 0), 24), ((0, 0, 120), 250)]
)
def test_letters_are_dark_on_light_and_light_on_dark(colour, letters):
    painted = paint_boxes(gray(), BOX, ['cat'], [0.9], palette={'cat': colour})
    gray_level = np.where(painted.max(2) - painted.min(2) < 4, painted[..., 1], 128)
    assert (gray_level == letters).any()
    assert not (gray_level == 274 - letters).any()


@pytest.mark.parametrize('shape', [(1, 1), (1, 900), (900, 1), (40, 40)])
@pytest.mark.parametrize('keep_size', [False, True])
def test_odd_sizes_are_painted(shape, keep_size):
    image = gray(*shape)
    boxes = np.array([[0, 0, 1, 1], [np.nan, 0, np.inf, 1]])
    painted = paint_boxes(
        image,
        boxes,
        ['고양이', 'cat'],
        [1, 0.5],
        threshold_text='t',
        keep_size=keep_size,
    )
    assert painted.dtype == np.uint8
    assert (painted.shape == image.shape) == keep_size
    painted = paint_class(
        image, ['cat', 'dog'], [1, 0], threshold_text='t', keep_size=keep_size
    )
    assert (painted.shape == image.shape) == keep_size


def test_what_is_not_a_number_counts_as_the_edge():
    odd = paint_boxes(gray(), np.array([[np.nan, 20, np.inf, 90]]), ['cat'], [1])
    edge = paint_boxes(gray(), np.array([[0, 20, 640, 90]]), ['cat'], [1])
    assert (odd == edge).all()


def test_a_frame_of_a_classifier_keeps_its_size():
    painted = paint_class(gray(), ['cat', 'dog'], [0.9, 0.1], keep_size=True)
    assert painted.shape == gray().shape
    assert (painted[:300] == 128).all()
    assert (painted[400:] != 128).any()
