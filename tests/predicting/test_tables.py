"""CSV files as competitions take them."""

import pytest

from custom_datasets.errors import UserError
from custom_datasets.predicting.tables import (
    ORDER,
    SampleSubmission,
    classification_table,
    detection_table,
)
from tests.predicting.drawn import boxes, classified, images

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
        "s.csv: its label '2' is none of those written (0, 1); see --labels"
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
    assert "its label '3' is none of those written (0, 1, 2)" in notes[0]


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
