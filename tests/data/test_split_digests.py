"""The same lists on every machine, and in every version: one digest per split."""

import hashlib

import pytest

from custom_datasets.data.split import split_dataset
from custom_datasets.samples.boxes import draw_bccd, draw_face_mask, draw_recycling
from custom_datasets.samples.classes import draw_waste

RATIOS = {'train': 8, 'val': 1, 'test': 1}
SHIPPED = {'ratios': RATIOS}, {'ratios': RATIOS, 'seed': 1}, {'folds': 5}


def draw_cells(root):
    draw_bccd(root, {'train': 60, 'val': 20, 'test': 20}, (48, 40))


def draw_litter(root):
    draw_recycling(root, {'train': 120, 'test': 6}, (96, 96))


DRAWN = {
    'bccd': (
        draw_cells,
        '',
        ['0b361df4642a98ab', '16fd9a9305ced75a', '4dddbf157aa9806b'],
    ),
    'face_mask': (
        draw_face_mask,
        '',
        ['1948ff07cd0eb73d', '3b174205bae45eb0', '59717e4ff72650fa'],
    ),
    'waste': (
        draw_waste,
        '',
        ['e0a6194fee4f5e00', 'ff471d577dee4ded', '9331740833236322'],
    ),
    'recycling': (
        draw_litter,
        'train.json',
        ['31535da6e9bb6674', 'fde18a91903becfd', '23ca3f67c0ae19be'],
    ),
}
REAL = {
    'bccd': ['cb906c6484fca622', '82774504c3a1e313', '584a231286e44fb7'],
    'face_mask': ['1001d73286bdfbb2', '23ee4280cd41b8d1', 'cc9f4637963d7285'],
    'waste': ['30b51c12bfc07678', 'bbae58362cceb2d3', '879dbebd12680513'],
}


def digests(source, folder):
    """Split in each of the shipped ways, and digest the lists with their names."""
    found = []
    for number, how in enumerate(SHIPPED):
        out = folder / str(number)
        split_dataset(str(source), out=str(out), **how)
        digest = hashlib.sha256()
        lists = [path for path in out.rglob('*') if path.suffix in ('.txt', '.json')]
        for path in sorted(lists):
            digest.update(f'{path.relative_to(out)}\n'.encode() + path.read_bytes())
        found.append(digest.hexdigest()[:16])
    return found


@pytest.mark.parametrize('name', DRAWN)
def test_lists_of_drawn_sets(name, tmp_path):
    draw, file, expected = DRAWN[name]
    draw(str(tmp_path / 'set'))
    assert digests(tmp_path / 'set' / file, tmp_path) == expected


@pytest.mark.real_data
@pytest.mark.parametrize('name', REAL)
def test_lists_of_real_sets(name, real_data_root, tmp_path):
    assert digests(real_data_root / name, tmp_path) == REAL[name]
