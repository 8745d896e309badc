import json
import os
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from custom_datasets.data import defect_crops as metal_surface
from custom_datasets.data.defect_crops import convert, crop_stems, cut_square
from custom_datasets.errors import AnnotationError, ConfigError, UserError
from custom_datasets.samples.boxes import METAL_CLASSES
from tools.dataset_converters import metal_surface as tool

PARTS = ('train', 'val', 'test')
SHARES = {'train': 0.8, 'val': 0.1, 'test': 0.1}


@pytest.fixture
def root(metal_root, tmp_path):
    """A copy, to be soiled."""
    return Path(shutil.copytree(metal_root, tmp_path / 'root'))


@pytest.fixture
def raw(tmp_path):
    """Write raw data: ``raw({'a.png': (image, [(label, box), ...])})``."""

    def write(photographs, **changes):
        folder = tmp_path / 'raw'
        entries = {}
        for name, (image, objects) in photographs.items():
            (folder / 'images' / name).parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / 'images' / name), image)
            anno = [{'label': label, 'bbox': box} for label, box in objects]
            entries[name] = {'filename': name, 'anno': anno}
        (folder / 'anno').mkdir(parents=True, exist_ok=True)
        text = json.dumps({**entries, **changes})
        (folder / 'anno/annotation.json').write_text(text)
        return folder

    return write


def noise(seed, size=(40, 30)):
    pixels = np.random.default_rng(seed).integers(1, 255, (size[1], size[0], 3))
    return pixels.astype(np.uint8)


def snapshot(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob('*'))
        if p.is_file()
    }


def listed(out, part):
    lines = (out / f'{part}.txt').read_text().splitlines()
    return [tuple(line.split('\t')) for line in lines]


def photograph(crop):
    return Path(crop).stem.rpartition('_')[0]


def boxes_of(folder):
    return json.loads((folder / 'anno/annotation.json').read_text())


def change(folder, function):
    entries = boxes_of(folder)
    function(entries)
    (folder / 'anno/annotation.json').write_text(json.dumps(entries))


def test_lists_and_folders_agree(metal_root, metal_crops):
    made = snapshot(metal_crops)
    everything = [line for part in PARTS for line in listed(metal_crops, part)]
    images = {name for name in made if name.endswith('.png')}
    assert len(everything) == len(images) == 90
    assert {path for path, _ in everything} == images
    for part in PARTS:
        for path, label in listed(metal_crops, part):
            assert path.split('/')[:2] == [part, label]
        assert listed(metal_crops, part) == sorted(listed(metal_crops, part))
    assert set(made) - images == {
        '.custom_datasets',
        'classes.txt',
        *(f'{part}.txt' for part in PARTS),
    }
    assert (metal_crops / 'classes.txt').read_text().split() == list(METAL_CLASSES)
    labels = Counter(
        item['label']
        for entry in boxes_of(metal_root).values()
        for item in entry['anno']
    )
    assert Counter(label for _, label in everything) == labels


def test_each_class_is_in_proportion_and_no_photograph_in_two_parts(metal_crops):
    lines = {part: listed(metal_crops, part) for part in PARTS}
    whole = Counter(label for part in PARTS for _, label in lines[part])
    for part in PARTS:
        counts = Counter(label for _, label in lines[part])
        for label in METAL_CLASSES:
            assert abs(counts[label] - SHARES[part] * whole[label]) <= 1
    photographs = {p: {photograph(path) for path, _ in lines[p]} for p in PARTS}
    assert sum(map(len, photographs.values())) == 60
    assert len(set.union(*photographs.values())) == 60


def test_crops_have_the_photograph_s_pixels_in_a_black_square(metal_root, metal_crops):
    entries = {Path(name).stem: (name, e) for name, e in boxes_of(metal_root).items()}
    for path, label in listed(metal_crops, 'train'):
        crop = cv2.imread(str(metal_crops / path))
        name, entry = entries[photograph(path)]
        image = cv2.imread(str(metal_root / 'images' / name))
        item = entry['anno'][int(Path(path).stem.rpartition('_')[2])]
        assert item['label'] == label
        x1, y1, x2, y2 = item['bbox']
        wide, tall = x2 - x1 + 1, y2 - y1 + 1
        side = max(wide, tall)
        assert crop.shape == (side, side, 3)
        top, left = (side - tall) // 2, (side - wide) // 2
        inside = crop[top : top + tall, left : left + wide].copy()
        assert np.array_equal(inside, image[y1 - 1 : y2, x1 - 1 : x2])
        crop[top : top + tall, left : left + wide] = 0
        assert not crop.any()


@pytest.mark.parametrize(
    ('box', 'expected'),
    [
        ((1, 0, 4, 1), [[0, 0, 0], [2, 3, 4], [0, 0, 0]]),
        ((0, 0, 1, 2), [[1, 0], [5, 0]]),
        ((3, 1, 4, 2), [[8]]),
        ((0.9, 0.1, 1.2, 1.9), [[1, 2], [5, 6]]),
    ],
)
def test_cut_square(box, expected):
    image = np.arange(1, 9, dtype=np.uint8).reshape(2, 4)
    assert cut_square(image, box).tolist() == expected
    colored = np.dstack([image] * 3)
    assert cut_square(colored, box)[..., 2].tolist() == expected


def test_zero_based_boxes(raw, tmp_path):
    image = noise(0)
    photographs = {f'{i}.png': (image + i, [('a', [1, 2, 11, 12])]) for i in range(3)}
    folder = raw(photographs)
    convert(str(folder), str(tmp_path / 'zero'), ['a'], one_based=False)
    crop = cv2.imread(str(tmp_path / 'zero' / listed(tmp_path / 'zero', 'val')[0][0]))
    assert crop.shape == (10, 10, 3)
    convert(str(folder), str(tmp_path / 'one'), ['a'])
    crop = cv2.imread(str(tmp_path / 'one' / listed(tmp_path / 'one', 'val')[0][0]))
    assert crop.shape == (11, 11, 3)


def test_gray_and_16_bit_images(raw, tmp_path):
    gray = noise(1)[..., 0]
    deep = noise(2)[..., 0].astype(np.uint16) * 256
    box = [('a', [1, 1, 8, 8])]
    folder = raw({'g.png': (gray, box), 'd.png': (deep, box), 'c.png': (noise(3), box)})
    convert(str(folder), str(tmp_path / 'out'), ['a'])
    crops = {photograph(p.name): p for p in (tmp_path / 'out').rglob('*.png')}
    assert np.array_equal(cv2.imread(str(crops['g']))[..., 1], gray[:8, :8])
    assert np.array_equal(cv2.imread(str(crops['d']))[..., 1], deep[:8, :8] // 256)


def test_what_is_dropped_is_counted(raw, tmp_path):
    good = [('a', [1, 1, 8, 8])]
    folder = raw(
        {
            **{f'{i}.png': (noise(i), good) for i in range(3)},
            'zero.png': (noise(4), [('a', [5, 5, 5, 9])]),
            'outside.png': (noise(5), [('a', [41, 5, 50, 9]), *good]),
            'beyond.png': (noise(6), [('a', [30, 20, 41, 31])]),
            'empty.png': (noise(7), []),
        }
    )
    cv2.imwrite(str(folder / 'images/unlisted.png'), noise(8))
    report = convert(str(folder), str(tmp_path / 'out'), ['a'])
    assert report.splitlines()[1].split() == ['images', '3', '1', '1']
    assert set(report.splitlines()[3:]) == {
        '2 boxes without area dropped',
        '1 box clipped',
        '2 images without a box left out',
        '1 image that the JSON lacks left out',
    }
    (beyond,) = (tmp_path / 'out').rglob('beyond_0.png')
    assert cv2.imread(str(beyond)).shape == (11, 11, 3)
    assert [p.name for p in (tmp_path / 'out').rglob('outside*')] == ['outside_1.png']


def test_names_that_would_collide(raw, tmp_path):
    names = ['a.jpg', 'a.png', 'a-2.png', 'x/y.png', 'x_y.png', 'A.png', 'ü ü.png']
    box = [('a', [1, 1, 8, 8]), ('a', [2, 2, 9, 9])]
    photographs = {n: (noise(i), box) for i, n in enumerate(names)}
    convert(str(raw(photographs)), str(tmp_path / 'out'), ['a'])
    crops = {path for part in PARTS for path, _ in listed(tmp_path / 'out', part)}
    assert len(crops) == 14
    assert len({crop.casefold() for crop in crops}) == 14
    assert all((tmp_path / 'out' / crop).is_file() for crop in crops)


def test_crop_stems():
    assert crop_stems(['b/a.jpg', 'b_a.png', 'B_A.png', 'c\td.png']) == {
        'B_A.png': 'B_A',
        'b/a.jpg': 'b_a-2',
        'b_a.png': 'b_a-3',
        'c\td.png': 'c_d',
    }
    assert crop_stems(['a/b.png', 'a_B.png']) == {'a/b.png': 'a_b', 'a_B.png': 'a_B-2'}


def test_identical_photographs_stay_together(root, tmp_path):
    names = sorted(boxes_of(root))
    groups = [names[0:3], names[21:23], names[57:60]]
    for first, *others in groups:
        for other in others:
            shutil.copy(root / 'images' / first, root / 'images' / other)
    for seed in range(5):
        out = tmp_path / str(seed)
        convert(str(root), str(out), METAL_CLASSES, seed=seed)
        part_of = {photograph(p): part for part in PARTS for p, _ in listed(out, part)}
        for group in groups:
            assert len({part_of[Path(name).stem] for name in group}) == 1


def test_again_is_the_same_and_a_seed_is_another_split(
    metal_root, metal_crops, tmp_path
):
    convert(str(metal_root), str(tmp_path / 'again'), METAL_CLASSES)
    assert snapshot(tmp_path / 'again') == snapshot(metal_crops)
    convert(str(metal_root), str(tmp_path / 'other'), METAL_CLASSES, seed=1)
    assert listed(tmp_path / 'other', 'test') != listed(metal_crops, 'test')


def test_everything_wrong_comes_in_one_error(root, tmp_path):
    (root / 'images/steel_000.jpg').unlink()
    (root / 'images/steel_001.jpg').write_bytes(b'')

    def soil(entries):
        entries['steel_002.jpg'] = {}
        entries['steel_003.jpg']['anno'][0]['label'] = 'dent'
        entries['steel_005.jpg']['anno'][0]['label'] = ' dent '

    change(root, soil)
    with pytest.raises(AnnotationError) as caught:
        convert(str(root), str(tmp_path / 'out'), (*METAL_CLASSES, 'rolled_pit'))
    problems = caught.value.problems
    source = f'{root}/anno/annotation.json'
    assert problems[:2] == (
        f'{source}: steel_000.jpg: no such image',
        f'{source}: steel_002.jpg: it has no list "anno"',
    )
    assert problems[2].startswith(f'{root}/images/steel_001.jpg: is empty')
    assert problems[3].startswith(f"{source}: steel_003.jpg: unknown class 'dent'")
    assert problems[3].endswith(f'(2 times, also in {source}: steel_005.jpg)')
    assert problems[4:] == ('no box of class rolled_pit',)


def test_images_that_cannot_be_decoded_are_all_named(root, tmp_path):
    for name in ('steel_010.jpg', 'steel_011.jpg'):
        path = root / 'images' / name
        png = cv2.imencode('.png', cv2.imread(str(path)))[1].tobytes()
        path.write_bytes(png[:60])
    with pytest.raises(AnnotationError) as caught:
        convert(str(root), str(tmp_path / 'out'), METAL_CLASSES)
    assert len(caught.value.problems) == 2
    assert all('cannot be decoded' in problem for problem in caught.value.problems)
    assert os.listdir(tmp_path) == ['root']


def test_an_image_that_is_decoded_in_another_size(metal_root, tmp_path, monkeypatch):
    monkeypatch.setattr(metal_surface, 'image_size', lambda path: (64, 96))
    with pytest.raises(AnnotationError, match='is 96x64 pixels, but its header'):
        convert(str(metal_root), str(tmp_path / 'out'), METAL_CLASSES)
    assert os.listdir(tmp_path) == []


def test_json_with_a_bom_and_other_places(root, tmp_path):
    text = (root / 'anno/annotation.json').read_text()
    (root / 'boxes.json').write_text(text, encoding='utf-8-sig')
    os.rename(root / 'images', root / 'photos')
    options = {'images': 'photos', 'annotations': 'boxes.json'}
    convert(str(root), str(tmp_path / 'out'), METAL_CLASSES, **options)
    assert len(snapshot(tmp_path / 'out')) == 95


def test_another_json_of_boxes_is_named(root, tmp_path):
    shutil.copy(root / 'anno/annotation.json', root / 'anno/old.json')
    (root / 'notes.json').write_text('{"author": "me"}')
    report = convert(str(root), str(tmp_path / 'out'), METAL_CLASSES)
    text = '1 file with boxes not read: anno/old.json; --annotations names one'
    assert text in report.splitlines()


def test_missing_folders(tmp_path):
    with pytest.raises(UserError, match=r'annotation\.json: No such file'):
        convert(str(tmp_path), str(tmp_path / 'out'), METAL_CLASSES)
    (tmp_path / 'anno').mkdir()
    (tmp_path / 'anno/annotation.json').write_text('{}')
    with pytest.raises(UserError, match='images: no such folder'):
        convert(str(tmp_path), str(tmp_path / 'out'), METAL_CLASSES)


@pytest.mark.parametrize('name', ['a/b', '..', '.', 'a\tb', '', '/etc'])
def test_class_names_that_are_no_folders(metal_root, tmp_path, name):
    with pytest.raises(ConfigError):
        convert(str(metal_root), str(tmp_path / 'out'), [*METAL_CLASSES, name])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('out', ['.', 'images', 'anno', '..'])
def test_the_raw_data_are_never_replaced(root, out):
    before = snapshot(root)
    (root / '.custom_datasets').touch()
    with pytest.raises(UserError, match='holds the raw data'):
        convert(str(root), str(root / out), METAL_CLASSES, overwrite=True)
    (root / '.custom_datasets').unlink()
    assert snapshot(root) == before


def test_out_inside_the_source(root):
    before = snapshot(root)
    convert(str(root), str(root / 'crops'), METAL_CLASSES)
    after = snapshot(root)
    assert {n: d for n, d in after.items() if not n.startswith('crops')} == before
    assert len(after) - len(before) == 95


@pytest.mark.parametrize('old', [False, True])
@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError(28, 'No space left')])
def test_an_interruption_leaves_nothing_half_written(
    metal_root, tmp_path, monkeypatch, error, old
):
    out = tmp_path / 'out'
    if old:
        convert(str(metal_root), str(out), METAL_CLASSES, seed=9)
    before = snapshot(tmp_path)
    write, calls = metal_surface.write_image, []

    def interrupted(path, image):
        calls.append(path)
        if len(calls) == 40:
            raise error
        return write(path, image)

    monkeypatch.setattr(metal_surface, 'write_image', interrupted)
    with pytest.raises((KeyboardInterrupt, UserError)):
        convert(str(metal_root), str(out), METAL_CLASSES, overwrite=True)
    assert len(calls) == 40
    assert snapshot(tmp_path) == before
    assert os.listdir(tmp_path) == ['out'] * old


def test_a_full_disk_is_a_sentence(metal_root, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(UserError, match=r'cannot be written \(No space left\)'):
        convert(str(metal_root), str(tmp_path / 'out'), METAL_CLASSES)
    assert os.listdir(tmp_path) == []


def test_command(metal_root, tmp_path, capsys):
    out = str(tmp_path / 'out')
    classes = ['--classes', *METAL_CLASSES]
    assert tool.main([str(metal_root), out, *classes]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith('punching_hole')
    before = snapshot(tmp_path)
    assert tool.main([str(metal_root), out, *classes, '--seed', '1']) == 1
    assert 'give --overwrite' in capsys.readouterr().err
    assert snapshot(tmp_path) == before
    options = ['--seed', '1', '--overwrite', '--zero-based']
    assert tool.main([str(metal_root), out, *classes, *options]) == 0
    assert snapshot(tmp_path) != before
    assert tool.main([str(metal_root), str(tmp_path / 'ten')]) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert 'no box of class crescent_gap' in error
    assert os.listdir(tmp_path) == ['out']
    assert tool.main([str(tmp_path / 'nowhere'), out]) == 1
    assert 'nowhere/anno/annotation.json: No such file' in capsys.readouterr().err
