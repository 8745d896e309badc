import os
import shutil
from pathlib import Path

import pytest

from custom_datasets.data import face_mask
from custom_datasets.data.face_mask import write_split
from custom_datasets.datasets.face_mask import FaceMaskDataset
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.samples.boxes import draw_face_mask
from tools.dataset_converters import face_mask as tool

CLASSES = FaceMaskDataset.METAINFO['classes']


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp('faces')
    draw_face_mask(str(root), size=(48, 40))
    return root


@pytest.fixture
def root(drawn, tmp_path):
    """A copy, to be soiled."""
    return Path(shutil.copytree(drawn, tmp_path / 'root'))


def lists(folder):
    main = folder / 'ImageSets/Main'
    return {
        part: (main / f'{part}.txt').read_text().split() for part in face_mask.RATIOS
    }


def everything(parts):
    return [name for names in parts.values() for name in names]


def snapshot(folder):
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob('*'))
        if path.is_file() and 'ImageSets' not in path.parts
    }


def has_rare(root, name):
    return 'incorrect' in (root / 'annotations' / f'{name}.xml').read_text()


@pytest.mark.parametrize('seed', range(3))
def test_split_is_8_1_1_and_has_the_rare_class_everywhere(root, seed):
    before = snapshot(root)
    table = write_split(str(root), CLASSES, seed=seed)
    parts = lists(root)
    names = everything(parts)
    assert len(names) == len(set(names)) == 40
    assert {part: len(listed) for part, listed in parts.items()} == {
        'train': 32,
        'val': 4,
        'test': 4,
    }
    rare = {p: sum(has_rare(root, n) for n in listed) for p, listed in parts.items()}
    assert rare == {'train': 6, 'val': 1, 'test': 1}
    rows = [line.split() for line in table.splitlines()]
    assert ['all', '32', '4', '4', '0.0'] in rows
    assert ['mask_weared_incorrect', '6', '1', '1', '0.4'] in rows
    assert snapshot(root) == before


def test_identical_images_stay_together(root):
    names = [f'maksssksksss{i}' for i in range(40)]
    groups = [names[0:4], names[11:14], names[20:22], names[37:40]]
    for first, *others in groups:
        for other in others:
            shutil.copy(root / f'images/{first}.png', root / f'images/{other}.png')
    for seed in range(5):
        write_split(str(root), CLASSES, seed=seed, overwrite=True)
        part_of = {n: part for part, listed in lists(root).items() for n in listed}
        assert all(len({part_of[name] for name in group}) == 1 for group in groups)


def test_again_is_the_same_and_changes_nothing(root):
    write_split(str(root), CLASSES)
    main = root / 'ImageSets/Main'
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in main.iterdir()}
    write_split(str(root), CLASSES)
    after = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in main.iterdir()}
    assert after == before
    assert set(after) == {'train.txt', 'val.txt', 'test.txt'}


@pytest.mark.parametrize('part', ['train', 'val', 'test'])
def test_another_split_is_replaced_only_when_asked(root, part):
    main = root / 'ImageSets/Main'
    main.mkdir(parents=True)
    (main / f'{part}.txt').write_text('mine\n')
    (main / 'notes.txt').write_text('mine too\n')
    with pytest.raises(UserError, match=rf'{part}\.txt: another split exists'):
        write_split(str(root), CLASSES)
    assert sorted(os.listdir(main)) == sorted([f'{part}.txt', 'notes.txt'])
    assert (main / f'{part}.txt').read_text() == 'mine\n'
    write_split(str(root), CLASSES, overwrite=True)
    assert len(everything(lists(root))) == 40
    assert (main / 'notes.txt').read_text() == 'mine too\n'


def test_out_gets_the_lists_and_links(root, tmp_path):
    before = snapshot(root)
    out = tmp_path / 'out'
    write_split(str(root), CLASSES, out=str(out))
    assert snapshot(root) == before
    assert not (root / 'ImageSets').exists()
    dataset = FaceMaskDataset('ImageSets/Main/train.txt', data_root=str(out))
    assert len(dataset) == 32
    shutil.rmtree(out / 'ImageSets')
    write_split(str(root), CLASSES, out=str(out))
    assert len(lists(out)['val']) == 4


def test_out_inside_the_source_and_out_is_the_source(root):
    write_split(str(root), CLASSES, out=str(root / 'split'))
    assert FaceMaskDataset('ImageSets/Main/val.txt', data_root=str(root / 'split'))
    write_split(str(root), CLASSES, out=f'{root}/')
    assert not (root / 'images').is_symlink()
    assert lists(root) == lists(root / 'split')


def test_out_with_other_images_is_refused(root, tmp_path):
    (tmp_path / 'out/images').mkdir(parents=True)
    with pytest.raises(UserError, match='images: already exists and is not a link to'):
        write_split(str(root), CLASSES, out=str(tmp_path / 'out'))
    assert os.listdir(tmp_path / 'out') == ['images']


def test_everything_wrong_comes_in_one_error(root):
    folder = root / 'annotations'
    (folder / 'maksssksksss3.xml').write_text('')
    (root / 'images/maksssksksss4.png').unlink()
    path = folder / 'maksssksksss6.xml'
    path.write_text(path.read_text().replace('without_mask', 'Without Mask'))
    with pytest.raises(AnnotationError) as caught:
        write_split(str(root), (*CLASSES, 'visor'))
    assert [p.removeprefix(f'{root}/') for p in caught.value.problems] == [
        'annotations/maksssksksss3.xml: broken XML (no element found: line 1, '
        'column 0)',
        'annotations/maksssksksss4.xml: there is no image maksssksksss4.*',
        "annotations/maksssksksss6.xml: unknown class 'Without Mask'; did you mean "
        "'without_mask'?",
        'no box of class visor',
    ]
    assert not (root / 'ImageSets').exists()


def test_images_without_xml_are_counted(root):
    for index in (3, 4):
        (root / f'annotations/maksssksksss{index}.xml').unlink()
    table = write_split(str(root), CLASSES)
    assert '\n2 images without XML left out\n' in table
    assert len(everything(lists(root))) == 38


def test_too_few_images_of_a_class(root):
    for index in range(15, 40, 5):
        (root / f'annotations/maksssksksss{index}.xml').unlink()
    (root / 'annotations/maksssksksss10.xml').unlink()
    with pytest.raises(UserError, match=r'mask_weared_incorrect \(2\)'):
        write_split(str(root), CLASSES)
    assert not (root / 'ImageSets').exists()


def test_no_annotations(tmp_path):
    with pytest.raises(UserError, match='annotations: does not exist; give the folder'):
        write_split(str(tmp_path), CLASSES)
    (tmp_path / 'annotations').mkdir()
    with pytest.raises(UserError, match='no images in its folders'):
        write_split(str(tmp_path), CLASSES)


def test_command(root, capsys, tmp_path):
    assert tool.main([str(root)]) == 0
    written = lists(root)
    assert capsys.readouterr().out.splitlines()[-1].startswith('lists: ')
    assert tool.main([str(root), '--seed', '1']) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    assert lists(root) == written
    assert tool.main([str(root), '--seed', '1', '--overwrite']) == 0
    assert lists(root) != written
    (tmp_path / 'file').touch()
    assert tool.main([str(root), '--out', str(tmp_path / 'file/out')]) == 1
    assert 'file/out' in capsys.readouterr().err
    assert tool.main([str(tmp_path / 'nowhere')]) == 1
    assert 'nowhere/annotations: does not exist' in capsys.readouterr().err
