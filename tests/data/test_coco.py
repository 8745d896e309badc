import json
import os
from pathlib import Path

import pytest

from custom_datasets.data import coco_split
from custom_datasets.data.coco_split import find_coco_json, require_sound_json
from custom_datasets.data.convert import convert, read_source
from custom_datasets.data.opening import load_json
from custom_datasets.data.split import read_source as split_source
from custom_datasets.data.split import split_dataset
from custom_datasets.errors import AnnotationError, UserError
from tests.data.drawing import coco_json, draw, objects, write

ANT = [(1, [1, 2, 3, 4])]
BOX = [('ant', (1.0, 2.0, 4.0, 6.0))]


def test_roboflow_coco(tmp_path):
    categories = (
        {'id': 0, 'name': 'insects', 'supercategory': 'none'},
        {'id': 1, 'name': 'ant', 'supercategory': 'insects'},
        {'id': 2, 'name': 'unused', 'supercategory': 'insects'},
    )
    for split in ('train', 'valid', 'test'):
        draw(tmp_path / split / '1_jpg.rf.ab.jpg')
        text = coco_json({'1_jpg.rf.ab.jpg': ANT}, categories)
        write(tmp_path / split / '_annotations.coco.json', text)
    source = read_source(str(tmp_path))
    assert source.classes == ('ant', 'unused')
    assert objects(source) == {
        s: {'1_jpg.rf.ab': BOX} for s in ('train', 'val', 'test')
    }
    assert source.splits['val'][0].image == str(tmp_path / 'valid/1_jpg.rf.ab.jpg')
    assert source.notes == ('1 category only groups others and is left out: insects',)


def test_a_group_with_boxes_is_a_class(tmp_path):
    categories = (
        {'id': 7, 'name': 'ant', 'supercategory': 'insect'},
        {'id': 3, 'name': 'insect', 'supercategory': 'insect'},
    )
    draw(tmp_path / 'a.jpg')
    text = coco_json({'a.jpg': [(3, [1, 2, 3, 4]), (7, [1, 2, 3, 4])]}, categories)
    write(tmp_path / 'a.json', text)
    source = read_source(str(tmp_path))
    assert source.classes == ('insect', 'ant')
    assert [name for name, _ in objects(source)['all']['a']] == ['insect', 'ant']


def test_the_official_layout(tmp_path):
    for split in ('train2017', 'val2017'):
        draw(tmp_path / split / '0001.jpg')
        text = coco_json({'0001.jpg': ANT})
        write(tmp_path / f'annotations/instances_{split}.json', text)
        captions = [{'id': 1, 'image_id': 1, 'caption': 'An ant.'}]
        text = coco_json({'0001.jpg': []}, annotations=captions)
        write(tmp_path / f'annotations/captions_{split}.json', text)
    source = read_source(str(tmp_path))
    assert objects(source) == {'train': {'0001': BOX}, 'val': {'0001': BOX}}
    assert 'val2017' in source.splits['val'][0].image


@pytest.mark.parametrize(
    'claim',
    [
        'images\\a.jpg',
        'C:\\Users\\me\\a.jpg',
        '/home/me/set/images/a.jpg',
        '../../label-studio/data/upload/1/a.jpg',
        'a',
        'a.png',
    ],
)
def test_file_names_as_tools_write_them(tmp_path, claim):
    draw(tmp_path / 'images/a.jpg')
    draw(tmp_path / 'images/other/b.jpg')
    write(tmp_path / 'result.json', '\ufeff' + coco_json({claim: ANT}))
    source = read_source(str(tmp_path))
    assert objects(source) == {'all': {'a': BOX}}
    assert source.notes == (
        'result.json: 1 image is not where its file_name says, but found by its '
        f'end: {claim} is images/a.jpg',
        '1 image that no JSON file names left out: images/other/b.jpg',
    )


@pytest.mark.parametrize('claim', ['a.jpg', './a.jpg', 'images/a.jpg', 'images//a.jpg'])
def test_file_names_that_say_where_images_are(tmp_path, claim):
    draw(tmp_path / 'images/a.jpg')
    draw(tmp_path / 'images/other/a.jpg')
    write(tmp_path / 'result.json', coco_json({claim: ANT}))
    source = read_source(str(tmp_path))
    assert objects(source) == {'all': {'a': BOX}}
    assert source.notes == (
        '1 image that no JSON file names left out: images/other/a.jpg',
    )


def test_folders_decide_between_equal_names(tmp_path):
    for folder in ('', 'x/', 'y/'):
        draw(tmp_path / f'images/{folder}a.jpg')
    write(tmp_path / 'annotations/all.json', coco_json({'y/a.jpg': ANT, 'a.jpg': []}))
    assert objects(read_source(str(tmp_path))) == {'all': {'y/a': BOX, 'a': []}}
    write(tmp_path / 'annotations/all.json', coco_json({'z/a.jpg': ANT}))
    with pytest.raises(AnnotationError, match=r'z/a\.jpg: no such image'):
        read_source(str(tmp_path))


def test_ids_may_be_text_and_have_gaps(tmp_path):
    draw(tmp_path / 'a.jpg')
    data = json.loads(coco_json({'a.jpg': ANT}))
    data['categories'] = [{'id': '90', 'name': 'bee'}, {'id': '5', 'name': 'ant'}]
    data['images'][0]['id'] = 'x-1'
    data['annotations'][0] |= {'image_id': 'x-1', 'category_id': '5'}
    write(tmp_path / 'a.json', json.dumps(data))
    source = read_source(str(tmp_path))
    assert source.classes == ('ant', 'bee')
    assert objects(source) == {'all': {'a': BOX}}


def test_an_image_in_two_parts(tmp_path):
    """With equal boxes it is one file, with others a copy of its own."""
    raw, out = tmp_path / 'raw', tmp_path / 'out'
    draw(raw / 'a.jpg')
    write(raw / 'train.json', coco_json({'a.jpg': ANT}))
    write(raw / 'val.json', coco_json({'a.jpg': ANT}))
    write(raw / 'test.json', coco_json({'a.jpg': []}))
    report = convert(str(raw), str(out))
    assert sorted(path.name for path in (out / 'JPEGImages').iterdir()) == [
        'a-2.jpg',
        'a.jpg',
    ]
    assert 'a.jpg -> a-2.jpg' in report
    assert objects(read_source(str(out))) == {
        'train': {'a': BOX},
        'val': {'a': BOX},
        'test': {'a-2': []},
    }


def test_polygons_crowds_and_dirt(tmp_path):
    draw(tmp_path / 'a.jpg')
    data = json.loads(coco_json({'a.jpg': [(1, [60, 40, 30, 0])] * 3}))
    first, crowd, _ = data['annotations']
    crowd['bbox'] = [60, 40, 30, 5]
    del first['bbox']
    first['segmentation'] = [[5, 9, 7.5, 1, 6, 2], [1, 3, 2, 4, 2, 3]]
    crowd['iscrowd'] = 1
    write(tmp_path / 'a.json', json.dumps(data))
    source = read_source(str(tmp_path))
    boxes = source.splits['all'][0].boxes
    assert [box.box for box in boxes] == [(1, 1, 7.5, 9), (60, 40, 64, 45)]
    assert [box.difficult for box in boxes] == [False, True]
    assert source.notes == (
        'a.json: 1 box is that around polygons, for lack of a "bbox"',
        '1 box clipped to the image',
        '1 box without area dropped',
    )


def test_copies_of_a_json_are_refused_as_in_a_split(tmp_path):
    draw(tmp_path / 'images/a.jpg')
    draw(tmp_path / 'images/b.jpg')
    write(tmp_path / 'all.json', coco_json({'a.jpg': ANT}))
    write(tmp_path / 'other.json', coco_json({'b.jpg': ANT}))
    source = read_source(str(tmp_path))
    assert [record.name for record in source.splits['other']] == ['b']
    write(tmp_path / 'other.json', coco_json({'b.jpg': ANT, 'a.jpg': ANT}))
    for read in (read_source, split_source):
        with pytest.raises(UserError, match='several COCO JSONs, keep or name one: '):
            read(str(tmp_path))


def test_an_image_in_two_files_of_a_part(tmp_path):
    draw(tmp_path / 'a.jpg')
    for name in ('instances_train', 'keypoints_train'):
        write(tmp_path / f'{name}.json', coco_json({'a.jpg': ANT}))
    with pytest.raises(AnnotationError, match=r'a is in instances_train\.json as well'):
        read_source(str(tmp_path))
    write(tmp_path / 'other_train.json', coco_json({'b.jpg': ANT}))
    draw(tmp_path / 'b.jpg')
    source = read_source(str(tmp_path), skip_broken=True)
    assert objects(source) == {'train': {'b': BOX}}


def test_not_coco(tmp_path):
    write(tmp_path / 'a.json', '{"images": []}')
    with pytest.raises(UserError, match='no JSON file with images and categories'):
        read_source(str(tmp_path), 'coco')


def test_what_is_written(voc, tmp_path):
    convert(str(voc), str(tmp_path / 'out'), to='coco')
    data = json.loads((tmp_path / 'out/annotations/test.json').read_text())
    assert data['categories'] == [
        {'id': 1, 'name': 'zebra'},
        {'id': 2, 'name': 'unused'},
        {'id': 3, 'name': 'ant'},
        {'id': 4, 'name': 'größe & höhe'},
    ]
    assert data['images'][0] == {
        'id': 1,
        'file_name': 'deep/a.jpg',
        'width': 64,
        'height': 48,
    }
    assert data['annotations'][0] == {
        'id': 1,
        'image_id': 1,
        'category_id': 3,
        'bbox': [6, 6, 14, 14.1],
        'area': pytest.approx(197.4),
        'iscrowd': 0,
    }
    from pycocotools.coco import COCO

    assert len(COCO(str(tmp_path / 'out/annotations/train.json')).anns) == 5


def test_a_part_without_images_is_left_out(tmp_path):
    draw(tmp_path / 'a.jpg')
    write(tmp_path / 'train.json', coco_json({'a.jpg': ANT}))
    write(tmp_path / 'test.json', coco_json({}))
    source = read_source(str(tmp_path))
    assert objects(source) == {'train': {'a': BOX}}
    assert source.notes == ('test.json: its list of images is empty; left out',)


@pytest.fixture
def photos(tmp_path):
    """Twelve images in a folder that is called like a part."""
    names = [f'train/{number:04}.jpg' for number in range(12)]
    for number, name in enumerate(names):
        draw(tmp_path / name, colour=(20 * number, 60, 90))
    return tmp_path, coco_json({name: [(1, [1, 2, 3, 4]), *BEE] for name in names})


BEE = [(2, [5, 6, 7, 8])]


@pytest.mark.parametrize('whole', ['train.json', 'all.json', 'annotations/all.json'])
def test_what_was_split_in_place_converts(photos, whole):
    """A part's images may be in the folder of another, and the whole is no part."""
    root, text = photos
    write(root / whole, text)
    split_dataset(str(root), {'train': 2, 'val': 1, 'test': 1})
    source = read_source(str(root))
    assert {part: len(records) for part, records in source.splits.items()} == {
        'train': 6,
        'val': 3,
        'test': 3,
    }
    assert source.notes == (
        f'{whole}: 12 of its images are in other JSON files, its parts, and taken from '
        'there',
    )


def test_images_of_a_whole_that_are_in_no_part(photos):
    root, text = photos
    write(root / 'all.json', text)
    data = json.loads(text)
    data['images'] = data['images'][:8]
    data['annotations'] = [a for a in data['annotations'] if a['image_id'] <= 8]
    write(root / 'annotations/train.json', json.dumps(data))
    parts = read_source(str(root)).splits
    assert {part: len(records) for part, records in parts.items()} == {
        'train': 8,
        'unlisted': 4,
    }


def test_files_of_folds_are_copies(photos):
    root, text = photos
    write(root / 'all.json', text)
    split_dataset(str(root), folds=3)
    source = read_source(str(root))
    assert {part: len(records) for part, records in source.splits.items()} == {
        'all': 12
    }


def test_two_files_with_other_images_are_parts_of_their_own(photos):
    root, text = photos
    data = json.loads(text)
    for name, chosen in {
        'cats': data['images'][:5],
        'dogs': data['images'][5:],
    }.items():
        ids = {image['id'] for image in chosen}
        boxes = [a for a in data['annotations'] if a['image_id'] in ids]
        part = {**data, 'images': chosen, 'annotations': boxes}
        write(root / f'{name}.json', json.dumps(part))
    parts = read_source(str(root)).splits
    assert {part: len(records) for part, records in parts.items()} == {
        'cats': 5,
        'dogs': 7,
    }


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir])
def test_a_pipe_or_a_folder_is_no_json(photos, make, monkeypatch):
    root, text = photos
    write(root / 'train.json', text)
    make(root / 'x.json')

    def load(path):
        assert Path(path).is_file(), 'a pipe would keep it waiting'
        return load_json(path)

    monkeypatch.setattr(coco_split, 'load_json', load)
    assert find_coco_json(str(root)) == str(root / 'train.json')
    require_sound_json(str(root))
