import errno
import os
import stat
import struct
import zipfile

import pytest

from custom_datasets.data import archive
from custom_datasets.data.archive import unpack
from custom_datasets.errors import UserError


@pytest.fixture
def pack(tmp_path):
    """Write a zip: names or ZipInfos, and contents."""

    def write(*members, compression=zipfile.ZIP_DEFLATED):
        path = tmp_path / 'set.zip'
        with zipfile.ZipFile(path, 'w', compression) as packed:
            for name, content in members:
                packed.writestr(name, content)
        return path

    return write


def info(name, mode=0, system=3):
    result = zipfile.ZipInfo(name)
    result.create_system = system
    result.external_attr = mode << 16
    return result


def unpacked(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def refused(path, tmp_path, match):
    """Unpacking raises, and leaves no file inside or outside of the folder."""
    before = unpacked(tmp_path)
    with pytest.raises(UserError, match=match) as error:
        unpack(str(path), str(tmp_path / 'deep/inside/out'))
    assert str(path) in str(error.value)
    assert unpacked(tmp_path) == before


def test_files_and_folders(pack, tmp_path):
    path = pack(
        ('set/', ''),
        ('set/a.txt', b'a'),
        (info('set/b', stat.S_IFREG | 0o4777), b'b'),
        ('./set//c/größe.txt', b'c'),
        ('win\\dows\\d.txt', b'd'),
        ('__MACOSX/set/._a.txt', b'junk'),
        ('set/.DS_Store', b'junk'),
        ('set/Thumbs.db', b'junk'),
    )
    unpack(str(path), str(tmp_path / 'out'))
    assert unpacked(tmp_path / 'out') == {
        'set/a.txt': b'a',
        'set/b': b'b',
        'set/c/größe.txt': b'c',
        'win/dows/d.txt': b'd',
    }
    assert not (tmp_path / 'out/set/b').stat().st_mode & stat.S_ISUID


@pytest.mark.parametrize(
    'name',
    [
        '../out.txt',
        'a/../../out.txt',
        'a/..',
        '/etc/out.txt',
        '//server/out.txt',
        '..\\out.txt',
        '\\out.txt',
        'C:\\out.txt',
        'c:out.txt',
        '.hidden/../../out.txt',
        '__MACOSX/../../out.txt',
    ],
)
def test_paths_that_lead_out(pack, tmp_path, name):
    path = pack(('a.txt', b'a'), (name, b'out'))
    refused(path, tmp_path, 'leads out of the folder')


@pytest.mark.parametrize(
    'kind', [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK]
)
@pytest.mark.parametrize('system', [0, 3])
def test_links_and_devices(pack, tmp_path, kind, system):
    path = pack(
        (info('out', kind | 0o777, system), '/etc'),
        ('out/passwd', b'x'),
    )
    refused(path, tmp_path, 'is a link or device')


@pytest.mark.parametrize(
    ('names', 'match'),
    [
        (('a.txt', 'a.txt'), 'are one file'),
        (('a.txt', './a.txt'), 'are one file'),
        (('Set/a.txt', 'set/A.txt'), 'are one file'),
        (('u\u0308.txt', '\u00fc.txt'), 'are one file'),
        (('a', 'a/b.txt'), 'is both a file and a folder'),
    ],
)
@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_names_that_clash(pack, tmp_path, names, match):
    refused(pack(*((name, b'x') for name in names)), tmp_path, match)


def test_a_bomb(pack, tmp_path):
    path = pack(('a.jpg', b'0' * 20_000_000))
    refused(path, tmp_path, 'as a zip bomb does')


def test_a_bomb_in_many_files(pack, tmp_path):
    path = pack(*((f'{i}.jpg', b'0' * 2_000_000) for i in range(8)))
    refused(path, tmp_path, 'as a zip bomb does')


def test_a_bomb_of_overlapping_files(pack, tmp_path):
    """Every entry of the directory points to the first one's bytes."""
    content = os.urandom(50_000)
    path = pack(*((f'{i}', content) for i in range(3)), compression=0)
    data = bytearray(path.read_bytes())
    start = 0
    while (start := data.find(b'PK\x01\x02', start)) >= 0:
        data[start + 42 : start + 46] = struct.pack('<I', 0)
        start += 4
    first = data.find(b'PK\x03\x04', 10)
    directory = data.find(b'PK\x01\x02')
    end = data.find(b'PK\x05\x06')
    tail = data[directory:end] + data[end:]
    tail[end - directory + 16 : end - directory + 20] = struct.pack('<I', first)
    path.write_bytes(data[:first] + tail)
    refused(path, tmp_path, 'overlap|damaged')


def test_a_small_file_may_be_packed_well(pack, tmp_path):
    path = pack(('a.txt', b'0 0.5 0.5 1 1\n' * 100_000))
    assert path.stat().st_size < 14_000
    unpack(str(path), str(tmp_path / 'out'))
    assert (tmp_path / 'out/a.txt').stat().st_size == 1_400_000


def test_a_false_size(pack, tmp_path):
    """The directory promises 5 bytes of a file that has more."""
    path = pack(('a.txt', b'0123456789' * 10))
    data = bytearray(path.read_bytes())
    at = data.find(b'PK\x01\x02') + 24
    data[at : at + 4] = struct.pack('<I', 5)
    path.write_bytes(data)
    with pytest.raises(UserError, match='the zip is damaged'):
        unpack(str(path), str(tmp_path / 'out'))


def test_more_than_the_disk_holds(pack, tmp_path, monkeypatch):
    usage = (10**12, 10**12, archive._SPARE + 10)
    monkeypatch.setattr(
        archive.shutil, 'disk_usage', lambda _: type('U', (), {'free': usage[2]})
    )
    refused(pack(('a.txt', b'x' * 11)), tmp_path, 'needs 0.0 GB beside')
    unpack(str(pack(('a.txt', b'x' * 10))), str(tmp_path / 'out'))


def test_too_many_files(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, 'MAX_FILES', 2)
    path = pack(*((f'{i}.txt', b'') for i in range(3)))
    refused(path, tmp_path, 'has 3 files; at most 2')


def test_encrypted(pack, tmp_path):
    path = pack(('a.txt', b'x'))
    data = bytearray(path.read_bytes())
    data[data.find(b'PK\x01\x02') + 8] |= 1
    path.write_bytes(data)
    refused(path, tmp_path, 'is encrypted')


@pytest.mark.parametrize(
    'name', ['a/' * 2500 + 'a.txt', 'a' * 300 + '.txt'], ids=['folders', 'name']
)
def test_paths_that_no_file_system_takes(pack, tmp_path, name):
    refused(pack((name, b'x')), tmp_path, 'has more than 100 folders in each other, or')


@pytest.mark.parametrize('size', [0, 20, -30])
def test_no_whole_zip(pack, tmp_path, size):
    path = pack(('a.txt', os.urandom(100)))
    path.write_bytes(path.read_bytes()[:size])
    refused(path, tmp_path, 'neither a folder nor a complete zip')


def test_a_damaged_file(pack, tmp_path):
    path = pack(('a.txt', b'x' * 100), compression=0)
    data = path.read_bytes().replace(b'x' * 100, b'y' * 100)
    path.write_bytes(data)
    with pytest.raises(UserError, match='the zip is damaged'):
        unpack(str(path), str(tmp_path / 'out'))


@pytest.mark.parametrize('method', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_file_by_a_rare_method(pack, tmp_path, method):
    path = pack(('a.txt', os.urandom(1000)), compression=method)
    data = bytearray(path.read_bytes())
    data[40:120] = b'\xa5' * 80
    path.write_bytes(data)
    with pytest.raises(UserError, match='the zip is damaged'):
        unpack(str(path), str(tmp_path / 'out'))


@pytest.mark.parametrize('kind', ['version', 'name', 'disks'])
def test_what_python_cannot_list(pack, tmp_path, kind):
    path = pack(('größe.txt', b'x'))
    data = bytearray(path.read_bytes())
    directory = data.index(b'PK\1\2')
    if kind == 'version':
        data[directory + 6] = 255
    elif kind == 'name':
        at = data.index(b'\xc3\xb6', directory)
        data[at : at + 2] = b'\xff\xff'
    else:
        end = data.index(b'PK\5\6')
        data[end:end] = b'PK\6\7' + struct.pack('<IQI', 0, 0, 2)
    path.write_bytes(data)
    refused(path, tmp_path, 'the zip is damaged')


def test_a_disk_that_fills_up_is_no_damage(pack, tmp_path, monkeypatch):
    def copy(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(archive.shutil, 'copyfileobj', copy)
    with pytest.raises(OSError, match='No space left'):
        unpack(str(pack(('a.txt', b'x'))), str(tmp_path / 'out'))


def test_names_in_utf_8_that_are_not_said_to_be(pack, tmp_path):
    path = pack(('größe.txt', b'x'))
    data = bytearray(path.read_bytes())
    for mark, offset in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
        at = data.find(mark) + offset
        flags = struct.unpack('<H', data[at : at + 2])[0] & ~0x800
        data[at : at + 2] = struct.pack('<H', flags)
    path.write_bytes(data)
    unpack(str(path), str(tmp_path / 'out'))
    assert list(unpacked(tmp_path / 'out')) == ['größe.txt']
