import errno
import os
import shutil
import zipfile

import pytest

from custom_datasets.data import convert as conversion
from custom_datasets.data.convert import convert, read_source
from custom_datasets.errors import UserError
from custom_datasets.files import MARK, read_mark
from tests.data.drawing import VOC_OBJECTS, coco_json, draw, objects, tree, write


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


@pytest.fixture
def interrupt(monkeypatch):
    """Let a function of the module raise when it is called for the n-th time."""

    def at(name, number, error):
        real, calls = getattr(conversion, name), []

        def broken(*arguments, **more):
            calls.append(arguments)
            if len(calls) == number:
                raise error
            return real(*arguments, **more)

        monkeypatch.setattr(conversion, name, broken)
        return calls

    return at


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
@pytest.mark.parametrize('step', ['_copy', 'new_folder', 'name_images'])
def test_an_interruption_leaves_no_data_set_and_is_made_up_for(
    source, tmp_path, interrupt, error, step
):
    convert(str(source), str(tmp_path / 'whole'))
    number = 4 if step == '_copy' else 1
    interrupt(step, number, error)
    with pytest.raises(error):
        convert(str(source), str(tmp_path / 'out'))
    assert around(tmp_path) == ['.out.converting', 'whole']
    convert(str(source), str(tmp_path / 'out'))
    assert around(tmp_path) == ['out', 'whole']
    assert contents(tmp_path / 'out') == contents(tmp_path / 'whole')


def test_going_on_copies_only_what_is_missing(voc, tmp_path, interrupt, monkeypatch):
    interrupt('_copy', 4, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        convert(str(voc), str(tmp_path / 'out'))
    monkeypatch.undo()
    copies = []
    real = shutil.copyfile
    monkeypatch.setattr(
        shutil, 'copyfile', lambda a, b: (copies.append(a), real(a, b))[1]
    )
    convert(str(voc), str(tmp_path / 'out'))
    assert len(copies) == len(VOC_OBJECTS) - 3


def test_going_on_with_a_changed_source(voc, tmp_path, interrupt, monkeypatch):
    interrupt('new_folder', 1, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        convert(str(voc), str(tmp_path / 'out'))
    draw(voc / 'JPEGImages/a.jpg', colour=(1, 2, 3))
    (voc / 'JPEGImages/c.JPG').unlink()
    (voc / 'Annotations/c.xml').unlink()
    text = (voc / 'ImageSets/Main/train.txt').read_text().replace('\nc\n', '\n')
    write(voc / 'ImageSets/Main/train.txt', text)
    convert(str(voc), str(tmp_path / 'out'))
    convert(str(voc), str(tmp_path / 'fresh'))
    assert contents(tmp_path / 'out') == contents(tmp_path / 'fresh')


def test_going_on_with_another_zip_or_target(voc, zipped, tmp_path, interrupt):
    interrupt('new_folder', 1, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        convert(str(zipped), str(tmp_path / 'out'), to='coco')
    with zipfile.ZipFile(zipped, 'w') as packed:
        packed.write(voc / 'JPEGImages/a.jpg', 'a.jpg')
        packed.write(voc / 'Annotations/a.xml', 'a.xml')
    convert(str(zipped), str(tmp_path / 'out'))
    assert sorted(contents(tmp_path / 'out')) == [
        '.custom_datasets',
        'Annotations/a.xml',
        'JPEGImages/a.jpg',
        'classes.txt',
    ]
    assert sorted(p.name for p in (tmp_path / 'out').iterdir() if p.is_dir()) == [
        'Annotations',
        'JPEGImages',
    ]


def test_a_full_disk(source, tmp_path, interrupt):
    interrupt('_copy', 3, OSError(errno.ENOSPC, 'No space left on device'))
    with pytest.raises(UserError, match=r'No space left on device\); run it again'):
        convert(str(source), str(tmp_path / 'out'))
    assert around(tmp_path) == ['.out.converting']
    convert(str(source), str(tmp_path / 'out'))
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
        '  Annotations/orphan.xml: there is no image of that name'
    )


def test_the_destination_is_not_overwritten_unasked(voc, tmp_path):
    out = tmp_path / 'out'
    write(out / 'mine.txt', 'mine')
    with pytest.raises(UserError, match='already there; remove it or give --overwrite'):
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


def test_killed_just_after_the_end(voc, tmp_path):
    convert(str(voc), str(tmp_path / 'out'))
    write(tmp_path / '.out.converting/job.json', '')
    with pytest.raises(UserError, match='already there'):
        convert(str(voc), str(tmp_path / 'out'))
    assert around(tmp_path) == ['out']


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
    with pytest.raises(UserError, match='neither a folder nor a whole zip'):
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
        'ant               3     3',
        'größe & höhe      0     1',
        'zebra             2     1',
        '- classes without an object: unused',
    ]
    (voc / 'ImageSets/Main/train.txt').unlink()
    (voc / 'ImageSets/Main/test.txt').unlink()
    (voc / 'ImageSets/Main/trainval.txt').unlink()
    report = convert(str(voc), str(tmp_path / 'out'), to='coco', overwrite=True)
    assert report.endswith(
        'the source has no train, val and test; python tools/dataset_converters/'
        f'split.py {tmp_path}/out/annotations/all.json divides it'
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
