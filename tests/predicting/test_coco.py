"""COCO's results: the ids are the file's, and every image is found in it."""

import json

import pytest

from custom_datasets.data.coco import read_sound_coco
from custom_datasets.errors import UserError
from custom_datasets.predicting.tables import coco_text
from tests.predicting.drawn import boxes, coco_content, images, write_json

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


def test_a_file_without_images(coco):
    with pytest.raises(UserError, match=r'test\.json: it lists no image'):
        coco_text(images('a.jpg'), boxes(ROW), 'xy', coco(()))
