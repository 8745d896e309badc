"""Images are called as in the sample, which is read whatever wrote it."""

import pytest

from custom_datasets.errors import UserError
from custom_datasets.predicting.tables import (
    SampleSubmission,
    image_ids,
    path_ends,
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
        ('', 'no CSV with a header'),
        ('id,label\n', 'no CSV with a header'),
        ('id;label\na;0\n', 'apart by commas'),
        ('id,label\na,0\nb\n', 'line 3: the header has 2 columns, this row 1'),
        ('id,label\na,0\n\na,1\n', "line 4: 'a' is there twice"),
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
    with pytest.raises(UserError, match=r"'3' for one \(by their stem\)"):
        image_ids(pictures, 'stem', sample_of('0', '1', '2'))


def test_leading_zeros_count():
    with pytest.raises(UserError, match=r"'12\.jpg' for one .* it has '0012', for one"):
        image_ids(images('12.jpg'), None, sample_of('0012'))


def test_predicted_images_that_the_sample_lacks():
    with pytest.raises(UserError, match=r"s\.csv: 1 of 3 predicted .*, 'b' for one"):
        image_ids(images('a.jpg', 'b.jpg', 'c.jpg'), 'stem', sample_of('a', 'c'))


def test_images_of_the_sample_that_are_not_predicted():
    with pytest.raises(UserError, match=r"s\.csv: 2 of its 3 .* not predicted, 'b'"):
        image_ids(images('a.jpg'), None, sample_of('a', 'c', 'b'))


def test_two_images_of_one_id():
    with pytest.raises(UserError, match="2 images are called 'a' by their path"):
        image_ids(images('/d/a.jpg', '/d/a.png'), None, sample_of('a', 'b'))


def test_predictions_without_paths_have_ids_only():
    pictures = images('', '')
    assert image_ids(pictures, 'img_id', None) == ['0', '1']
    with pytest.raises(UserError, match=r'no path for image 0; .*--id img_id'):
        image_ids(pictures, None, None)


def test_ends_of_a_path():
    assert list(path_ends('/x/y.z/a.b.jpg')) == [
        *('/x/y.z/a.b.jpg', '/x/y.z/a.b', 'x/y.z/a.b.jpg', 'x/y.z/a.b'),
        *('y.z/a.b.jpg', 'y.z/a.b', 'a.b.jpg', 'a.b'),
    ]
