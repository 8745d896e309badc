"""What competitions take: boxes, CSV files, and COCO's results."""

import json
from dataclasses import replace

import pytest

from custom_datasets.data.coco import read_sound_coco
from custom_datasets.errors import UserError
from custom_datasets.predicting.sample import SampleSubmission
from custom_datasets.predicting.tables import (
    ORDER,
    boxes_inside,
    classification_table,
    coco_text,
    detection_table,
    parse_order,
)
from tests.predicting.drawn import (
    boxes,
    classified,
    coco_content,
    detected,
    images,
    write_json,
)

ONE = images('one.png')


def test_boxes_are_cut_at_the_edges_of_their_own_image():
    pictures = (*ONE, *images('two.png', size=(20, 30)))
    box = (-5.0, -0.25, 70.0, 60.0)
    found, notes = boxes_inside(
        detected(pictures, (0, 0, 0.9, box), (1, 1, 0.8, box)), 0
    )
    assert found.box.tolist() == [[0, 0, 64, 48], [0, 0, 20, 30]]
    assert found.image.tolist() == [0, 1]
    assert found.label.tolist() == [0, 1]
    assert notes == ['boxes that reached more than a pixel past their image, cut: 2']


def test_less_than_a_pixel_outside_is_not_worth_a_note():
    found, notes = boxes_inside(detected(ONE, (0, 0, 0.9, (-0.9, 1, 64.9, 9))), 0)
    assert found.box.tolist() == [[0, 1, 64, 9]]
    assert notes == []


@pytest.mark.parametrize(
    'box',
    [
        (70, 5, 80, 9),  # right of the image
        (5, -9, 9, 0),  # above it
        (5, 5, 5, 9),  # without width
        (9, 5, 5, 9),  # the wrong way round
        (5, 5, 5.0003, 9),  # none of it left when rounded
    ],
)
def test_boxes_without_area_inside_are_left_out(box):
    found, notes = boxes_inside(
        detected(ONE, (0, 1, 0.9, box), (0, 0, 0.5, (1, 2, 3, 4))), 0
    )
    assert found.box.tolist() == [[1, 2, 3, 4]]
    assert (found.label.tolist(), found.score.tolist()) == ([0], [0.5])
    assert notes == ['boxes without area inside their image, left out: 1']


def test_a_threshold_keeps_what_reaches_it_and_counts_no_other():
    outside = (70, 5, 80, 9)
    rows = [(0, 0, 0.7, (0, 0, 9, 9)), (0, 0, 0.5, (1, 1, 9, 9)), (0, 0, 0.4, outside)]
    found, notes = boxes_inside(detected(ONE, *rows), 0.5)
    assert found.score.tolist() == [0.7, 0.5]
    assert notes == []


def test_scores_a_hair_above_one_are_one():
    found, _ = boxes_inside(detected(ONE, (0, 0, 1 + 5e-7, (0, 0, 9, 9))), 0)
    assert found.score.tolist() == [1]


def test_no_boxes():
    found, notes = boxes_inside(detected(ONE), 0)
    assert found.box.shape == (0, 4)
    assert notes == []


def test_an_image_without_a_size_is_named():
    pictures = (*ONE, replace(ONE[0], key='1', path='two.png', size=None))
    with pytest.raises(UserError, match=r'no size for two\.png; .*ori_shape'):
        boxes_inside(detected(pictures), 0)


def test_order_is_read_with_spaces_or_commas():
    fields = ['xmin', 'ymin', 'width', 'height', 'score']
    assert parse_order('xmin, ymin,width  height score') == fields
    assert parse_order(ORDER) == ['label', 'score', 'xmin', 'ymin', 'xmax', 'ymax']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('label conf xmin ymin xmax ymax', "'conf' is not one of label, score"),
        ('label score xmin ymin xmax', 'it needs xmin, ymin'),
        ('label score xmin xmin ymin xmax ymax', 'each once'),
        ('xmin ymin xmax height', 'it needs xmin, ymin'),
        ('xmin ymin xmax ymax width height', 'it needs xmin, ymin'),
        ('', 'it needs xmin, ymin'),
    ],
)
def test_orders_that_make_no_box_are_refused(text, message):
    with pytest.raises(UserError, match='--order') as caught:
        parse_order(text)
    assert message in str(caught.value)


def written(row, order=ORDER):
    """Return what a table has of one box."""
    text, _ = detection_table(['x'], boxes(row), ['0', 'cat'], parse_order(order), None)
    return text.splitlines()[1].partition(',')[2]


def test_a_box_is_written_in_its_order():
    row = (0, 1, 0.5, (10.5, 20.0, 30.25, 41.125))
    assert written(row) == 'cat 0.5 10.5 20 30.25 41.125'
    sides = 'score xmin ymin width height label'
    assert written(row, sides) == '0.5 10.5 20 19.75 21.125 cat'


@pytest.mark.parametrize(
    ('score', 'right', 'text'),
    [
        (0.00001234, 123456.0, '0.00001234 0 0 123456 1'),
        (1e-9, 100.0, '0 0 0 100 1'),
        (0.1 + 0.2, 1279.9996, '0.3 0 0 1280 1'),
    ],
)
def test_numbers_have_no_exponent_and_no_trailing_zeros(score, right, text):
    row = (0, 1, score, (-0.0, 0, right, 1))
    assert written(row, 'score xmin ymin xmax ymax') == text


FIELDS = ORDER.split()
FOUND = boxes((0, 1, 0.75, (1, 2, 3.5, 4)), (0, 0, 0.5, (5, 6, 7, 8)))


def sample_of(columns, rows, key=0):
    return SampleSubmission('s.csv', tuple(columns), key, rows)


def detection_sample(text):
    return sample_of(('image_id', 'PredictionString'), {'x': (text,), 'y': ('',)})


def test_boxes_without_a_sample():
    text, notes = detection_table(['x', 'y'], FOUND, ['a', 'b'], FIELDS, None)
    assert text == ('image_id,PredictionString\nx,b 0.75 1 2 3.5 4 a 0.5 5 6 7 8\ny,\n')
    assert notes == []


def test_boxes_in_the_order_of_rows_and_columns_of_the_sample():
    columns = ('PredictionString', 'image_id')
    sample = sample_of(columns, {'y': ('',), 'x': ('',)}, key=1)
    text, _ = detection_table(['x', 'y'], FOUND, ['0', '1'], FIELDS, sample)
    assert text == ('PredictionString,image_id\n,y\n1 0.75 1 2 3.5 4 0 0.5 5 6 7 8,x\n')


def test_ids_with_commas_are_quoted():
    text, _ = detection_table(['a,b', 'c'], boxes(), [], FIELDS, None)
    assert text == 'image_id,PredictionString\n"a,b",\nc,\n'


@pytest.mark.parametrize(
    'text',
    [
        '',
        '1 0.5 0 0 10 10',
        '0 1.0 0 0 10 10 1 1 0 0 1e2 10',
    ],
)
def test_boxes_that_are_as_in_the_sample(text):
    sample = detection_sample(text)
    _, notes = detection_table(['x', 'y'], FOUND, ['0', '1'], FIELDS, sample)
    assert notes == []


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('0.5 0 0 10 10', 'not made of'),  # no label
        ('5 6 10 10 0 0.5', 'not made of'),  # the score is last
        ('0.5 0 0 10 10 cat', 'not made of'),  # the label is last
        ('0 0.5 0 0 10 nan', 'not made of'),
        ('cat 0.5 0 0 10 10', "the label 'cat' where '0' would be written"),
    ],
)
def test_boxes_that_are_not_as_in_the_sample(text, message):
    with pytest.raises(UserError, match=r's\.csv: .*--order') as caught:
        detection_table(['x', 'y'], FOUND, ['0', '1'], FIELDS, detection_sample(text))
    assert message in str(caught.value)


def test_an_order_without_labels_asks_for_none():
    fields = 'score xmin ymin width height'.split()
    sample = detection_sample('0.9 10 10 5 5')
    text, notes = detection_table(['x', 'y'], FOUND, ['0', '1'], fields, sample)
    assert text.splitlines()[1] == 'x,0.75 1 2 2.5 2 0.5 5 6 2 2'
    assert notes == []


def test_a_label_of_the_sample_that_is_none_of_ours_is_said():
    sample = detection_sample('2 1 0 0 1 1')
    _, notes = detection_table(['x', 'y'], FOUND, ['0', '1'], FIELDS, sample)
    assert notes == [
        "s.csv: its label '2' is not one of those written (0, 1); see --labels"
    ]


def test_boxes_need_two_columns():
    sample = sample_of(('id', 'xmin', 'ymin'), {'x': ('0', '0'), 'y': ('0', '0')})
    with pytest.raises(UserError, match=r's\.csv: columns id, xmin, ymin; boxes need'):
        detection_table(['x', 'y'], FOUND, ['0', '1'], FIELDS, sample)


SCORES = classified(
    images('x.jpg', 'y.jpg'), [[0.1, 0.7, 0.2], [1 - 2e-6, 1.234e-6, 0.766e-6]]
)
NAMES = ('cat', 'big dog', 'cow')


def table(labels='012', names=None, sample=None):
    return classification_table(['x', 'y'], SCORES, list(labels), names, sample)


def test_labels_without_a_sample():
    assert table() == ('id,label\nx,1\ny,0\n', [])
    assert table(NAMES, NAMES) == ('id,label\nx,big dog\ny,cat\n', [])


def test_a_class_called_label_is_no_column_of_it():
    assert table(names=('label', 'b', 'c'))[0] == 'id,label\nx,1\ny,0\n'


def test_labels_in_the_order_of_rows_and_columns_of_the_sample():
    sample = sample_of(('target', 'img'), {'y': ('0',), 'x': ('0',)}, key=1)
    assert table(sample=sample) == ('target,img\n0,y\n1,x\n', [])


def test_a_sample_with_other_labels():
    rows = {'x': ('cat',), 'y': ('cow',)}
    with pytest.raises(UserError, match=r"s\.csv: it has the label 'cat' where '0'"):
        table(names=NAMES, sample=sample_of(('id', 'label'), rows))
    rows = {'x': ('3',), 'y': ('1',)}
    _, notes = table(sample=sample_of(('id', 'label'), rows))
    assert len(notes) == 1
    assert "its label '3' is not one of those written (0, 1, 2)" in notes[0]


@pytest.mark.parametrize(
    ('labels', 'columns'),
    [('012', ('cow', 'id', 'cat', 'big dog')), ('123', ('3', 'id', '1', '2'))],
    ids=['names', 'numbers'],
)
def test_probabilities_where_columns_are_called_as_classes(labels, columns):
    rows = {'y': ('', '', ''), 'x': ('', '', '')}
    sample = sample_of(columns, rows, key=1)
    text, notes = table(labels, NAMES, sample)
    assert text.splitlines() == [
        ','.join(columns),
        '0.00000077,y,0.999998,0.00000123',
        '0.2,x,0.1,0.7',
    ]
    assert notes == []


def test_one_column_that_is_called_as_one_of_two_classes():
    results = classified(images('x.jpg'), [[0.25, 0.75]])
    sample = sample_of(('id', 'dog'), {'x': ('0.5',)})
    text, _ = classification_table(['x'], results, '01', ('cat', 'dog'), sample)
    assert text == 'id,dog\nx,0.75\n'


@pytest.mark.parametrize('columns', [('id', 'cat', 'sheep', 'cow'), ('id', 'a', 'b')])
def test_columns_that_are_no_classes(columns):
    sample = sample_of(columns, {key: ('',) * (len(columns) - 1) for key in 'xy'})
    known = ', '.join(columns[1:])
    with pytest.raises(UserError, match=rf's\.csv: its columns {known} are neither'):
        table(names=NAMES, sample=sample)


def test_a_class_alone_is_no_column_of_probabilities_among_three():
    with pytest.raises(UserError, match=r"label '0\.5' where '0' would be written"):
        table(names=NAMES, sample=sample_of(('id', 'cow'), {k: ('0.5',) for k in 'xy'}))


ROW = (0, 1, 0.75, (1.5, 2.0, 11.25, 8.0))


@pytest.fixture
def coco(tmp_path):
    def read(names=('a.jpg', 'b.jpg'), classes='xy', **more):
        content = {**coco_content(names, classes), **more}
        path = write_json(tmp_path / 'test.json', content)
        return read_sound_coco(path, needs_truth=False)

    return read


def test_boxes_are_xywh_with_the_ids_of_the_file(coco):
    found = boxes(ROW, (1, 0, 0.125, (0.1, 0, 0.4, 0.3)))
    text, notes = coco_text(images('/d/b.jpg', '/d/a.jpg'), found, 'xy', coco())
    assert json.loads(text) == [
        {'image_id': 8, 'category_id': 4, 'bbox': [1.5, 2, 9.75, 6], 'score': 0.75},
        {'image_id': 7, 'category_id': 3, 'bbox': [0.1, 0, 0.3, 0.3], 'score': 0.125},
    ]
    assert notes == []


def test_categories_go_by_name(coco):
    text, _ = coco_text(images('a.jpg'), boxes(ROW), 'yx', coco(('a.jpg',)))
    assert json.loads(text)[0]['category_id'] == 3


def test_the_longest_end_of_the_path_is_the_file(coco):
    file = coco(['1.jpg', 'test/1.jpg', './train/1.jpg', '/whole/1.jpg'])
    pictures = images('/d/test/1.jpg', '/d/train/1.jpg', '/whole/1.jpg', '/d/1.jpg')
    found = boxes(*((k, *ROW[1:]) for k in range(4)))
    rows = json.loads(coco_text(pictures, found, 'xy', file)[0])
    assert [row['image_id'] for row in rows] == [8, 9, 10, 7]


def test_ids_that_are_text_stay_text(coco):
    file = coco(images=[{'id': '0012', 'file_name': 'a.jpg'}])
    text, _ = coco_text(images('a.jpg'), boxes(ROW), 'xy', file)
    assert json.loads(text)[0]['image_id'] == '0012'


def test_images_that_are_not_predicted_are_counted(coco):
    text, notes = coco_text(images('a.jpg'), boxes(), 'xy', coco(('a.jpg', 'b', 'c')))
    assert text == '[]'
    assert len(notes) == 1
    assert notes[0].startswith('images of ')
    assert notes[0].endswith('test.json that are not predicted: 2')


@pytest.mark.parametrize(
    ('names', 'classes', 'message'),
    [
        (['c.jpg'], 'xy', r'test\.json: no image with the file name of /d/c\.jpg'),
        (['a.jpg', 'b.jpg'], 'xz', r"test\.json: no category 'z'; it has x, y"),
        (['a.jpg', 'x/a.jpg'], 'xy', r'/d/a\.jpg and /d/x/a\.jpg are both its image 7'),
    ],
)
def test_what_the_file_does_not_have(coco, names, classes, message):
    pictures = images(*(f'/d/{name}' for name in names))
    with pytest.raises(UserError, match=message):
        coco_text(pictures, boxes(), classes, coco())


@pytest.mark.parametrize('categories', [[], None])
def test_a_file_without_categories_can_be_read(coco, categories):
    file = coco(categories=categories)
    with pytest.raises(UserError, match="no category 'x'; copy the categories"):
        coco_text(images('a.jpg'), boxes(ROW), 'xy', file)


def test_a_class_of_two_ids_has_none_to_submit(coco):
    with pytest.raises(UserError, match='the category x has several ids'):
        coco_text(images('a.jpg'), boxes(ROW), 'xy', coco(classes='xyx'))
