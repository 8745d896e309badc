"""Split lists and folds of drawn data sets in each layout."""

import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from custom_datasets.data import split as split_dataset_module
from custom_datasets.data.image_facts import read_image_facts
from custom_datasets.data.split import split_dataset
from custom_datasets.datasets.bccd import BCCDDataset
from custom_datasets.datasets.class_list import ClassListDataset
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.samples.boxes import draw_bccd

RATIOS = {'train': 8, 'val': 1, 'test': 1}
PARTS = tuple(RATIOS)
XML = (
    '<annotation><object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin>'
    '<xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>'
)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Read images here: worker processes take longer to start than these tests."""

    def scan(paths):
        return {path: read_image_facts(path) for path in paths}

    monkeypatch.setattr(split_dataset_module, 'scan_images', scan)


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp('drawn')
    draw_bccd(str(root / 'voc'), {'train': 20, 'val': 10, 'test': 10}, (48, 40))
    shutil.rmtree(root / 'voc/ImageSets')
    draw_classes(root / 'classes', {'cat': 20, 'hot dog': 10})
    draw_coco(root / 'coco')
    return root


@pytest.fixture
def voc(drawn, tmp_path):
    return Path(shutil.copytree(drawn / 'voc', tmp_path / 'voc'))


@pytest.fixture
def classes(drawn, tmp_path):
    return Path(shutil.copytree(drawn / 'classes', tmp_path / 'classes'))


@pytest.fixture
def coco(drawn, tmp_path):
    return Path(shutil.copytree(drawn / 'coco', tmp_path / 'coco'))


def draw_image(path):
    """An image that no other is like, whatever its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(str(path.relative_to(path.parents[2])).encode()))
    grid = rng.integers(0, 256, (12, 12, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(grid, (32, 32), interpolation=cv2.INTER_CUBIC))


def draw_classes(root, counts):
    for name, count in counts.items():
        for index in range(count):
            draw_image(root / name / f'{index}.png')


def draw_coco(root):
    names = [f'{index:03}.png' for index in range(30)]
    for name in names:
        draw_image(root / 'images' / name)
    images = [
        {'id': 100 + i, 'file_name': n, 'width': 32, 'height': 32}
        for i, n in enumerate(names)
    ]
    annotations = [
        {
            'id': 7 * i + k,
            'image_id': 100 + i,
            'category_id': 3 if i % 3 else 8,
            'bbox': [1, 2, 3 + k, 4],
            'area': 12,
            'iscrowd': 0,
        }
        for i in range(28)
        for k in range(2)
    ]
    data = {
        'info': {'year': 2024},
        'licenses': [],
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 3, 'name': 'häuser'}, {'id': 8, 'name': 'car'}],
    }
    write_json(root / 'annotations/instances.json', data)


def write_json(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def read(folder, suffix='.txt'):
    lists = {part: (folder / f'{part}{suffix}').read_text() for part in PARTS}
    if suffix == '.txt':
        return {part: text.splitlines() for part, text in lists.items()}
    return {part: json.loads(text) for part, text in lists.items()}


def snapshot(root):
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def written(before, root):
    return sorted(str(p.relative_to(root)) for p in set(snapshot(root)) - set(before))


def test_voc_lists_are_what_the_data_set_reads(voc):
    before = snapshot(voc)
    report = split_dataset(str(voc), RATIOS)
    folder = voc / 'ImageSets/Main'
    lists = read(folder)
    assert {part: len(names) for part, names in lists.items()} == {
        'train': 32,
        'val': 4,
        'test': 4,
    }
    assert written(before, voc) == [
        f'ImageSets/Main/{part}.txt' for part in sorted(PARTS)
    ]
    assert before.items() <= snapshot(voc).items()
    sets = [BCCDDataset(f'ImageSets/Main/{p}.txt', data_root=str(voc)) for p in PARTS]
    assert sum(map(len, sets)) == 40
    table = report.splitlines()
    assert table[0].split() == ['images', *PARTS, 'off', 'by']
    assert table[1].split() == ['all', '32', '4', '4', '0.0']
    assert table[-1] == f'lists: {folder}'


def test_class_lists_are_what_the_data_set_reads(classes):
    report = split_dataset(str(classes), RATIOS)
    lists = read(classes)
    assert [len(names) for names in lists.values()] == [24, 3, 3]
    assert all(re.fullmatch(r'(.+)/\d+\.png\t\1', line) for line in lists['train'])
    for part in PARTS:
        dataset = ClassListDataset(
            f'{part}.txt',
            data_root=str(classes),
            metainfo={'classes': ('cat', 'hot dog')},
        )
        assert len(dataset) == len(lists[part])
    assert 'boxes' not in report


def test_class_folders_in_part_folders_are_pooled(tmp_path):
    for part, count in {'train': 8, 'valid': 4, 'test': 3}.items():
        draw_classes(tmp_path / part, {'cat': count, 'dog': count})
    split_dataset(str(tmp_path), RATIOS)
    lists = read(tmp_path)
    lines = [line for names in lists.values() for line in names]
    assert len(set(lines)) == 30
    assert {line.split('/')[0] for line in lists['train']} == {'train', 'valid', 'test'}


def test_linked_folders_are_followed_once(tmp_path):
    draw_classes(tmp_path / 'elsewhere', {'cat': 6, 'dog': 6})
    (tmp_path / 'in/train').mkdir(parents=True)
    for name in ('cat', 'dog'):
        (tmp_path / 'in/train' / name).symlink_to(tmp_path / 'elsewhere' / name)
    (tmp_path / 'elsewhere/cat/loop').symlink_to(tmp_path / 'in/train')
    split_dataset(str(tmp_path / 'in'), {'train': 1, 'val': 1, 'test': 1})
    lines = [line for names in read(tmp_path / 'in').values() for line in names]
    assert len(lines) == 12


@pytest.mark.parametrize('by_name', [False, True])
def test_coco_parts_are_the_source_less_the_others(coco, by_name):
    source = coco / 'annotations/instances.json'
    before = source.read_bytes()
    report = split_dataset(str(source if by_name else coco), RATIOS)
    assert source.read_bytes() == before
    whole = json.loads(before)
    parts = read(coco / 'annotations', '.json')
    for key in ('images', 'annotations'):
        found = [item for part in parts.values() for item in part[key]]
        assert sorted(found, key=lambda i: i['id']) == whole[key]
    for part in parts.values():
        assert {
            k: v for k, v in part.items() if k not in ('images', 'annotations')
        } == {k: v for k, v in whole.items() if k not in ('images', 'annotations')}
        ids = {image['id'] for image in part['images']}
        assert {item['image_id'] for item in part['annotations']} <= ids
    assert [len(part['images']) for part in parts.values()] == [24, 3, 3]
    assert '(no object)' in report
    # A second time, train.json and such are not taken for the source.
    assert split_dataset(str(coco), RATIOS) == split_dataset(str(source), RATIOS)


def test_coco_lists_are_what_mmdet_reads(coco):
    from mmdet.datasets import CocoDataset

    split_dataset(str(coco), folds=3)
    for part in PARTS:
        dataset = CocoDataset(
            ann_file=f'annotations/fold_2/{part}.json',
            data_root=str(coco),
            data_prefix={'img': 'images/'},
            metainfo={'classes': ('häuser', 'car')},
            test_mode=True,
        )
        assert len(dataset) == (20 if part == 'train' else 10)
        assert os.path.isfile(dataset.get_data_info(0)['img_path'])


def test_coco_of_a_competition(coco):
    source = coco / 'annotations/instances.json'
    content = json.loads(source.read_text())
    source.unlink()
    held = [{'id': 0, 'file_name': '029.png'}]
    content['images'] = [i for i in content['images'] if i['file_name'] != '029.png']
    ids = {image['id'] for image in content['images']}
    notes = content['annotations']
    content['annotations'] = [one for one in notes if one['image_id'] in ids]
    (coco / 'train.json').write_text(json.dumps(content))
    for test in ({'images': held}, {**content, 'images': held, 'annotations': []}):
        (coco / 'test.json').write_text(json.dumps(test))
        # In the folder, what is annotated is what can be split.
        split_dataset(str(coco), folds=3, overwrite=True)
        fold = read(coco / 'annotations/fold_0', '.json')
        assert len(fold['train']['images']) + len(fold['val']['images']) == 29
        split_dataset(
            str(coco / 'train.json'),
            folds=3,
            test_list=str(coco / 'test.json'),
            overwrite=True,
        )
        fold = read(coco / 'annotations/fold_0', '.json')
        assert len(fold['train']['images']) + len(fold['val']['images']) == 29
        assert fold['test'] == test
    # What a split has written in annotations is not taken for the source.
    split_dataset(str(coco / 'train.json'), RATIOS)
    split_dataset(str(coco), folds=2, overwrite=True)


def test_coco_beside_its_images(coco):
    shutil.copy(coco / 'annotations/instances.json', coco / 'images/_annotations.json')
    split_dataset(str(coco / 'images'), RATIOS)
    assert len(read(coco / 'images/annotations', '.json')['train']['images']) == 24


def test_coco_without_images_is_split_by_its_names(coco):
    shutil.rmtree(coco / 'images')
    report = split_dataset(str(coco), RATIOS)
    assert '30 images not found, so not compared' in report
    (coco / 'images').mkdir()
    with pytest.raises(AnnotationError, match='30 problems'):
        split_dataset(str(coco), RATIOS, images=str(coco / 'images'))


@pytest.mark.parametrize('layout', ['voc', 'classes', 'coco'])
def test_folds(layout, request):
    root = request.getfixturevalue(layout)
    folder = (
        root / {'voc': 'ImageSets/Main', 'classes': '', 'coco': 'annotations'}[layout]
    )
    suffix = '.json' if layout == 'coco' else '.txt'
    report = split_dataset(str(root), folds=3)
    seen = Counter()
    for fold in range(3):
        lists = read(folder / f'fold_{fold}', suffix)
        if layout == 'coco':
            lists = {p: [i['id'] for i in v['images']] for p, v in lists.items()}
        assert lists['test'] == lists['val']
        assert not set(lists['train']) & set(lists['val'])
        seen.update(lists['val'])
        assert len(lists['train']) + len(lists['val']) == (
            40 if layout == 'voc' else 30
        )
    assert set(seen.values()) == {1}
    assert not (folder / f'train{suffix}').exists()
    assert report.splitlines()[0].split()[:3] == ['images', 'fold', '0']
    assert report.endswith('--cfg-options fold=0')


def test_fewer_folds_leave_none_of_the_old(voc):
    folder = voc / 'ImageSets/Main'
    split_dataset(str(voc), folds=4)
    (folder / 'fold_3/notes.md').touch()
    before = snapshot(folder)
    for folds in (3, 5):
        with pytest.raises(UserError, match='another split exists; --overwrite'):
            split_dataset(str(voc), folds=folds)
        assert snapshot(folder) == before
    split_dataset(str(voc), folds=2, overwrite=True)
    assert sorted(os.listdir(folder)) == ['fold_0', 'fold_1', 'fold_3']
    assert os.listdir(folder / 'fold_3') == ['notes.md']


def test_plain_lists_and_folds_leave_each_other_alone(voc):
    split_dataset(str(voc), RATIOS)
    before = snapshot(voc)
    split_dataset(str(voc), folds=2)
    split_dataset(str(voc), RATIOS)
    assert before.items() <= snapshot(voc).items()


def test_a_held_test_list_stays_as_it_is(voc):
    folder = voc / 'ImageSets/Main'
    folder.mkdir(parents=True)
    held = 'test_0003.png\r\ntrain_0001\n\n'
    (folder / 'test.txt').write_text(held, newline='')
    report = split_dataset(
        str(voc), {'train': 4, 'val': 1}, test_list=str(folder / 'test.txt')
    )
    assert (folder / 'test.txt').read_bytes() == held.encode()
    lists = read(folder)
    assert len(lists['train']) + len(lists['val']) == 38
    assert not {'test_0003', 'train_0001'} & {*lists['train'], *lists['val']}
    assert 'test (held)' in report
    split_dataset(str(voc), folds=3, test_list=str(folder / 'test.txt'))
    for fold in range(3):
        lists = read(folder / f'fold_{fold}')
        assert lists['test'] == held.splitlines()
        assert len({*lists['train'], *lists['val']}) == 38


def test_a_held_list_of_classes_and_of_coco(classes, coco):
    (classes / 'mine.txt').write_text('cat/3.png\tcat\nhot dog/1.png\n')
    split_dataset(str(classes), folds=2, test_list=str(classes / 'mine.txt'))
    tests = ['cat/3.png\tcat', 'hot dog/1.png\thot dog']
    assert read(classes / 'fold_1')['test'] == tests
    (coco / 'mine.txt').write_text('004.png\n')
    split_dataset(str(coco), {'train': 1, 'val': 1}, test_list=str(coco / 'mine.txt'))
    parts = read(coco / 'annotations', '.json')
    assert [image['id'] for image in parts['test']['images']] == [104]
    assert len(parts['test']['annotations']) == 2


def test_a_held_coco_json_has_images_of_its_own(coco):
    whole = json.loads((coco / 'annotations/instances.json').read_text())
    draw_image(coco / 'images/new.png')
    images = [{'id': 1, 'file_name': 'new.png'}, {'id': 2, 'file_name': '000.png'}]
    held = coco / 'annotations/test.json'
    write_json(held, {**whole, 'images': images, 'annotations': []})
    before = held.read_bytes()
    source = str(coco / 'annotations/instances.json')
    split_dataset(source, {'train': 9, 'val': 1}, test_list=str(held))
    assert held.read_bytes() == before
    parts = read(coco / 'annotations', '.json')
    names = [i['file_name'] for p in ('train', 'val') for i in parts[p]['images']]
    assert len(names) == 29 and '000.png' not in names


def test_a_held_json_with_a_folder_of_its_own_and_the_same_names(coco):
    whole = json.loads((coco / 'annotations/instances.json').read_text())
    images = [{'id': 1, 'file_name': '000.png'}]
    held = coco / 'test.json'
    write_json(held, {**whole, 'images': images, 'annotations': []})
    draw_image(coco / 'test/000.png')
    source = str(coco / 'annotations/instances.json')
    with pytest.raises(UserError, match=r'test/000\.png may be another image'):
        split_dataset(source, {'train': 9, 'val': 1}, test_list=str(held))


def test_names_that_a_held_list_has_alone_are_an_error(voc, tmp_path):
    (tmp_path / 'held.txt').write_text('test_0003\nnobody\nnothing\n')
    with pytest.raises(AnnotationError) as caught:
        split_dataset(str(voc), RATIOS, test_list=str(tmp_path / 'held.txt'))
    assert caught.value.problems == (
        'nobody: not in the data set',
        'nothing: not in the data set',
    )
    assert not (voc / 'ImageSets').exists()


def test_copies_of_held_images_are_in_no_part(voc, tmp_path):
    for name in ('train_0004', 'train_0005'):
        shutil.copy(voc / 'JPEGImages/test_0003.png', voc / f'JPEGImages/{name}.png')
    (tmp_path / 'held.txt').write_text('test_0003\n')
    report = split_dataset(
        str(voc), {'train': 4, 'val': 1}, test_list=str(tmp_path / 'held.txt')
    )
    lists = read(voc / 'ImageSets/Main')
    listed = [name for names in lists.values() for name in names]
    assert len(listed) == 38 and not {'train_0004', 'train_0005'} & set(listed)
    assert '2 images are in no part' in report and 'train_0004, train_0005' in report


@pytest.mark.parametrize('seed', range(3))
def test_identical_images_are_in_one_part(classes, seed):
    groups = [('cat', (0, 5, 9)), ('cat', (2, 3)), ('hot dog', (1, 4))]
    for name, (first, *others) in groups:
        for other in others:
            shutil.copy(
                classes / f'{name}/{first}.png', classes / f'{name}/{other}.png'
            )
    report = split_dataset(str(classes), RATIOS, seed=seed)
    part_of = {line: part for part, lines in read(classes).items() for line in lines}
    for name, members in groups:
        assert len({part_of[f'{name}/{i}.png\t{name}'] for i in members}) == 1
    assert '7 images belong together, in 3 groups of at most 3' in report
    assert (
        'each group is in one part: cat/0.png, cat/5.png, cat/9.png, ... and 4 more'
        in report
    )


def test_roboflow_copies_and_own_patterns_are_in_one_part(tmp_path):
    for name in ('cat', 'dog'):
        for index in range(8):
            for copy in 'abc':
                draw_image(
                    tmp_path
                    / f'{name}/{index}_jpg.rf.{index}{copy}0f8b1c2d3e4f5a6b.jpg'
                )
                draw_image(tmp_path / f'{name}/x{index}-{copy}.png')
    split_dataset(str(tmp_path), folds=4, group_by=None)
    for fold in range(4):
        val = read(tmp_path / f'fold_{fold}')['val']
        sources = Counter(line.split('.rf.')[0] for line in val if '.rf.' in line)
        assert set(sources.values()) == {3}
    split_dataset(
        str(tmp_path), folds=4, group_by=re.compile(r'^(.*?)[-_]'), overwrite=True
    )
    for fold in range(4):
        val = read(tmp_path / f'fold_{fold}')['val']
        sources = Counter(re.match(r'(.*?)[-_]', line)[1] for line in val)
        assert set(sources.values()) == {3}
    with pytest.raises(UserError, match='fits no name, such as cat/0_jpg'):
        split_dataset(str(tmp_path), folds=4, group_by=re.compile('(no)'))


def test_crops_of_one_photograph_are_in_one_fold(metal_crops, tmp_path):
    root = Path(shutil.copytree(metal_crops, tmp_path / 'crops'))
    split_dataset(str(root), folds=3)
    for fold in range(3):
        lists = read(root / f'fold_{fold}')
        photographs = {
            part: {line.split('\t')[0].split('/')[2].rpartition('_')[0] for line in v}
            for part, v in lists.items()
        }
        assert not photographs['train'] & photographs['val']


def test_ignored_classes(classes, voc):
    draw_classes(classes, {'rare': 1})
    with pytest.raises(UserError, match=r'3 parts .*: rare \(1\)'):
        split_dataset(str(classes), RATIOS)
    assert not (classes / 'train.txt').exists()
    split_dataset(str(classes), RATIOS, ignore_classes=['rare'])
    assert not any('rare' in line for v in read(classes).values() for line in v)
    report = split_dataset(str(voc), RATIOS, ignore_classes=['RBC'])
    assert 'RBC' not in report
    assert sum(map(len, read(voc / 'ImageSets/Main').values())) == 40
    with pytest.raises(UserError, match="no class 'rbc' to ignore; known: RBC"):
        split_dataset(str(voc), RATIOS, ignore_classes=['rbc'])


def test_a_resized_copy_is_in_the_same_part(classes):
    for index in range(0, 20, 2):
        image = cv2.imread(str(classes / f'cat/{index}.png'))
        copy = cv2.resize(image, (64, 64), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(classes / f'cat/{index + 1}.jpg'), copy)
        (classes / f'cat/{index + 1}.png').unlink()
    split_dataset(str(classes), RATIOS)
    part_of = {line: part for part, lines in read(classes).items() for line in lines}
    for index in range(0, 20, 2):
        pair = f'cat/{index}.png\tcat', f'cat/{index + 1}.jpg\tcat'
        assert len({part_of[line] for line in pair}) == 1


def test_images_that_no_training_can_read_are_refused_unless_excluded(classes):
    names = ['cat/1.png', 'cat/2.png']
    for index, name in enumerate(names):
        (classes / name).write_bytes(b'no image %d' % index)
    with pytest.raises(AnnotationError) as caught:
        split_dataset(str(classes), RATIOS)
    assert caught.value.problems == tuple(
        f'{classes}/{name}: is not an image of any known kind' for name in names
    )
    (classes / 'excluded.txt').write_text('\n'.join(names))
    split_dataset(str(classes), RATIOS, exclude=str(classes / 'excluded.txt'))
    assert sum(map(len, read(classes).values())) == 28


def test_more_folds_than_images_of_a_class(voc):
    with pytest.raises(UserError, match='too few separate images for 41 parts'):
        split_dataset(str(voc), folds=41)


def test_everything_wrong_in_voc_comes_in_one_error(voc):
    (voc / 'Annotations/train_0003.xml').write_text('<annotation>')
    (voc / 'JPEGImages/train_0004.png').unlink()
    with pytest.raises(AnnotationError) as caught:
        split_dataset(str(voc), RATIOS)
    first, second = caught.value.problems
    assert 'train_0003.xml: broken XML' in first
    assert 'train_0004.xml: there is no image train_0004.*' in second
    assert not (voc / 'ImageSets').exists()


def test_what_is_left_out_of_voc_is_counted(voc):
    (voc / 'Annotations/train_0003.xml').unlink()
    path = voc / 'Annotations/train_0004.xml'
    path.write_text('<annotation><size/></annotation>')
    path = voc / 'Annotations/train_0005.xml'
    path.write_text(XML.format('RBC').replace('<xmax>9', '<xmax>1'))
    report = split_dataset(str(voc), RATIOS)
    assert '1 image without XML left out' in report
    assert '1 box without area not counted' in report
    assert next(line.split() for line in report.splitlines() if '(no object)' in line)[
        :2
    ] == ['(no', 'object)']
    assert sum(map(len, read(voc / 'ImageSets/Main').values())) == 39


def test_folders_in_voc(voc):
    for folder, suffix in (('JPEGImages', 'png'), ('Annotations', 'xml')):
        (voc / folder / 'deep/down').mkdir(parents=True)
        for path in sorted((voc / folder).glob(f'*.{suffix}'))[::2]:
            path.rename(voc / folder / 'deep/down' / path.name)
    split_dataset(str(voc), RATIOS)
    lists = read(voc / 'ImageSets/Main')
    assert [len(names) for names in lists.values()] == [32, 4, 4]
    names = [name for found in lists.values() for name in found]
    assert sum(name.startswith('deep/down/') for name in names) == 20
    dataset = BCCDDataset('ImageSets/Main/train.txt', data_root=str(voc))
    assert len(dataset) == 32


def test_names_that_end_like_an_image(tmp_path):
    """``a.jpg.xml`` goes with ``a.jpg``, and the data set finds it again."""
    for index in range(6):
        draw_image(tmp_path / f'images/{index}.jpg')
        xml = tmp_path / f'annotations/{index}.jpg.xml'
        xml.parent.mkdir(exist_ok=True)
        claim = f'<annotation><filename>{index}.jpg</filename>'
        xml.write_text(XML.format('WBC').replace('<annotation>', claim))
    split_dataset(str(tmp_path), {'train': 1, 'val': 1, 'test': 1})
    dataset = BCCDDataset(
        'ImageSets/Main/train.txt',
        data_root=str(tmp_path),
        img_subdir='images',
        ann_subdir='annotations',
        metainfo={'classes': ('WBC',)},
    )
    assert len(dataset) == 2


def test_unknown_layouts_are_refused(tmp_path):
    with pytest.raises(UserError, match='no such folder or COCO JSON'):
        split_dataset(str(tmp_path / 'nowhere'), RATIOS)
    with pytest.raises(UserError, match=r'no images in its folders, .*convert\.py'):
        split_dataset(str(tmp_path), RATIOS)
    draw_classes(tmp_path, {'images': 3})
    with pytest.raises(
        UserError, match=r'one class only \(images\).*give the folder that'
    ):
        split_dataset(str(tmp_path), RATIOS)
    for name in ('a.json', 'b.json'):
        data = {'images': [], 'annotations': [], 'categories': []}
        write_json(tmp_path / name, data)
    with pytest.raises(
        UserError, match=r'several COCO JSONs, keep or name one: .*a\.json'
    ):
        split_dataset(str(tmp_path), RATIOS)
    with pytest.raises(UserError, match='its list of images is empty'):
        split_dataset(str(tmp_path / 'a.json'), RATIOS)
    (tmp_path / 'c.json').write_text('{')
    with pytest.raises(UserError, match='broken JSON'):
        split_dataset(str(tmp_path / 'c.json'), RATIOS)
    (tmp_path / 'c.json').write_text('[]')
    with pytest.raises(UserError, match='not COCO'):
        split_dataset(str(tmp_path / 'c.json'), RATIOS)


@pytest.mark.parametrize('name', [b'a\nb.png', b'caf\xe9.png'])
def test_a_name_that_no_list_can_hold(classes, name):
    (classes / 'cat/1.png').rename(classes / 'cat' / os.fsdecode(name))
    with pytest.raises(AnnotationError, match='no list can hold this name'):
        split_dataset(str(classes), RATIOS)


def test_the_source_itself_is_never_replaced(coco):
    path = coco / 'annotations/train.json'
    (coco / 'annotations/instances.json').rename(path)
    before = path.read_bytes()
    with pytest.raises(UserError, match='is what is split; name another folder'):
        split_dataset(str(path), RATIOS, overwrite=True)
    with pytest.raises(UserError, match='is what is split; name another folder'):
        split_dataset(str(coco), RATIOS, overwrite=True)
    assert os.listdir(coco / 'annotations') == ['train.json']
    assert path.read_bytes() == before
    split_dataset(str(path), folds=2)
    split_dataset(str(path), RATIOS, out=str(coco / 'out'))
    assert path.read_bytes() == before
    assert (coco / 'out/images/000.png').is_file()


@pytest.mark.parametrize('layout', ['voc', 'classes', 'coco'])
def test_out_gets_the_same_lists_and_links(layout, request, tmp_path):
    root = request.getfixturevalue(layout)
    before = snapshot(root)
    out = tmp_path / 'out'
    first = split_dataset(str(root), RATIOS, out=str(out))
    assert snapshot(root) == before
    assert split_dataset(str(root), RATIOS, out=str(out)) == first
    lists = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob('*.[tj]*')}
    again = split_dataset(str(root), RATIOS)
    assert again.splitlines()[:-1] == first.splitlines()[:-1]
    assert (
        lists.items()
        <= {
            str(p.relative_to(root)): p.read_bytes() for p in root.rglob('*.[tj]*')
        }.items()
    )
    if layout != 'coco':  # There, the lists are all the annotations it has.
        split_dataset(str(out), folds=2)


def test_neither_times_nor_the_order_of_files_matter(classes, tmp_path):
    split_dataset(str(classes), folds=3)
    other = tmp_path / 'other'
    for path in sorted(classes.rglob('*.png'), reverse=True):
        copy = other / path.relative_to(classes)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        os.utime(copy, (1, 1))
    split_dataset(str(other), folds=3)
    for fold in range(3):
        assert read(classes / f'fold_{fold}') == read(other / f'fold_{fold}')


def test_few_images_of_a_class_are_in_train(classes):
    for name, count in (('one', 1), ('two', 2), ('three', 3)):
        draw_classes(classes, {name: count})
    with pytest.raises(UserError, match=r'every class in each: one \(1\), two \(2\);'):
        split_dataset(str(classes), RATIOS)
    report = split_dataset(str(classes), RATIOS, few_to_train=True)
    counts = {
        part: Counter(
            line.split('\t')[1] for line in (classes / f'{part}.txt').open().readlines()
        )
        for part in PARTS
    }
    assert counts['train']['one\n'] == 1 and counts['train']['two\n'] == 2
    for part in ('val', 'test'):
        assert set(counts[part]) == {'cat\n', 'hot dog\n', 'three\n'}
    assert sum(map(sum, (c.values() for c in counts.values()))) == 36
    assert report.count('so in train only: one (1), two (2)') == 1


def test_too_few_of_every_class(tmp_path):
    draw_classes(tmp_path / 'few', {'a': 2, 'b': 1})
    with pytest.raises(UserError, match='no class has 3 separate images'):
        split_dataset(str(tmp_path / 'few'), RATIOS, few_to_train=True)


@pytest.mark.parametrize(
    ('lines', 'problem'),
    [
        ('cat/3.png\tcat\ncat/3.png\n', 'cat/3.png is listed 2 times'),
        ('cat/3.png\tcat\tmore\n', 'line 1: more than one tab'),
        ('cat/3.png\tdog\n', 'cat/3.png is dog here, but in the folder of cat'),
    ],
)
def test_a_test_list_that_no_data_set_takes_is_not_kept(classes, lines, problem):
    held = classes / 'mine.txt'
    held.write_text(lines)
    with pytest.raises(AnnotationError, match=problem):
        split_dataset(str(classes), folds=2, test_list=str(held))
    assert not (classes / 'fold_0').exists()


def test_an_image_twice_in_a_test_list_of_voc_is_refused(voc):
    held = voc / 'mine.txt'
    name = next((voc / 'Annotations').rglob('*.xml')).stem
    held.write_text(f'{name}\n{name}\n')
    with pytest.raises(AnnotationError, match='is listed 2 times'):
        split_dataset(str(voc), RATIOS, test_list=str(held))
