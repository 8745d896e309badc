"""The COCO base class on files that are written here, with every kind of dirt."""

import json

import pytest
from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope
from PIL import Image

from custom_datasets.datasets import boxes as box_loading
from custom_datasets.datasets.coco import CocoFileDataset
from custom_datasets.errors import AnnotationError, ConfigError

# The file lists them the other way round, under other numbers.
CATEGORIES = [{'id': 7, 'name': 'dog'}, {'id': 3, 'name': 'cat'}]
CAT, DOG = 3, 7


class PetDataset(CocoFileDataset):
    METAINFO = {'classes': ('cat', 'dog'), 'palette': [(1, 2, 3), (4, 5, 6)]}


class Folder:
    """Images of 64x48 pixels and their JSON."""

    def __init__(self, root):
        self.root = root
        self.content = {'images': [], 'annotations': [], 'categories': CATEGORIES}

    def add(self, name, *objects, **entry):
        """Add an image with its ``(category, x, y, width, height)``."""
        number = 100 + len(self.content['images'])
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (64, 48)).save(path)
        size = {'width': 64, 'height': 48}
        self.content['images'].append(
            {'id': number, 'file_name': name, **size, **entry}
        )
        for category, *bbox in objects:
            self.annotate(image_id=number, category_id=category, bbox=bbox)
        return number

    def annotate(self, **entry):
        annotations = self.content['annotations']
        annotations.append({'id': len(annotations), **entry})

    def load(self, kind=PetDataset, **options):
        (self.root / 'a.json').write_text(json.dumps(self.content))
        return kind('a.json', data_root=str(self.root), **options)

    def problems(self, **options):
        with pytest.raises(AnnotationError) as caught:
            self.load(**options)
        return [text.replace(f'{self.root}/', '') for text in caught.value.problems]


BOTH = (CAT, 1, 2, 30, 40), (DOG, 5, 5, 20, 20)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        box_loading, 'print_log', lambda text, logger: lines.append(text)
    )
    return lines


def test_labels_are_places_in_metainfo(folder, log):
    folder.add('train/0000.jpg', *BOTH)
    dataset = folder.load()
    info = dataset.get_data_info(0)
    del info['sample_idx']
    assert info == {
        'img_id': 'train/0000.jpg',
        'img_path': str(folder.root / 'train/0000.jpg'),
        'width': 64,
        'height': 48,
        'instances': [
            {'bbox': [1, 2, 31, 42], 'bbox_label': 0, 'ignore_flag': 0},
            {'bbox': [5, 5, 25, 25], 'bbox_label': 1, 'ignore_flag': 0},
        ],
    }
    assert log == [
        f'PetDataset {folder.root}/a.json: 1 image, 2 boxes (cat 1, dog 1); all clean'
    ]


def test_stock_numbers_them_as_the_file_does(folder):
    """What this class is for; if it fails, mmdet has changed."""
    init_default_scope('mmdet')
    folder.add('a.png', *BOTH)
    for annotation in folder.content['annotations']:
        annotation['area'] = 9
    folder.load()
    stock = DATASETS.build(
        {
            'type': 'CocoDataset',
            'ann_file': str(folder.root / 'a.json'),
            'data_prefix': {'img': str(folder.root)},
            'metainfo': {'classes': ('cat', 'dog')},
        }
    )
    labels = [one['bbox_label'] for one in stock.get_data_info(0)['instances']]
    assert labels == [1, 0]


def test_boxes_are_clipped_and_those_without_area_dropped(folder, log):
    outside = (DOG, 70, 5, 10, 10), (DOG, 5, 5, 0, 10), (CAT, 5, 5, 10, -1)
    folder.add('a.png', (CAT, -4, 40, 20, 20), (DOG, 0, 0, 64, 48), *outside)
    crowd = {'image_id': 100, 'category_id': DOG, 'bbox': [1, 1, 9, 9], 'iscrowd': 1}
    folder.annotate(**crowd)
    instances = folder.load().get_data_info(0)['instances']
    assert [one['bbox'] for one in instances] == [
        [0, 40, 16, 48],
        [0, 0, 64, 48],
        [1, 1, 10, 10],
    ]
    assert [one['ignore_flag'] for one in instances] == [0, 0, 1]
    assert log[0].endswith(
        '3 boxes (cat 1, dog 2); 1 box clipped, 3 boxes without area dropped, 1 crowd'
    )


def test_images_in_a_folder(folder):
    folder.add('images/x.png', *BOTH)
    folder.content['images'][0]['file_name'] = 'x.png'
    dataset = folder.load(data_prefix={'img': 'images'})
    assert dataset.get_data_info(0)['img_path'] == str(folder.root / 'images/x.png')


def test_a_size_that_the_file_does_not_say(folder):
    folder.add('a.png', *BOTH, width=None)
    info = folder.load().get_data_info(0)
    assert (info['width'], info['height']) == (64, 48)


def test_everything_that_is_wrong_is_said_at_once(folder):
    folder.content['categories'] = [*CATEGORIES, {'id': 1, 'name': 'Dgo'}]
    folder.add('a.png', (CAT, 1, 1, 5, 5), (1, 1, 1, 5, 5))
    folder.add('b.png', (1, 1, 1, 5, 5), (9, 1, 1, 5, 5), (DOG, 1, None, 5, 5))
    folder.add('lost.png')
    (folder.root / 'lost.png').unlink()
    folder.add('a.png')
    folder.annotate(image_id=55, category_id=DOG, bbox=[1, 1, 2, 2])
    assert folder.problems() == [
        'a.json: lost.png: no such image',
        'a.json: a.png is listed again',
        'a.json, object 3: no category has the id 9',
        'a.json, object 4: no "bbox" of four finite numbers below 1e12',
        'a.json, object 5: no image has the id 55',
        "a.json, object 1: unknown class 'Dgo'; did you mean 'dog'? (2 times, also "
        'in a.json, object 2)',
        'a.json: no box of class dog',
    ]


def test_a_category_without_objects_is_no_matter(folder):
    folder.content['categories'] = [*CATEGORIES, {'id': 0, 'name': 'animals'}]
    folder.add('a.png', *BOTH)
    assert len(folder.load()) == 1


def test_classes_are_left_out_on_purpose(folder, log):
    folder.content['categories'] = [*CATEGORIES, {'id': 1, 'name': 'bird'}]
    folder.add('a.png', *BOTH, (1, 1, 1, 5, 5))
    dataset = folder.load(ignore_classes='bird')
    assert len(dataset.get_data_info(0)['instances']) == 2
    assert '1 box of ignored classes' in log[0]


@pytest.mark.parametrize('extra', [{}, {'annotations': []}, {'categories': []}])
def test_a_test_set_need_not_be_annotated(folder, log, extra):
    folder.add('test/0000.jpg')
    folder.content = {'images': folder.content['images'], **extra}
    dataset = folder.load(test_mode=True)
    assert dataset.get_data_info(0)['instances'] == []
    assert '1 image, 0 boxes' in log[0]
    (problem,) = folder.problems()
    assert problem.startswith('a.json: not COCO, it has no list of ')


def test_no_file(folder, tmp_path):
    with pytest.raises(AnnotationError) as caught:
        PetDataset('b.json', data_root=f'{tmp_path}/./')
    assert caught.value.problems == (
        f'{tmp_path}/b.json: No such file or directory; set data_root, or run the '
        'converter that writes the split',
    )


def test_a_file_without_images(folder):
    assert folder.problems() == ['a.json: its list of images is empty']


def test_a_damaged_image_without_a_size(folder):
    folder.add('a.png', *BOTH, width=None)
    (folder.root / 'a.png').write_text('no image')
    (said,) = folder.problems()
    assert said.startswith('a.png: ')


def test_the_filter_is_for_training(folder):
    folder.add('a.png', *BOTH)
    folder.add('b.png')
    folder.add('c.png', (CAT, 0, 0, 9, 9), height=20)
    chosen = {'filter_empty_gt': True, 'min_size': 32}
    assert len(folder.load()) == 3
    assert len(folder.load(filter_cfg=chosen)) == 1
    assert len(folder.load(filter_cfg=chosen, test_mode=True)) == 3
    with pytest.raises(ConfigError, match="no 'min_area' here"):
        folder.load(filter_cfg={'min_area': 3})


def test_no_classes(folder):
    folder.add('a.png', *BOTH)
    assert folder.problems(kind=CocoFileDataset) == [
        'no classes: state METAINFO or metainfo'
    ]
