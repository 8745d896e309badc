import pytest

from custom_datasets.datasets.age_gender import AgeGenderDataset
from custom_datasets.errors import UserError
from custom_datasets.predicting.portraits import Portrait, name_class, read_portraits

CLASSES = AgeGenderDataset.METAINFO['classes']


@pytest.mark.parametrize(
    ('age', 'gender', 'label'),
    [
        ('20', 'male', '20s_male'),
        ('29.5', 'F', '20s_female'),
        ('30-39', 'Male', '30s_male'),
        (' 40s ', 'woman', '40s_female'),
        ('69', 'm', '60s_male'),
        ('60 - 69', 'Female', '60s_female'),
    ],
)
def test_a_class(age, gender, label):
    assert name_class(age, gender, CLASSES) == (label, '')


@pytest.mark.parametrize(
    'age', ['19', '70', '25-32', 'more than 70', '', '-20', '2o', '200']
)
def test_no_class_for_an_age(age):
    assert name_class(age, 'male', CLASSES) == ('', f'no class for the age {age!r}')


def test_no_class_for_a_gender():
    assert name_class('20', '1', CLASSES) == ('', "unknown gender '1'")


def test_a_class_that_the_data_set_has_not():
    assert name_class('35', 'f', ['20s_female'])[0] == ''


@pytest.fixture
def folders(tmp_path):
    def make(*files):
        for file in files:
            path = tmp_path / 'raw' / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'')
        return str(tmp_path / 'raw')

    return make


@pytest.mark.parametrize(
    ('folder', 'label'),
    [
        ('20s_male', '20s_male'),
        ('Male 30', '30s_male'),
        ('forties-women', '40s_female'),
        ('f_50s', '50s_female'),
        ('M60', '60s_male'),
        ('m.60', '60s_male'),
        ('20-29_male', '20s_male'),
    ],
)
def test_folders_are_called_in_any_order(folders, folder, label):
    (one,) = read_portraits(folders(f'{folder}/x/a.JPG'), CLASSES)
    assert (one.name, one.label) == (f'{folder}/x/a.JPG', label)


def test_nothing_of_other_folders_is_lost(folders):
    root = folders(
        '20s_male/a.jpg',
        '20s_male/notes.txt',
        '20s_male/.hidden.jpg',
        '.cache/a.jpg',
        '10s_male/b.png',
        'misc/c.jpg',
        '20s_30s_male/d.jpg',
        'loose.jpg',
    )
    found = {
        one.name: (one.label, one.problem) for one in read_portraits(root, CLASSES)
    }
    unclear = ('', "its folder's name has no age and gender")
    assert found == {
        '20s_male/a.jpg': ('20s_male', ''),
        '10s_male/b.png': ('', "no class for the age '10'"),
        'misc/c.jpg': unclear,
        '20s_30s_male/d.jpg': unclear,
    }


def write(tmp_path, text, encoding='utf-8'):
    path = tmp_path / 'faces.csv'
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_a_csv_as_fairface_has_it(tmp_path):
    path = write(
        tmp_path,
        'file,age,gender,race,service_test\r\n'
        'train/1.jpg,50-59,Male,East Asian,True\r\n'
        'train/2.jpg,more than 70,Female,Indian,False\r\n',
    )
    assert read_portraits(path, CLASSES) == [
        Portrait('train/1.jpg', str(tmp_path / 'train/1.jpg'), '50s_male'),
        Portrait(
            'train/2.jpg',
            str(tmp_path / 'train/2.jpg'),
            '',
            problem="no class for the age 'more than 70'",
        ),
    ]


def test_a_csv_with_people_a_byte_order_mark_and_rows_that_are_short(tmp_path):
    text = 'Path, Age ,Gender,Person\na.jpg,34,f,Ann B\nb.jpg,34\nc.jpg,20,m,\n'
    found = read_portraits(write(tmp_path, text, 'utf-8-sig'), CLASSES)
    assert [one.label for one in found] == ['30s_female', '', '20s_male']
    assert [one.person for one in found] == ['Ann B', '', '']
    assert found[1].problem == "unknown gender ''"


def test_an_image_in_two_rows_is_in_none(tmp_path):
    path = write(tmp_path, 'path,age,gender\na.jpg,34,f\na.jpg,44,f\nb.jpg,44,f\n')
    found = read_portraits(path, CLASSES)
    assert [one.problem for one in found] == [
        'appears in 2 rows',
        'appears in 2 rows',
        '',
    ]


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        (
            'path,age\na.jpg,3\n',
            'needs the columns path, age and gender, but has age, path',
        ),
        ('path,age,gender\n', 'has no images in class folders, or no rows'),
        ('', 'has no images in class folders, or no rows'),
    ],
)
def test_a_csv_that_says_nothing(tmp_path, text, sentence):
    with pytest.raises(UserError, match=sentence):
        read_portraits(write(tmp_path, text), CLASSES)


def test_bytes_that_are_no_text(tmp_path):
    with pytest.raises(UserError, match='not a CSV in UTF-8'):
        read_portraits(write(tmp_path, 'path,age,gender\n\xe9', 'latin-1'), CLASSES)


def test_nothing_there(tmp_path):
    with pytest.raises(
        UserError, match='does not exist; give a folder of class folders'
    ):
        read_portraits(str(tmp_path / 'nowhere'), CLASSES)
    with pytest.raises(UserError, match='no images'):
        read_portraits(str(tmp_path), CLASSES)
