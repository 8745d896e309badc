"""Files of a new data set: what they hold, and that nothing is overwritten."""

import ast
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from custom_datasets.data.convert import convert, read_source
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.files import MARK, new_folder
from custom_datasets.samples.boxes import draw_bccd, draw_face_mask, draw_recycling
from custom_datasets.samples.classes import draw_class_folders
from custom_datasets.scaffold.files import (
    NewDataset,
    anchor_scale,
    classification_files,
    detection_files,
    light_side,
    palette,
    small_training_scale,
    training_scale,
)
from custom_datasets.scaffold.new_dataset import create_dataset, dataset_name

PARTS = ('train', 'val', 'test')
CLASSES = ("driver's", 'a "quoted" one', 'ümlaut', *(f'class {i}' for i in range(20)))


def files_under(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob('*.py')}


@pytest.fixture(params=['detection', 'classification'])
def written(request, bccd_root, metal_crops):
    """What is written for a set of a task, with classes that have to be quoted."""
    new = NewDataset('traffic_signs', 'About.', CLASSES, {'val': 'val', 'test': 'test'})
    if request.param == 'detection':
        return detection_files(new, read_source(str(bccd_root)))
    return classification_files(new, read_source(str(metal_crops)))


def test_files_are_python_and_keep_within_their_limits(written):
    for path, text in written.items():
        ast.parse(text)
        assert max(map(len, text.splitlines())) <= 88, path
        assert '$' not in text
        if path.startswith('configs/traffic_signs/'):
            assert len(text.splitlines()) <= 30
    module = ast.parse(written['custom_datasets/datasets/traffic_signs.py'])
    cls = next(node for node in module.body if isinstance(node, ast.ClassDef))
    meta = ast.literal_eval(cls.body[1].value)
    assert cls.name == 'TrafficSignsDataset'
    assert meta['classes'] == CLASSES
    assert len(set(meta['palette'])) == len(CLASSES)


def test_a_part_that_the_source_lacks_is_read_from_another(bccd_root):
    new = NewDataset('a', 'A.', ('x',), {'val': 'val', 'test': 'val'})
    written = detection_files(new, read_source(str(bccd_root)))
    base = written['configs/_base_/datasets/a.py']
    assert "test = dict(ann_file='ImageSets/Main/val.txt'" in base
    assert "('x',)" in written['custom_datasets/datasets/a.py']


def test_colours_are_far_apart():
    colours = np.array(palette(12), float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert distances[~np.eye(12, dtype=bool)].min() > 30


@pytest.mark.parametrize(
    ('given', 'name'), [('Traffic-Signs', 'traffic_signs'), (' cells2 ', 'cells2')]
)
def test_names(given, name):
    assert dataset_name(given) == name


@pytest.mark.parametrize('given', ['', '2cells', 'a b', 'class', '../x', '재활용'])
def test_names_that_are_no_modules(given):
    with pytest.raises(ConfigError, match='module: use the letters a-z, digits, - '):
        dataset_name(given)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('custom', 'CustomDataset is a class of mmpretrain; choose another name'),
        ('Cityscapes', 'CityscapesDataset is a class of mmdet; choose another name'),
    ],
)
def test_names_that_upstream_has_taken(bccd_root, tmp_path, name, message):
    with pytest.raises(ConfigError, match=f'^{message}$'):
        create_dataset(name, str(bccd_root), str(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('size', 'scale'),
    [
        ((640, 480), (640, 480)),
        ((2000, 1000), (1333, 666)),
        ((3000, 4000), (800, 1067)),
        ((200, 200), (200, 200)),
    ],
)
def test_training_scale(size, scale):
    assert training_scale(np.array([size] * 3, float)) == scale


@pytest.mark.parametrize(
    ('scale', 'side', 'expected'),
    [
        ((640, 480), 100.0, (416, 312)),
        ((640, 480), 14.0, (549, 412)),
        ((1333, 666), 5.0, (640, 320)),
        ((200, 200), 5.0, (200, 200)),
    ],
)
def test_small_scale_grows_for_small_objects(scale, side, expected):
    assert small_training_scale(scale, np.full(9, side)) == expected


@pytest.mark.parametrize(('side', 'expected'), [(60, 4), (26, 4), (16, 2), (6, 1)])
def test_anchors_begin_at_small_boxes(side, expected):
    assert anchor_scale(np.full(9, float(side))) == expected


def test_both_detectors_get_the_same_smallest_anchor(bccd_root):
    new = NewDataset('a', 'A.', ('x',), {'val': 'val', 'test': 'test'})
    written = detection_files(new, read_source(str(bccd_root)))
    retina = written['configs/a/retinanet_r50_fpn_1xb4-24e_a.py']
    faster = written['configs/a/faster-rcnn_r50_fpn_1xb4-24e_a.py']
    assert retina.count('# Anchors from 8 pixels on.') == 1 == faster.count('from 8 pi')
    # Strides of 8 and 4 pixels.
    assert 'octave_base_scale=1' in retina and 'scales=[2]' in faster


@pytest.mark.parametrize(
    ('sides', 'expected'),
    [((20, 90), 64), ((96, 96), 64), ((97, 130), 128), ((500, 600), 128)],
)
def test_the_side_for_a_cpu_follows_the_images(tmp_path, sides, expected):
    draw_class_folders(str(tmp_path), 'ab', 3, sides)
    assert light_side(read_source(str(tmp_path))) == expected


def draw_letters(root):
    draw_class_folders(root, 'ab', 10)


def draw_unlisted(root):
    draw_bccd(root, {'train': 12}, (96, 80))
    shutil.rmtree(os.path.join(root, 'ImageSets'))


def test_classes_of_few_images_and_a_pattern_of_sources(tmp_path):
    raw = tmp_path / 'raw'
    draw_class_folders(str(raw), ['00', '01'], 8, suffixes=['.png'])
    draw_class_folders(str(raw), ['02'], 2, suffixes=['.png'], seed=1)
    pattern = re.compile(r'(\d\d/00)[0-3]')
    report, files, leaf, _ = create_dataset(
        'signs', str(raw), str(tmp_path), group_by=pattern, gpu=True
    )
    # The two of the last class are of one thing, as the pattern has it.
    assert 'so in train only: 02 (1)' in report
    assert set(files) == files_under(tmp_path)
    assert leaf == 'configs/signs/resnet18_1xb32-30e_signs.py'
    assert 'configs/signs/resnet18_light_1xb32-30e_signs.py' in files
    lists = [(tmp_path / f'data/signs/{part}.txt').read_text() for part in PARTS]
    assert '02/000.png\t02\n02/001.png\t02' in lists[0]
    for name in ('00', '01'):
        parts = [text.count(f'{name}/00{i}.png') for i in range(4) for text in lists]
        assert parts in ([1, 0, 0] * 4, [0, 1, 0] * 4, [0, 0, 1] * 4)


@pytest.mark.parametrize(
    ('draw', 'leaf', 'again'),
    [
        (draw_letters, 'resnet18_light_1xb32-30e', 'clean.py data/new --min-side 1\n'),
        (draw_unlisted, 'rtmdet_tiny_1xb4-24e', 'split.py data/new --few-to-train'),
    ],
)
def test_without_a_gpu_the_first_leaf_is_light(draw, leaf, again, tmp_path):
    draw(str(tmp_path / 'raw'))
    created = create_dataset('new', str(tmp_path / 'raw'), str(tmp_path))
    assert created.leaf == f'configs/new/{leaf}_new.py'
    assert f'python tools/dataset_converters/{again}' in created.again
    # It writes the lists itself.
    assert 'lists: ' in created.report
    assert 'has no train, val and test lists' not in created.report


def test_a_set_with_lists_keeps_them_and_nothing_is_written_twice(bccd_root, tmp_path):
    report, files, leaf, again = create_dataset('cells', str(bccd_root), str(tmp_path))
    # Another split would not be theirs.
    assert again == ''
    lists = {p: f'ImageSets/Main/{p}.txt' for p in PARTS}
    for path in lists.values():
        made = (tmp_path / 'data/cells' / path).read_text().split()
        assert sorted(made) == sorted((bccd_root / path).read_text().split())
    assert set(files) == files_under(tmp_path)
    assert leaf in files
    assert 'voc -> voc' in report
    before = {path: path.read_bytes() for path in tmp_path.rglob('*.py')}
    with pytest.raises(UserError, match='nothing is overwritten'):
        create_dataset('cells', str(bccd_root), str(tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.rglob('*.py')} == before


def test_a_set_without_lists_is_split(tmp_path):
    draw_face_mask(str(tmp_path / 'raw'), size=(48, 40))
    before = sorted((tmp_path / 'raw').rglob('*'))
    report, *_ = create_dataset('faces', str(tmp_path / 'raw'), str(tmp_path))
    main = tmp_path / 'data/faces/ImageSets/Main'
    counts = {p: len((main / f'{p}.txt').read_text().split()) for p in PARTS}
    assert counts == {'train': 32, 'val': 4, 'test': 4}
    assert 'off by' in report
    assert sorted((tmp_path / 'raw').rglob('*')) == before


@pytest.mark.parametrize(('xmin', 'said'), [(1, False), (0, True)])
def test_boxes_that_count_from_zero_say_so(bccd_root, tmp_path, xmin, said):
    root = shutil.copytree(bccd_root, tmp_path / 'raw')
    path = root / 'Annotations/train_0002.xml'
    text = re.sub(r'<xmin>\d+<', f'<xmin>{xmin}<', path.read_text(), count=1)
    path.write_text(text)
    create_dataset('cells', str(root), str(tmp_path / 'repository'))
    base = tmp_path / 'repository/configs/_base_/datasets/cells.py'
    assert ('one_based=False' in base.read_text()) == said


def test_a_file_in_the_way_leaves_nothing_behind(bccd_root, tmp_path):
    (tmp_path / 'tests/datasets').mkdir(parents=True)
    (tmp_path / 'tests/datasets/test_cells.py').write_text('mine\n')
    with pytest.raises(UserError, match=r'tests/datasets/test_cells\.py: already ex'):
        create_dataset('cells', str(bccd_root), str(tmp_path))
    assert files_under(tmp_path) == {'tests/datasets/test_cells.py'}
    assert not (tmp_path / 'data').exists()


def test_a_disk_that_fills_leaves_no_file_behind(bccd_root, tmp_path, monkeypatch):
    handles, make = [], tempfile.mkstemp

    def full(**where):
        if 'tests' in where['dir']:
            raise OSError(28, 'No space left on device')
        handles.append(make(**where))
        return handles[-1]

    monkeypatch.setattr(tempfile, 'mkstemp', full)
    with pytest.raises(UserError, match=r'No space left.*nothing was written'):
        create_dataset('cells', str(bccd_root), str(tmp_path))
    assert handles and not files_under(tmp_path)
    assert not (tmp_path / 'data/cells').exists()
    monkeypatch.undo()
    _, files, *_ = create_dataset('cells', str(bccd_root), str(tmp_path))
    assert set(files) == files_under(tmp_path)


def read_lists(folder):
    return {p: (folder / f'{p}.txt').read_text().splitlines() for p in PARTS}


def test_a_source_without_a_validation_part_is_not_validated_on_its_test(tmp_path):
    raw = tmp_path / 'raw'
    for seed, (part, count) in enumerate({'train': 9, 'test': 3}.items()):
        draw_class_folders(str(raw / part), 'ab', count, seed=seed)
    report, *_ = create_dataset('letters', str(raw), str(tmp_path))
    lists = read_lists(tmp_path / 'data/letters')
    assert {part: len(lines) for part, lines in lists.items()} == {
        'train': 16,
        'val': 2,
        'test': 6,
    }
    assert {line.split('/')[0] for line in lists['val'] + lists['train']} == {'train'}
    assert {line.split('/')[0] for line in lists['test']} == {'test'}
    base = (tmp_path / 'configs/_base_/datasets/letters.py').read_text()
    assert "test = dict(ann_file='test.txt'" in base
    assert 'no validation part: it is a ninth of train' in report
    assert 'test (held)' in report


def test_a_voc_source_without_a_validation_part(bccd_root, tmp_path):
    raw = shutil.copytree(bccd_root, tmp_path / 'raw')
    main = raw / 'ImageSets/Main'
    (main / 'val.txt').unlink()
    names = (main / 'train.txt').read_text().split()
    (main / 'train.txt').write_text('\n'.join(names[:6]))
    create_dataset('cells', str(raw), str(tmp_path))
    lists = read_lists(tmp_path / 'data/cells/ImageSets/Main')
    # What the source has in no part stays in none.
    assert sorted(lists['train'] + lists['val']) == sorted(names[:6])
    assert lists['val'] and lists['train']
    assert sorted(lists['test']) == sorted((main / 'test.txt').read_text().split())


def test_a_competition_is_not_validated_on_its_test(tmp_path):
    draw_recycling(str(tmp_path / 'raw'), {'train': 60, 'test': 4}, (256, 256))
    report, *_ = create_dataset('bottles', str(tmp_path / 'raw'), str(tmp_path))
    data = tmp_path / 'data/bottles'
    lists = read_lists(data / 'ImageSets/Main')
    assert len(lists['train'] + lists['val']) == 60 and len(lists['test']) == 4
    for name in lists['val']:
        assert '<object>' in (data / f'Annotations/{name}.xml').read_text()
    assert 'no image of the test part has an object' in report


def test_a_category_without_an_object_is_no_class(tmp_path):
    draw_recycling(str(tmp_path / 'raw'), {'train': 60}, (256, 256))
    path = tmp_path / 'raw/train.json'
    content = json.loads(path.read_text())
    content['categories'].append({'id': 99, 'name': 'Never seen'})
    path.write_text(json.dumps(content))
    report, *_ = create_dataset('bottles', str(tmp_path / 'raw'), str(tmp_path))
    assert report.endswith('\nnot among the classes, for lack of an object: Never seen')
    module = (tmp_path / 'custom_datasets/datasets/bottles.py').read_text()
    assert 'Plastic' in module and 'Never seen' not in module


def test_a_listed_class_without_an_image_is_no_class(tmp_path):
    draw_class_folders(str(tmp_path / 'raw'), ['cat', 'dog'], 6)
    (tmp_path / 'raw/classes.txt').write_text('Cat\ncow\ncat\ndog\n')
    report, *_ = create_dataset('pets', str(tmp_path / 'raw'), str(tmp_path))
    assert report.endswith('\nnot among the classes, for lack of an image: Cat, cow')
    module = (tmp_path / 'custom_datasets/datasets/pets.py').read_text()
    assert "'classes': ('cat', 'dog')" in module


@pytest.mark.parametrize('draw', [draw_class_folders, draw_bccd])
def test_a_class_that_train_lacks_is_refused(draw, tmp_path):
    if draw is draw_bccd:
        draw(str(tmp_path / 'raw'), {'train': 4, 'val': 2, 'test': 2}, (64, 48))
        path = next((tmp_path / 'raw/Annotations').glob('val_*.xml'))
        text = path.read_text()
        path.write_text(re.sub('<name>.*?<', '<name>cow<', text, count=1))
    else:
        for part, names in {'train': 'ab', 'val': ['a', 'b', 'cow']}.items():
            draw(str(tmp_path / 'raw' / part), names, 3, seed=len(names))
    with pytest.raises(UserError, match='train part lacks cow, which val or test has'):
        create_dataset('pets', str(tmp_path / 'raw'), str(tmp_path))
    assert not list(tmp_path.glob('data/*')) and not files_under(tmp_path)


def test_a_source_without_a_test_part_says_so(tmp_path):
    for seed, part in enumerate(('train', 'valid')):
        draw_class_folders(str(tmp_path / 'in' / part), 'ab', 3, seed=seed)
    report, *_ = create_dataset('letters', str(tmp_path / 'in'), str(tmp_path))
    assert report.endswith('\nno test part: tested on the validation set')
    base = (tmp_path / 'configs/_base_/datasets/letters.py').read_text()
    assert "test = dict(ann_file='val.txt'" in base


def test_a_source_that_cannot_be_used_leaves_nothing_behind(tmp_path):
    draw_class_folders(str(tmp_path / 'raw'), ['a'], 3)
    (tmp_path / 'raw/notes.csv').touch()
    with pytest.raises(UserError, match=r'raw: images of one class only \(a\); give'):
        create_dataset(
            'signs', str(tmp_path / 'raw'), str(tmp_path), format='class-folders'
        )
    assert not list(tmp_path.glob('data/*')) and not list(tmp_path.glob('data/.*'))
    # Nor where it is the split that fails.
    draw_class_folders(str(tmp_path / 'raw'), ['b'], 2, seed=1)
    draw_class_folders(str(tmp_path / 'raw'), ['a'], 2)
    (tmp_path / 'raw/a/002.ppm').unlink()
    with pytest.raises(UserError, match='no class has 3 separate images'):
        create_dataset('signs', str(tmp_path / 'raw'), str(tmp_path))
    assert not list(tmp_path.glob('data/*')) and not files_under(tmp_path)


def test_data_that_are_there_are_used_for_the_same_source_only(bccd_root, tmp_path):
    data = tmp_path / 'data/cells'
    convert(str(bccd_root), str(data))
    before = sorted(data.rglob('*'))
    other = shutil.copytree(bccd_root, tmp_path / 'other')
    with pytest.raises(UserError) as error:
        create_dataset('cells', str(other), str(tmp_path))
    assert str(error.value) == (
        f'data/cells was made of {bccd_root}; remove it, or choose another name'
    )
    assert sorted(data.rglob('*')) == before and not files_under(tmp_path)
    report, *_ = create_dataset('cells', str(bccd_root), str(tmp_path))
    assert 'already exists, and is used as it is' in report


def test_data_of_an_unknown_source_are_used(bccd_root, tmp_path):
    convert(str(bccd_root), str(tmp_path / 'data/cells'))
    (tmp_path / 'data/cells' / MARK).write_text('')
    report, *_ = create_dataset('cells', str(bccd_root), str(tmp_path))
    assert 'already exists, and is used as it is' in report


def test_data_that_are_there_may_be_the_source(bccd_root, tmp_path):
    convert(str(bccd_root), str(tmp_path / 'data/cells'))
    report, *_ = create_dataset('cells', str(tmp_path / 'data/cells'), str(tmp_path))
    assert 'already exists, and is used as it is' in report


def test_drawn_data_in_the_place_are_not_taken_for_converted_ones(bccd_root, tmp_path):
    with new_folder(str(tmp_path / 'data/cells')) as folder:
        (Path(folder) / 'a.json').write_text('{}')
    with pytest.raises(UserError, match=r'^data/cells is another data set; remove it'):
        create_dataset('cells', str(bccd_root), str(tmp_path))
    with pytest.raises(UserError, match='is where the data set would be made'):
        create_dataset('cells', str(tmp_path / 'data/cells'), str(tmp_path))


@pytest.mark.parametrize('source', ['data/cells', 'data/cells/inner'])
def test_a_source_in_the_place_of_the_data_set(bccd_root, tmp_path, source):
    shutil.copytree(bccd_root, tmp_path / source)
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(UserError) as error:
        create_dataset('cells', str(tmp_path / source), str(tmp_path))
    assert str(error.value) == (
        f'{tmp_path / source}: is where the data set would be made; move it out of '
        'data/cells, or choose another name'
    )
    assert sorted(tmp_path.rglob('*')) == before
