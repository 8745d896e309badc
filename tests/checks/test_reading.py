"""Reading the data sets of a config into records."""

import json
import shutil

import pytest
from mmengine.config import Config

from custom_datasets.checks.reading import read_sources
from custom_datasets.data.config_sources import find_sources


def dataset(kind, root, ann_file, **more):
    return {'type': kind, 'data_root': str(root), 'ann_file': ann_file, **more}


def config(scope='mmdet', modules=('custom_datasets.datasets.bccd',), **loaders):
    loaders = {f'{name}_dataloader': {'dataset': d} for name, d in loaders.items()}
    imports = {'imports': list(modules)}
    return Config(dict(default_scope=scope, custom_imports=imports, **loaders))


def read(cfg):
    sources, unknown = find_sources(cfg)
    splits, findings = read_sources(sources)
    return splits, [f.code for f in unknown + findings]


def test_a_wrapped_set_and_one_of_the_testing_kind(bccd_root):
    train = dataset('BCCDDataset', bccd_root, 'ImageSets/Main/train.txt')
    val = dataset('BCCDDataset', bccd_root, 'ImageSets/Main/val.txt', test_mode=True)
    wrapped = {'type': 'RepeatDataset', 'times': 3, 'dataset': train}
    splits, codes = read(config(train=wrapped, val=val))
    assert [(s.split, len(s.images), s.one_based) for s in splits] == [
        ('train', 8, True),
        ('val', 4, True),
    ]
    assert splits[0].classes == ('RBC', 'WBC', 'Platelets')
    image = splits[0].images[0]
    assert image.image == f'{bccd_root}/JPEGImages/{image.name}.png'
    assert image.annotation == f'{bccd_root}/Annotations/{image.name}.xml'
    assert image.size == (96, 80)
    assert [box.index for box in image.boxes] == list(range(len(image.boxes)))
    assert not codes


def test_records_are_what_the_data_set_loads(bccd_root):
    from custom_datasets.datasets.bccd import BCCDDataset

    given = dataset('BCCDDataset', bccd_root, 'ImageSets/Main/train.txt')
    records = read(config(train=given))[0][0].images
    given.pop('type')
    loaded = BCCDDataset(**given, lazy_init=True).load_data_list()
    assert [r.image for r in records] == [i['img_path'] for i in loaded]
    assert [len(r.boxes) for r in records] == [len(i['instances']) for i in loaded]


def test_classes_of_the_config_need_names_of_their_own(bccd_root):
    classes = ('RBC', 'RBC', 'W\xa0BC')
    given = dataset('BCCDDataset', bccd_root, 'x.txt', metainfo={'classes': classes})
    _, findings = read_sources(find_sources(config(train=given))[0])
    assert [f.message for f in findings if f.code == 'class-names'] == [
        r"'W\xa0BC' is not a class name; rename it",
        'class list: RBC appears twice',
    ]


def test_classes_of_the_config_go_before_those_of_the_class(bccd_root):
    given = dataset('BCCDDataset', bccd_root, 'x.txt', metainfo={'classes': ('a', 'b')})
    splits, codes = read(config(train=given))
    assert splits[0].classes == ('a', 'b')
    assert codes == ['no-list']


def test_a_type_that_nobody_defines(tmp_path):
    assert read(config(train=dataset('NoDataset', tmp_path, 'x')))[1] == [
        'unknown-data-set'
    ]


def test_a_kind_that_is_not_read_is_said(tmp_path):
    given = dataset('CityscapesDataset', tmp_path, 'x.json')
    lvis = dataset('OpenImagesDataset', tmp_path, 'x.csv')
    assert read(config(train=lvis))[1] == ['unchecked-data-set']
    assert read(config(train=given))[1] == ['no-list']


@pytest.mark.parametrize(
    'wrong',
    [
        {'ann_file': ['x']},
        {'data_root': 5},
        {'data_prefix': ['x']},
        {'metainfo': 'RBC'},
        {'metainfo': {'classes': 5}},
        {'pipeline': 'x'},
        {'pipeline': ['x']},
    ],
    ids=str,
)
def test_a_setting_of_the_wrong_type_is_said(bccd_root, wrong):
    given = dataset('BCCDDataset', bccd_root, 'ImageSets/Main/train.txt')
    assert read(config(train={**given, **wrong})) == ([], ['wrong-value'])


def test_a_type_that_is_a_module_is_no_data_set(tmp_path):
    # A registry imports what it doesn't know.
    assert read(config(train=dataset('abc', tmp_path, 'x')))[1] == ['unknown-data-set']


def test_data_that_are_not_files_are_not_looked_at():
    given = dataset('BCCDDataset', 's3://bucket/bccd', 'x.txt')
    assert read(config(train=given)) == ([], ['unchecked-data-set'])


def test_stock_voc_opens_jpg_only(bccd_root):
    prefix = {'sub_data_root': ''}
    given = dataset(
        'VOCDataset', bccd_root, 'ImageSets/Main/val.txt', data_prefix=prefix
    )
    splits, codes = read(config(train=given))
    assert codes == ['not-jpg'] * 4
    assert splits[0].one_based


def test_a_list_of_classes(metal_crops):
    given = dataset('MetalSurfaceDataset', metal_crops, 'train.txt')
    cfg = config('mmpretrain', ['custom_datasets.datasets.metal_surface'], train=given)
    splits, codes = read(cfg)
    images = splits[0].images
    assert len(images) == len((metal_crops / 'train.txt').read_text().splitlines())
    assert all(f'/{i.label}/' in i.image and not i.boxes for i in images)
    assert not codes


def custom(root, *classes, **more):
    metainfo = {'classes': classes} if classes else None
    given = {'type': 'CustomDataset', 'data_root': str(root), 'metainfo': metainfo}
    return read(config('mmpretrain', [], train=given | more))


def test_stock_class_folders_are_numbered_by_name(metal_crops):
    folders = sorted(path.name for path in (metal_crops / 'train').iterdir())
    splits, codes = custom(metal_crops, data_prefix='train')
    assert (splits[0].classes, codes) == (tuple(folders), [])
    images = splits[0].images
    assert len(images) == len((metal_crops / 'train.txt').read_text().splitlines())
    assert all(f'/{image.label}/' in image.image for image in images)
    assert custom(metal_crops, *folders, data_prefix='train')[1] == []
    swapped = reversed(folders)
    assert custom(metal_crops, *swapped, data_prefix='train')[1] == ['folder-order']


def test_stock_lists_of_numbers(metal_crops, tmp_path):
    path = (metal_crops / 'train.txt').read_text().split()[0]
    (tmp_path / 'l.txt').write_text(f'{path} 1\n{path} 2\nnone.png 0\n')
    given = {'ann_file': str(tmp_path / 'l.txt')}
    splits, codes = custom(metal_crops, 'a', 'b', **given)
    assert codes == ['broken-annotation', 'missing-image']
    assert [image.label for image in splits[0].images] == ['b', 'a']


@pytest.fixture
def coco(tmp_path, bccd_root):
    image = next((bccd_root / 'JPEGImages').iterdir())
    shutil.copy(image, tmp_path)
    return {
        'images': [
            {'id': 7, 'file_name': image.name, 'width': 96, 'height': 80},
            {'id': 8, 'file_name': 'none.png', 'width': 96, 'height': 80},
        ],
        'annotations': [
            {'id': 1, 'image_id': 7, 'category_id': 2, 'bbox': [1, 2, 30, 40]},
            {'id': 2, 'image_id': 7, 'category_id': 9, 'bbox': [1, 2, 30, 40]},
            {'id': 3, 'image_id': 5, 'category_id': 2, 'bbox': [1, 2, 30, 40]},
            {'id': 4, 'image_id': 7, 'category_id': 2, 'bbox': [1, 2, None, 40]},
        ],
        'categories': [{'id': 2, 'name': 'person'}],
    }


def test_coco(coco, tmp_path):
    (tmp_path / 'train.json').write_text(json.dumps(coco))
    given = dataset('CocoDataset', tmp_path, 'train.json', data_prefix={'img': ''})
    splits, codes = read(config(train=given))
    assert codes == [
        'missing-image',
        'broken-annotation',
        'no-image',
        'broken-annotation',
    ]
    (box,) = splits[0].images[0].boxes
    assert (box.index, box.name, box.box) == (0, 'person', (1, 2, 31, 42))
    assert not splits[0].one_based


@pytest.mark.parametrize('kind', ['CocoDataset', 'CocoFileDataset'])
def test_a_coco_test_set_need_not_be_annotated(kind, coco, tmp_path):
    images = coco['images'][:1]
    (tmp_path / 'test.json').write_text(json.dumps({'images': images}))
    given = dataset(kind, tmp_path, 'test.json', data_prefix={'img': ''})
    given['test_mode'] = True
    modules = ['custom_datasets.datasets.coco']
    splits, codes = read(config(modules=modules, test=given))
    assert codes == []
    assert [image.boxes for image in splits[0].images] == [()]
    given['test_mode'] = False
    assert read(config(modules=modules, test=given))[1] == ['broken-annotation']


@pytest.mark.parametrize('text', ['{', '[]', '{"images": []}'])
def test_a_json_that_is_not_coco(text, tmp_path):
    (tmp_path / 'train.json').write_text(text)
    splits, codes = read(config(train=dataset('CocoDataset', tmp_path, 'train.json')))
    assert (splits[0].images, codes) == ((), ['broken-annotation'])
