"""Folders of classes."""

import pytest

from custom_datasets.data.convert import convert, read_source
from custom_datasets.errors import AnnotationError, UserError
from tests.data.drawing import draw, objects, write


@pytest.fixture
def folders(tmp_path):
    root = tmp_path / 'folders'
    for name in ('dog/1.jpg', 'cat/1.jpg', 'cat/2.PNG'):
        draw(root / name)
    return root


def test_class_folders_become_lists(folders, tmp_path):
    draw(folders / 'cover.jpg')
    report = convert(str(folders), str(tmp_path / 'out'))
    assert (tmp_path / 'out/all.txt').read_text() == (
        'cat/1.jpg\tcat\ncat/2.PNG\tcat\ndog/1.jpg\tdog\n'
    )
    assert (tmp_path / 'out/classes.txt').read_text() == 'cat\ndog\n'
    assert '1 image outside of class folders left out: cover.jpg' in report


def test_lists_are_what_the_data_set_class_reads(folders, tmp_path):
    from custom_datasets.datasets.class_list import ClassListDataset

    convert(str(folders), str(tmp_path / 'out'))
    dataset = ClassListDataset(
        'all.txt',
        data_root=str(tmp_path / 'out'),
        metainfo={'classes': str(tmp_path / 'out/classes.txt')},
    )
    assert [int(label) for label in dataset.get_gt_labels()] == [0, 0, 1]


@pytest.mark.parametrize('target', ['voc', 'coco', 'yolo'])
def test_class_folders_become_whole_boxes_if_asked(folders, tmp_path, target):
    report = convert(str(folders), str(tmp_path / 'out'), to=target)
    assert "each image's class became one box over all of it" in report
    whole = (0.0, 0.0, 64.0, 48.0)
    assert objects(read_source(str(tmp_path / 'out'))) == {
        'all': {
            'cat/1': [('cat', whole)],
            'cat/2': [('cat', whole)],
            'dog/1': [('dog', whole)],
        }
    }


def test_class_folders_with_an_unreadable_image(folders, tmp_path):
    write(folders / 'cat/3.jpg', 'no image')
    with pytest.raises(AnnotationError, match=r'  cat/3\.jpg: is not an image of'):
        convert(str(folders), str(tmp_path / 'out'), to='voc')


def test_what_is_no_image_and_empty_folders_are_told(folders, tmp_path):
    write(folders / 'cat/logo.svg', '<svg/>')
    write(folders / 'classes.csv', 'dog')
    (folders / 'fish/none').mkdir(parents=True)
    draw(folders / 'bird/wild/1.PPM')
    report = convert(str(folders), str(tmp_path / 'out'))
    assert '- 1 file in class folders is not a readable image: cat/logo.svg' in report
    assert '- 1 class folder without an image left out: fish\n' in report
    assert (tmp_path / 'out/classes.txt').read_text() == 'bird\ncat\ndog\n'
    assert (tmp_path / 'out/bird/wild/1.PPM').exists()


def test_empty_folders_in_parts(tmp_path):
    for name in ('train/cat/1.jpg', 'train/dog/1.jpg', 'val/cat/2.jpg'):
        draw(tmp_path / 'in' / name)
    (tmp_path / 'in/val/dog').mkdir()
    report = convert(str(tmp_path / 'in'), str(tmp_path / 'out'))
    assert 'without an image left out: val/dog\n' in report + '\n'


def test_numbers_are_in_order_of_their_value(tmp_path):
    for name in (*map(str, range(12)), '007', 'zebra', 'ant', '٣'):
        draw(tmp_path / 'in' / name / '1.jpg')
    named = ('ant', 'zebra', '٣')
    numbers = ('0', '1', '2', '3', '4', '5', '6', '007', '7', '8', '9', '10', '11')
    assert read_source(str(tmp_path)).classes == (*numbers, *named)
    # What a list says stays.
    listed = ('11', 'zebra', '2', '0', '1', '10')
    write(tmp_path / 'in/classes.txt', '\n'.join(listed))
    rest = tuple(name for name in (*numbers, *named) if name not in listed)
    assert read_source(str(tmp_path / 'in')).classes == listed + rest


def test_boxes_do_not_go_into_class_lists(voc, tmp_path):
    with pytest.raises(UserError, match='has boxes, so class lists are not for it'):
        convert(str(voc), str(tmp_path / 'out'), to='class-lists')
