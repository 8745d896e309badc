"""Which lists the folds of a config train on and are tested on."""

import json
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

from custom_datasets.data import split as split_dataset_module
from custom_datasets.data.image_facts import read_image_facts
from custom_datasets.data.split import split_dataset
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.runs.folds import prepare_folds, require_apart
from custom_datasets.samples.boxes import METAL_CLASSES
from custom_datasets.settings import apply_data_settings
from tests.data.drawing import draw
from tests.leaves import LEAVES, SAMPLE

METAL = next(leaf for leaf in LEAVES if leaf.stem.startswith('resnet18_1xb32'))
RECYCLING = next(leaf for leaf in LEAVES if leaf.parent.name == 'recycling')


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Read images here: worker processes take longer to start than these tests."""

    def scan(paths):
        return {path: read_image_facts(path) for path in paths}

    monkeypatch.setattr(split_dataset_module, 'scan_images', scan)


@pytest.fixture
def root(bccd_root, tmp_path):
    """Eight images to train on, four to validate, four to test."""
    return Path(shutil.copytree(bccd_root, tmp_path / 'data'))


def config(leaf, root, **settings):
    cfg = Config.fromfile(leaf, import_custom_modules=False)
    cfg.merge_from_dict({'data_root': str(root), **settings})
    apply_data_settings(cfg)
    return cfg


def listed(root, fold, part):
    return set((root / f'ImageSets/Main/fold_{fold}/{part}.txt').read_text().split())


def test_new_folds_leave_the_test_list_out(root):
    folds = prepare_folds(config(SAMPLE, root), 3, seed=0)
    held_out = [listed(root, fold, 'val') for fold in range(3)]
    assert list(folds.held_out) == held_out
    assert sorted(map(len, held_out)) == [4, 4, 4]
    names = {
        f'{part}_{n:04}' for part, n in (('train', 8), ('val', 4)) for n in range(n)
    }
    assert set().union(*held_out) == names
    for fold in range(3):
        assert listed(root, fold, 'train') == names - held_out[fold]
        assert listed(root, fold, 'test') == {f'test_{n:04}' for n in range(4)}
    assert folds.classes == ('RBC', 'WBC', 'Platelets')
    assert 'test (held)' in folds.report


@pytest.mark.parametrize('same', [True, False])
def test_without_a_test_list_of_its_own_all_images_are_in_folds(root, same):
    lists = root / 'ImageSets/Main'
    (lists / 'test.txt').unlink()
    if same:
        shutil.copy(lists / 'val.txt', lists / 'test.txt')
    folds = prepare_folds(config(SAMPLE, root), 2, seed=0)
    assert len(frozenset().union(*folds.held_out)) == 16


def test_data_without_any_list(root):
    shutil.rmtree(root / 'ImageSets')
    folds = prepare_folds(config(SAMPLE, root), 2, seed=0)
    assert [len(names) for names in folds.held_out] == [8, 8]


def test_folds_that_are_there_are_taken(root):
    split_dataset(
        str(root), folds=2, test_list=f'{root}/ImageSets/Main/test.txt', seed=5
    )
    before = {path: path.read_bytes() for path in root.rglob('*.txt')}
    folds = prepare_folds(config(SAMPLE, root), 2, seed=0)
    assert {path: path.read_bytes() for path in root.rglob('*.txt')} == before
    assert folds.report == (
        f'{root}/ImageSets/Main: uses its 2 folds, which exist already'
    )
    again = prepare_folds(config(SAMPLE, root), 2, seed=1)
    assert again.digest == folds.digest
    path = root / 'ImageSets/Main/fold_0/val.txt'
    path.write_text('\n'.join(reversed(path.read_text().split())))
    assert prepare_folds(config(SAMPLE, root), 2, seed=0).digest != folds.digest


def test_folds_that_hold_test_images_are_said(root):
    split_dataset(str(root), folds=2)
    notes = prepare_folds(config(SAMPLE, root), 2, seed=0).report.splitlines()
    assert notes[1:] == [
        '4 images of the test list found in the folds too: it is not an independent '
        'test of these models'
    ]


def test_images_that_are_in_no_fold_are_said(root):
    split_dataset(str(root), folds=2, test_list=f'{root}/ImageSets/Main/test.txt')
    for path in root.glob('ImageSets/Main/fold_*/*.txt'):
        names = [name for name in path.read_text().split() if name != 'train_0003']
        path.write_text('\n'.join(names))
    notes = prepare_folds(config(SAMPLE, root), 2, seed=0).report.splitlines()
    assert len(notes) == 2
    assert notes[1].startswith('1 image of ')
    assert notes[1].endswith('val.txt is in no fold, e.g. train_0003')


def test_other_folds_are_not_replaced(root):
    split_dataset(str(root), folds=2)
    with pytest.raises(UserError) as caught:
        prepare_folds(config(SAMPLE, root), 3, seed=0)
    assert str(caught.value) == (
        f'{root}/ImageSets/Main: has the folds 0, 1; give --folds 2, or replace them: '
        f'tools/dataset_converters/split.py {root} --folds 3 --test-list '
        f'{root}/ImageSets/Main/test.txt --overwrite'
    )


@pytest.mark.parametrize(
    ('edit', 'said'),
    [
        (lambda lists: copy_line(lists / 'fold_0', 'val', 'train'), ' is in .* too; '),
        (lambda lists: copy_line(lists / 'fold_0', 'val', 'val'), 'is listed 2 times'),
        (
            lambda lists: drop_line(lists / 'fold_1', 'train'),
            'other images than the oth',
        ),
        (
            lambda lists: shutil.copytree(
                lists / 'fold_0', lists / 'fold_1', dirs_exist_ok=True
            ),
            'other images than|held out by two folds',
        ),
        (lambda lists: (lists / 'fold_1/val.txt').unlink(), 'fold_1/val.txt: No such'),
    ],
)
def test_folds_that_are_not_whole(root, edit, said):
    split_dataset(str(root), folds=3)
    edit(root / 'ImageSets/Main')
    with pytest.raises(UserError, match=said):
        prepare_folds(config(SAMPLE, root), 3, seed=0)


def copy_line(folder, start, end):
    line = (folder / f'{start}.txt').read_text().split()[0]
    path = folder / f'{end}.txt'
    path.write_text(f'{path.read_text()}{line}\n')


def drop_line(folder, part):
    path = folder / f'{part}.txt'
    path.write_text('\n'.join(path.read_text().split()[1:]))


@pytest.fixture
def metal(metal_crops, tmp_path):
    """Crops in class lists, and their config."""
    root = Path(shutil.copytree(metal_crops, tmp_path / 'data'))
    return root, config(METAL, root, classes=list(METAL_CLASSES))


def test_class_lists(metal):
    root, cfg = metal
    folds = prepare_folds(cfg, 2, seed=0)
    assert folds.classes == METAL_CLASSES
    held_out = [images(root / f'fold_{fold}/val.txt') for fold in (0, 1)]
    assert list(folds.held_out) == held_out
    test = images(root / 'test.txt')
    assert test
    assert not test & set().union(*held_out)


def images(path):
    return {line.partition('\t')[0] for line in path.read_text().splitlines()}


def test_an_image_in_train_and_val_under_two_classes_is_found(metal):
    root, cfg = metal
    prepare_folds(cfg, 2, seed=0)
    image, _, label = (
        (root / 'fold_0/val.txt').read_text().split('\n')[0].partition('\t')
    )
    other = next(name for name in METAL_CLASSES if name != label)
    with open(root / 'fold_0/train.txt', 'a') as file:
        file.write(f'{image}\t{other}\n')
    with pytest.raises(UserError, match=f'{image} is in .*/fold_0/train.txt too'):
        prepare_folds(cfg, 2, seed=0)


def test_what_was_cleaned_out_stays_out(metal):
    root, cfg = metal
    line = (root / 'train.txt').read_text().splitlines()[0]
    image = line.partition('\t')[0]
    (root / 'removed.csv').write_text(f'image,reason,twin\n{image},small,\n')
    folds = prepare_folds(cfg, 2, seed=0)
    assert f'1 image left out, as {root}/removed.csv has them' in folds.report
    assert image not in frozenset().union(*folds.held_out)


def test_what_no_list_has_comes_back_with_a_word(metal):
    root, cfg = metal
    lines = (root / 'train.txt').read_text().splitlines()
    (root / 'train.txt').write_text(''.join(f'{line}\n' for line in lines[2:]))
    folds = prepare_folds(cfg, 2, seed=0)
    assert '2 images of the folds named in none of the lists' in folds.report


def test_a_folder_without_a_list_is_no_fold(metal):
    root, cfg = metal
    (root / 'fold_4').mkdir()
    (root / 'fold_4/notes.txt').write_text('mine')
    prepare_folds(cfg, 2, seed=0)
    again = prepare_folds(cfg, 2, seed=0)
    assert 'uses its 2 folds' in again.report


def test_coco(tmp_path):
    root = tmp_path / 'coco'
    (root / 'annotations').mkdir(parents=True)
    images = [{'id': n, 'file_name': f'{n}.png'} for n in range(12)]
    for image in images:
        draw(root / image['file_name'], colour=(20 * image['id'], 60, 90))
    annotations = [
        {'id': n, 'image_id': n, 'category_id': 1 + n % 2, 'bbox': [0, 0, 4, 4]}
        for n in range(12)
    ]
    categories = [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'dog'}]
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    (root / 'annotations/all.json').write_text(json.dumps(content))
    loaders = {
        f'{part}_dataloader': {
            'dataset': {
                'type': 'CocoDataset',
                'data_root': str(root),
                'ann_file': f'annotations/{part}.json',
                'data_prefix': {'img': ''},
                'metainfo': {'classes': ('cat', 'dog')},
            }
        }
        for part in ('train', 'val', 'test')
    }
    folds = prepare_folds(Config({'default_scope': 'mmdet', **loaders}), 3, seed=0)
    assert [len(names) for names in folds.held_out] == [4, 4, 4]
    assert frozenset().union(*folds.held_out) == {f'{n}.png' for n in range(12)}
    written = json.loads((root / 'annotations/fold_1/val.json').read_text())
    assert {image['file_name'] for image in written['images']} == folds.held_out[1]


@pytest.fixture
def competition(recycling_root, tmp_path):
    """Forty photographs to train on, and a test set without annotations."""
    root = Path(shutil.copytree(recycling_root, tmp_path / 'recycling'))
    shutil.rmtree(root / 'annotations')
    return root


def test_a_test_set_without_annotations_takes_no_image_away(competition):
    # It shows what two training images show.
    shutil.copy(competition / 'train/0000.jpg', competition / 'test/0000.jpg')
    cfg = config(RECYCLING, competition)
    folds = prepare_folds(cfg, 2, seed=0)
    names = {f'train/{n:04d}.jpg' for n in range(40)}
    assert frozenset().union(*folds.held_out) == names
    assert 'not in' not in folds.report
    require_apart(cfg, folds)


def test_a_test_set_of_the_folds_is_not_one_of_its_own(competition):
    cfg = config(RECYCLING, competition)
    folds = prepare_folds(cfg, 2, seed=0)
    shutil.copy(competition / 'annotations/fold_1/val.json', competition / 'test.json')
    with pytest.raises(UserError) as caught:
        require_apart(cfg, folds)
    assert str(caught.value) == (
        f'{competition}/test.json: 20 of its images are in the folds too, '
        f'e.g. {min(folds.held_out[1])}; --predict needs a test set of its own'
    )


def test_other_images_may_have_the_same_names(competition):
    cfg = config(RECYCLING, competition)
    folds = prepare_folds(cfg, 2, seed=0)
    renamed = json.loads((competition / 'test.json').read_text())
    for image, name in zip(renamed['images'], sorted(folds.held_out[0]), strict=False):
        image['file_name'] = name
    (competition / 'test.json').write_text(json.dumps(renamed))
    (competition / 'elsewhere').mkdir()
    cfg.test_dataloader.dataset.data_prefix = {'img': 'elsewhere'}
    require_apart(cfg, folds)
    cfg.test_dataloader.dataset.data_prefix = {'img': ''}
    with pytest.raises(UserError, match='6 of its images are in the folds too'):
        require_apart(cfg, folds)
    for image in renamed['images']:
        image['file_name'] = f'C:\\me\\{image["file_name"]}'
    (competition / 'test.json').write_text(json.dumps(renamed))
    with pytest.raises(UserError, match='6 of its images are in the folds too'):
        require_apart(cfg, folds)


def test_annotations_that_were_mended_after_the_folds_are_said(competition):
    cfg = config(RECYCLING, competition)
    assert 'have changed' not in prepare_folds(cfg, 2, seed=0).report
    assert 'have changed' not in prepare_folds(cfg, 2, seed=0).report
    content = json.loads((competition / 'train.json').read_text())
    content['annotations'][0]['bbox'][2] += 1
    (competition / 'train.json').write_text(json.dumps(content))
    said = prepare_folds(cfg, 2, seed=0).report
    assert f'{competition}/train.json: its annotations have changed since' in said


@pytest.mark.parametrize(
    ('text', 'said'),
    [('{', 'broken JSON'), ('[]', 'not COCO, it has no list of images')],
)
def test_a_test_json_that_is_broken(competition, text, said):
    (competition / 'test.json').write_text(text)
    with pytest.raises(UserError, match=rf'test\.json: {said}'):
        prepare_folds(config(RECYCLING, competition), 2, seed=0)


def test_lists_that_the_splitter_does_not_write(root):
    (root / 'lists').mkdir()
    for part in ('train', 'val', 'test'):
        shutil.copy(root / f'ImageSets/Main/{part}.txt', root / 'lists')
    settings = {
        f'{part}_dataloader.dataset.ann_file': f'lists/{part}.txt'
        for part in ('train', 'val', 'test')
    }
    with pytest.raises(ConfigError, match='lists of the folds are not beside it'):
        prepare_folds(config(SAMPLE, root, **settings), 2, seed=0)


def test_no_list_at_all(root):
    cfg = config(SAMPLE, root)
    cfg.val_dataloader.dataset.ann_file = ''
    with pytest.raises(
        ConfigError, match=r'val_dataloader: 1 data sets, 0 of .*; folds need'
    ):
        prepare_folds(cfg, 2, seed=0)
