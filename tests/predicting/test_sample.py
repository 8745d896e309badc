"""Images and labels are called as in the sample, which is read whatever wrote it."""

import pytest

from custom_datasets.errors import UserError
from custom_datasets.predicting.sample import (
    SampleSubmission,
    compare_labels,
    image_ids,
    label_texts,
    read_sample,
)
from tests.predicting.drawn import images


def sample_of(*ids):
    return SampleSubmission('s.csv', ('id', 'label'), 0, {one: ('',) for one in ids})


@pytest.fixture
def sample(tmp_path):
    def write(data):
        path = tmp_path / 'sample.csv'
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read_sample(str(path))

    return write


@pytest.mark.parametrize(
    'data',
    [
        'image_id,label\n0012,cat\n0003,dog\n',
        b'\xef\xbb\xbfimage_id,label\r\n0012,cat\r\n0003,dog\r\n',
        '"image_id","label"\n"0012","cat"\n"0003","dog"',
        'image_id,label\n\n0012,cat\n\n0003,dog\n\n',
    ],
    ids=['plain', 'BOM and CRLF', 'quoted', 'blank lines'],
)
def test_any_csv_is_the_same_sample(sample, data):
    found = sample(data)
    assert found.columns == ('image_id', 'label')
    assert list(found.rows.items()) == [('0012', ('cat',)), ('0003', ('dog',))]
    assert found.key == 0
    assert found.answers == ('label',)


def test_quoted_commas_stay_in_their_column(sample):
    assert sample('id,label\n"a,b.png","x, y"\n').rows == {'a,b.png': ('x, y',)}


@pytest.mark.parametrize(
    ('header', 'key'),
    [
        ('PredictionString,image_id', 1),
        ('PredictionString, image_id', 1),
        ('prediction_string,frame', 1),
        ('label,File Name', 1),
        ('patientId,PredictionString', 0),
        ('code,Image Name', 1),
        ('cat,ID,dog', 1),
        ('what,ever', 0),
        ('label,target', 0),
        ('image_id,id', 0),
    ],
)
def test_the_column_of_images_is_known_by_name(sample, header, key):
    row = ','.join('abc'[: header.count(',') + 1])
    found = sample(f'{header}\n{row}\n')
    assert found.key == key
    assert list(found.rows) == ['abc'[key]]
    assert found.answers == tuple(
        c for k, c in enumerate(header.split(',')) if k != key
    )


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        ('', 'not a CSV with a header'),
        ('id,label\n', 'not a CSV with a header'),
        ('id;label\na;0\n', 'separated by commas'),
        ('id,label\na,0\nb\n', 'line 3: the header has 2 columns, but this row has 1'),
        ('id,label\na,0\n\na,1\n', "line 4: 'a' appears twice"),
        (b'\xff\xfei\x00d\x00', 'not a CSV file'),
    ],
)
def test_what_is_no_sample_is_refused(sample, data, message):
    with pytest.raises(UserError, match=r'sample\.csv') as caught:
        sample(data)
    assert message in str(caught.value)


def test_a_missing_sample_is_refused(tmp_path):
    with pytest.raises(UserError, match='cannot be read'):
        read_sample(str(tmp_path / 'none.csv'))


PICTURES = images('/data/test/a/0001.jpg', '/data/test/b/0002.v2.jpg')


@pytest.mark.parametrize(
    ('form', 'ids'),
    [
        (None, ['0001', '0002.v2']),
        ('stem', ['0001', '0002.v2']),
        ('name', ['0001.jpg', '0002.v2.jpg']),
        ('path', ['a/0001.jpg', 'b/0002.v2.jpg']),
        ('img_id', ['0', '1']),
    ],
)
def test_images_without_a_sample(form, ids):
    assert image_ids(PICTURES, form, None) == ids


@pytest.mark.parametrize(
    'ids',
    [
        ['0001', '0002.v2'],
        ['0001.jpg', '0002.v2.jpg'],
        ['a/0001', 'b/0002.v2'],
        ['test/a/0001.jpg', 'test/b/0002.v2.jpg'],
        ['/data/test/a/0001.jpg', '/data/test/b/0002.v2.jpg'],
        ['0', '1'],
    ],
)
def test_images_are_called_as_in_the_sample(ids):
    assert image_ids(PICTURES, None, sample_of(*ids[::-1])) == ids


def test_names_that_repeat_are_told_apart_by_their_folders():
    pictures = images('/d/a/1.jpg', '/d/b/1.jpg', '/d/1.jpg')
    known = sample_of('1.jpg', 'a/1.jpg', 'b/1.jpg')
    assert image_ids(pictures, None, known) == ['a/1.jpg', 'b/1.jpg', '1.jpg']
    with pytest.raises(UserError, match=r"3 images are called '1' by their stem; see"):
        image_ids(pictures, None, None)


def test_names_go_before_ids_of_the_data_set_when_both_fit():
    assert image_ids(images('1.jpg', '0.jpg'), None, sample_of('0', '1')) == ['1', '0']


def test_ids_of_the_data_set_where_names_fit_less():
    pictures = images('1.jpg', '2.jpg', '3.jpg')
    assert image_ids(pictures, None, sample_of('0', '1', '2')) == ['0', '1', '2']
    with pytest.raises(UserError, match=r"for example '3' \(by their stem\)"):
        image_ids(pictures, 'stem', sample_of('0', '1', '2'))


def test_leading_zeros_count():
    with pytest.raises(
        UserError, match=r"example '12\.jpg' .* it has, for example, '0012'"
    ):
        image_ids(images('12.jpg'), None, sample_of('0012'))


def test_predicted_images_that_the_sample_lacks():
    with pytest.raises(
        UserError, match=r"s\.csv: 1 of 3 predicted .*, for example 'b'"
    ):
        image_ids(images('a.jpg', 'b.jpg', 'c.jpg'), 'stem', sample_of('a', 'c'))


def test_images_of_the_sample_that_are_not_predicted():
    with pytest.raises(
        UserError, match=r"s\.csv: 2 of its 3 .* predicted, for example 'b'"
    ):
        image_ids(images('a.jpg'), None, sample_of('a', 'c', 'b'))


def test_two_images_of_one_id():
    with pytest.raises(UserError, match="2 images are called 'a' by their path"):
        image_ids(images('/d/a.jpg', '/d/a.png'), None, sample_of('a', 'b'))


def test_predictions_without_paths_have_ids_only():
    pictures = images('', '')
    assert image_ids(pictures, 'img_id', None) == ['0', '1']
    with pytest.raises(UserError, match=r'no path for image 0; .*--id img_id'):
        image_ids(pictures, None, None)


@pytest.mark.parametrize(
    ('style', 'names', 'texts'),
    [
        ('0', None, ['0', '1', '2']),
        ('1', None, ['1', '2', '3']),
        ('0', 'abcd', ['0', '1', '2', '3']),
        ('1', 'abcd', ['1', '2', '3', '4']),
        ('names', ('a b', 'c', 'd'), ['a b', 'c', 'd']),
    ],
)
def test_styles(style, names, texts):
    assert label_texts(3, style, names) == texts


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((3, 'names', None), 'give --config CONFIG'),
        ((3, '0', ('a', 'b')), r'label 2 is predicted, .* only 2 classes \(a, b\)'),
        ((2, 'names', ('a', 'b c'), ' '), "'b c': a name with a space"),
    ],
)
def test_labels_that_cannot_be_written(arguments, message):
    with pytest.raises(UserError, match=message):
        label_texts(*arguments)


@pytest.mark.parametrize(
    ('given', 'labels'),
    [
        (['0', '2'], ['0', '1', '2']),
        (['', ''], ['0', '1']),
        (['cat'], ['cat', 'dog']),
        (['7'], []),
        (['2', 'b'], ['2', 'b']),
    ],
)
def test_labels_as_in_the_sample(given, labels):
    assert compare_labels('s.csv', given, labels) == []


@pytest.mark.parametrize(
    ('given', 'labels', 'message'),
    [
        (['cat'], ['0', '1'], "label 'cat' where '0' would be written; see --labels"),
        (['0', '1'], ['cat', 'dog'], "label '0' where 'cat' would be written"),
        (['0.5'], ['0', '1'], "label '0.5' where '0' would"),
    ],
)
def test_labels_of_another_style(given, labels, message):
    with pytest.raises(UserError, match=r's\.csv') as caught:
        compare_labels('s.csv', given, labels)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ('given', 'labels', 'strange'),
    [
        (['1', '2', '3'], ['0', '1', '2'], '3'),
        (['-1'], ['0', '1'], '-1'),
        (['cat', 'cow'], ['cat', 'dog'], 'cow'),
    ],
)
def test_labels_that_are_never_written(given, labels, strange):
    (note,) = compare_labels('s.csv', given, labels)
    assert note.startswith(
        f's.csv: its label {strange!r} is not one of those written ('
    )
