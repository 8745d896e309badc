import errno
import json
import os
import shutil
import socket
import zipfile

import pytest

from custom_datasets.data import convert as conversion
from custom_datasets.data.convert import convert, read_source
from custom_datasets.data.split import split_dataset
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.files import MARK, read_mark
from tests.data.drawing import coco_json, draw, objects, tree, write


@pytest.fixture
def zipped(voc, tmp_path):
    path = tmp_path / 'set.zip'
    with zipfile.ZipFile(path, 'w') as packed:
        for file in sorted(voc.rglob('*')):
            packed.write(file, f'my set/{file.relative_to(voc)}')
    return path


@pytest.fixture(params=['voc', 'zipped'])
def source(request):
    return request.getfixturevalue(request.param)


def around(tmp_path):
    return sorted(
        p.name for p in tmp_path.iterdir() if p.name not in ('voc', 'set.zip')
    )


def contents(folder):
    return {name: content for name, (content, _) in tree(folder).items()}


@pytest.mark.parametrize('target', ['voc', 'coco', 'yolo'])
def test_nothing_of_the_source_is_changed(source, tmp_path, target):
    before = tree(source) if source.is_dir() else source.read_bytes()
    convert(str(source), str(tmp_path / 'out'), to=target)
    assert (tree(source) if source.is_dir() else source.read_bytes()) == before
    assert around(tmp_path) == ['out']
    assert not any(path.is_symlink() for path in (tmp_path / 'out').rglob('*'))


def test_a_zip_is_as_its_folder(voc, zipped, tmp_path):
    convert(str(voc), str(tmp_path / 'a'))
    convert(str(zipped), str(tmp_path / 'b'))
    made_of = [read_mark(str(tmp_path / name)) for name in 'ab']
    assert made_of == [str(voc), str(zipped)]
    a, b = (
        {
            name: data
            for name, data in contents(tmp_path / folder).items()
            if name != MARK
        }
        for folder in 'ab'
    )
    assert a == b
    (tmp_path / 'a/JPEGImages/a.jpg').write_bytes(b'')
    assert (voc / 'JPEGImages/a.jpg').stat().st_size


@pytest.mark.parametrize('error', [KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize('step', ['name_images', '_take_images'])
def test_an_interruption_leaves_nothing_and_the_next_call_starts_again(
    source, tmp_path, monkeypatch, error, step
):
    def broken(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(conversion, step, broken)
        with pytest.raises(error):
            convert(str(source), str(tmp_path / 'out'))
    assert around(tmp_path) == []
    convert(str(source), str(tmp_path / 'out'))
    assert around(tmp_path) == ['out']


def test_what_a_killed_conversion_left_is_removed_and_named(voc, tmp_path):
    left = tmp_path / '.out.abcd_123'
    write(left / '.running', socket.gethostname())
    write(left / 'JPEGImages/a.jpg', '')
    report = convert(str(voc), str(tmp_path / 'out'))
    assert 'removed what a conversion that was killed had left: .out.abcd_123' in report
    assert around(tmp_path) == ['out']


def test_an_interruption_leaves_what_was_to_be_replaced(voc, tmp_path, monkeypatch):
    convert(str(voc), str(tmp_path / 'out'))
    before = contents(tmp_path / 'out')
    full = OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr(shutil, 'copyfile', lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(UserError, match=r'out: cannot be written \(No space left'):
        convert(str(voc), str(tmp_path / 'out'), to='coco', overwrite=True)
    assert contents(tmp_path / 'out') == before
    assert around(tmp_path) == ['out']


def test_a_hostile_zip_leaves_nothing(zipped, tmp_path):
    with zipfile.ZipFile(zipped, 'a') as packed:
        packed.writestr('../../evil.txt', b'')
    with pytest.raises(UserError, match='leads out of the folder'):
        convert(str(zipped), str(tmp_path / 'out'))
    assert around(tmp_path) == []


def test_messages_call_a_zip_by_its_name(zipped, tmp_path):
    with zipfile.ZipFile(zipped, 'a') as packed:
        packed.writestr('my set/Annotations/orphan.xml', '<annotation/>')
    with pytest.raises(UserError) as error:
        convert(str(zipped), str(tmp_path / 'out'))
    assert str(error.value) == (
        f'{zipped} (Pascal VOC XML): 1 problem\n'
        '  Annotations/orphan.xml: there is no image orphan.*'
    )


def test_the_destination_is_not_overwritten_unasked(voc, tmp_path):
    out = tmp_path / 'out'
    write(out / 'mine.txt', 'mine')
    with pytest.raises(
        UserError, match='already exists; remove it or give --overwrite'
    ):
        convert(str(voc), str(out))
    with pytest.raises(UserError, match='was not made by this command'):
        convert(str(voc), str(out), overwrite=True)
    assert contents(out) == {'mine.txt': b'mine'}
    assert around(tmp_path) == ['out']
    shutil.rmtree(out)
    out.mkdir()
    convert(str(voc), str(out))
    convert(str(voc), str(out), to='coco', overwrite=True)
    assert sorted(p.name for p in out.iterdir()) == [
        '.custom_datasets',
        'annotations',
        'images',
    ]


@pytest.mark.parametrize(
    'inside', ['voc', 'voc/out', '.', 'voc/JPEGImages/../deep/out']
)
def test_source_and_destination_are_apart(voc, tmp_path, inside):
    before = tree(tmp_path)
    with pytest.raises(UserError, match='must not be in it'):
        convert(str(voc), str(tmp_path / inside), overwrite=True)
    assert tree(tmp_path) == before


def test_no_source(tmp_path):
    with pytest.raises(UserError, match='no such folder or zip'):
        convert(str(tmp_path / 'gone'), str(tmp_path / 'out'))
    write(tmp_path / 'a.json', coco_json({}))
    with pytest.raises(UserError, match='neither a folder nor a complete zip'):
        convert(str(tmp_path / 'a.json'), str(tmp_path / 'out'))
    assert around(tmp_path) == ['a.json']


def test_names_that_lists_cannot_hold(tmp_path):
    names = [
        'a.jpg',
        'A.png',
        'a/a.jpg',
        'x.png.jpg',
        ' spaced .jpg',
        'line\nbreak.jpg',
        'x_png.png',
    ]
    for name in names:
        draw(tmp_path / 'raw/images' / name)
    boxes = {name: [(1, [i, i, 2, 3])] for i, name in enumerate(names)}
    write(tmp_path / 'raw/a.json', coco_json(boxes))
    report = convert(str(tmp_path / 'raw'), str(tmp_path / 'out'))
    made = sorted(p.name for p in (tmp_path / 'out/JPEGImages').rglob('*.*'))
    assert made == ['A-2.png', 'a.jpg', 'a.jpg', 'line_break.jpg', 'spaced.jpg',
                    'x_png-2.png', 'x_png.jpg']  # fmt: skip
    assert '5 images renamed' in report
    found = objects(read_source(str(tmp_path / 'out')))['all']
    assert {name: box[0] for name, [(_, box)] in found.items()} == {
        'a': 0, 'A-2': 1, 'a/a': 2, 'x_png': 3, 'spaced': 4, 'line_break': 5,
        'x_png-2': 6,
    }  # fmt: skip


@pytest.mark.parametrize('names', [('A.png', 'a.jpg'), ('a.jpg', 'A.png')])
def test_names_that_are_one_where_case_is_folded(tmp_path, names):
    for name in names:
        draw(tmp_path / 'raw/images' / name)
    boxes = {name: [(1, [0, 0, 2, 3])] for name in names}
    write(tmp_path / 'raw/a.json', coco_json(boxes))
    convert(str(tmp_path / 'raw'), str(tmp_path / 'out'))
    made = [path.stem.casefold() for path in (tmp_path / 'out/Annotations').iterdir()]
    assert sorted(made) == ['a', 'a-2']


def test_names_that_are_not_utf_8(tmp_path):
    for name in (b'raw/cat/caf\xe9.jpg', b'raw/cat/2.jpg', b'raw/dog/1.jpg'):
        draw(tmp_path / os.fsdecode(name))
    report = convert(str(tmp_path / 'raw'), str(tmp_path / 'out'))
    assert r'cat/caf\udce9.jpg -> cat/caf_.jpg' in report
    report.encode()
    assert (tmp_path / 'out/all.txt').read_text().splitlines() == [
        'cat/2.jpg\tcat', 'cat/caf_.jpg\tcat', 'dog/1.jpg\tdog'
    ]  # fmt: skip


def test_the_report(voc, tmp_path):
    report = convert(str(voc), str(tmp_path / 'out'), to='coco')
    assert report.splitlines() == [
        f'voc -> coco: {tmp_path / "out"}',
        '              train  test',
        'images            5     3',
        'ant               3     1',
        'größe & höhe      0     1',
        'zebra             2     1',
        '- 1 box clipped to the image',
        '- 2 boxes without area dropped',
        '- classes without an object: unused; they are kept, since the order of '
        'classes counts, but training refuses them, so leave them out of the classes '
        'of a config',
        '- classes without an object in train: größe & höhe; training refuses them, so '
        'move images over, or set ignore_classes in a config',
    ]
    (voc / 'ImageSets/Main/train.txt').unlink()
    (voc / 'ImageSets/Main/test.txt').unlink()
    (voc / 'ImageSets/Main/trainval.txt').unlink()
    report = convert(str(voc), str(tmp_path / 'out'), to='coco', overwrite=True)
    assert report.endswith(
        'the source has no train, val and test lists; python tools/dataset_converters/'
        f'split.py {tmp_path}/out/annotations/all.json writes them'
    )


def test_the_voc_data_set_reads_it(voc, tmp_path):
    from custom_datasets.datasets.voc import VOCFolderDataset

    convert(str(voc), str(tmp_path / 'out'))
    dataset = VOCFolderDataset(
        'ImageSets/Main/train.txt',
        data_root=str(tmp_path / 'out'),
        metainfo={'classes': ('zebra', 'ant')},
        test_mode=True,
    )
    boxes = {
        os.path.basename(info['img_path']): [i['bbox'] for i in info['instances']]
        for info in (dataset.get_data_info(i) for i in range(len(dataset)))
    }
    assert boxes['a.jpg'] == [[0, 0, 64, 48], [9, 19, 30, 41]]
    assert boxes['e.jpg'] == [[2, 2, 50, 48]]


def test_a_split_of_a_coco_file_beside_it_doubles_no_image(voc, tmp_path):
    """The objects of one image have other numbers in the split's files."""
    source = tmp_path / 'coco'
    for part in ('train', 'test', 'trainval'):
        (voc / f'ImageSets/Main/{part}.txt').unlink()
    convert(str(voc), str(source), to='coco')
    whole = str(source / 'annotations/all.json')
    split_dataset(whole, {'train': 1, 'val': 1}, few_to_train=True)
    convert(str(source), str(tmp_path / 'out'), to='voc')
    images = [p for p in (tmp_path / 'out/JPEGImages').rglob('*') if p.is_file()]
    assert len(images) == len(list((source / 'images').rglob('*.*')))


@pytest.mark.parametrize('name', ['', 'c\x01at'])
def test_a_class_that_has_no_name_is_not_skipped(tmp_path, name):
    """It is the class of images that are otherwise sound."""
    source = tmp_path / 'yolo'
    draw(source / 'images/a.png')
    write(source / 'labels/a.txt', '0 0.5 0.5 0.2 0.2\n')
    write(source / 'data.yaml', f'names: [{json.dumps(name)}, dog]\n')
    with pytest.raises(AnnotationError, match='is not a class name; rename it'):
        convert(str(source), str(tmp_path / 'out'), skip_broken=True)
    assert not (tmp_path / 'out').exists()


def test_a_data_yaml_in_utf_16_is_named(tmp_path):
    source = tmp_path / 'yolo'
    draw(source / 'images/a.png')
    write(source / 'labels/a.txt', '0 0.5 0.5 0.2 0.2\n')
    (source / 'data.yaml').write_text('names: [cat]\n', encoding='utf-16')
    with pytest.raises(AnnotationError, match=r'data\.yaml: not text in UTF-8'):
        convert(str(source), str(tmp_path / 'out'))


def test_class_folders_that_differ_by_a_space_are_refused(tmp_path):
    source = tmp_path / 'folders'
    for number, name in enumerate(('cat', 'cat ', 'dog')):
        draw(source / name / f'{number}.png')
    with pytest.raises(AnnotationError, match="'cat ' is not a class name; rename it"):
        convert(str(source), str(tmp_path / 'out'))
