"""The real sets: nothing of them is drawn, copied or written to."""

import csv
import os
from collections import Counter

import pytest

from custom_datasets.data.clean import clean_dataset
from custom_datasets.data.defect_crops import convert
from custom_datasets.data.likeness import alike_groups
from custom_datasets.data.scan import scan_images
from custom_datasets.data.split import read_source, split_dataset

pytestmark = pytest.mark.real_data

RATIOS = {'train': 8, 'val': 1, 'test': 1}
NEU_CLASSES = (
    'crazing',
    'inclusion',
    'patches',
    'pitted_surface',
    'rolled_in_scale',
    'scratches',
)


def read(folder, parts):
    return {part: (folder / f'{part}.txt').read_text().splitlines() for part in parts}


def off_by(report):
    """Return the last column of the images' table, by class."""
    rows = report.partition('\nboxes')[0].splitlines()[1:]
    return {row.split()[0]: float(row.split()[-1]) for row in rows if row[0] == ' '}


@pytest.mark.parametrize(('folds', 'seed'), [(None, 0), (None, 1), (5, 0), (10, 1)])
def test_face_mask_is_within_one_image(real_data_root, tmp_path, folds, seed):
    source = str(real_data_root / 'face_mask')
    how = {'folds': folds} if folds else {'ratios': RATIOS}
    report = split_dataset(source, out=str(tmp_path), seed=seed, **how)
    assert max(off_by(report).values()) <= 1
    assert len(off_by(report)) == 4
    labels = read_source(source).labels
    rare = 'mask_weared_incorrect'
    main = tmp_path / 'ImageSets/Main'
    if folds:
        parts = [read(main / f'fold_{k}', ['val'])['val'] for k in range(folds)]
        shares = [1 / folds] * folds
    else:
        parts, shares = list(read(main, RATIOS).values()), [0.8, 0.1, 0.1]
    for names, share in zip(parts, shares, strict=True):
        assert abs(sum(rare in labels[n] for n in names) - 21 * share) <= 1
    part_of = {name: index for index, names in enumerate(parts) for name in names}
    assert len(part_of) == 200
    for pair in ((13, 737), (146, 219), (410, 428), (653, 775), (656, 690)):
        assert len({part_of[f'maksssksksss{number}'] for number in pair}) == 1


def test_bccd_with_its_official_test_list(real_data_root, tmp_path):
    root = real_data_root / 'bccd'
    held = root / 'ImageSets/Main/test.txt'
    report = split_dataset(str(root), folds=4, test_list=str(held), out=str(tmp_path))
    assert max(off_by(report).values()) <= 1
    assert '2 boxes without area not counted' in report
    for fold in range(4):
        folder = tmp_path / f'ImageSets/Main/fold_{fold}'
        assert (folder / 'test.txt').read_bytes() == held.read_bytes()
        lists = read(folder, RATIOS)
        assert not set(lists['test']) & {*lists['train'], *lists['val']}


def test_waste_keeps_conflicting_copies_together(real_data_root, tmp_path):
    report = split_dataset(str(real_data_root / 'waste'), RATIOS, out=str(tmp_path))
    assert max(off_by(report).values()) <= 1
    part_of = {
        line.split('\t')[0]: part
        for part, lines in read(tmp_path, RATIOS).items()
        for line in lines
    }
    assert len(part_of) == 2527
    twins = [('metal91', 'glass115'), ('plastic332', 'glass389')]
    for pair in (*twins, ('plastic152', 'glass176')):
        paths = [f'{name.rstrip("0123456789")}/{name}.jpg' for name in pair]
        assert len({part_of[path] for path in paths}) == 1


def test_waste_cleaned_leaves_no_picture_in_two_parts(real_data_root, tmp_path):
    source = str(real_data_root / 'waste')
    clean_dataset(source, out=str(tmp_path))
    with open(tmp_path / 'removed.csv', newline='') as file:
        removed = list(csv.DictReader(file))
    conflicts = {
        frozenset((row['image'], row['twin']))
        for row in removed
        if row['reason'] == 'label-conflict'
    }
    pairs = [('metal91', 'glass115'), ('plastic332', 'glass389')]
    pairs.append(('plastic152', 'glass176'))
    assert conflicts == {
        frozenset(f'{name.rstrip("0123456789")}/{name}.jpg' for name in pair)
        for pair in pairs
    }
    exclude = str(tmp_path / 'removed.csv')
    report = split_dataset(source, RATIOS, exclude=exclude, out=str(tmp_path))
    assert max(off_by(report).values()) <= 1
    listed = [line for lines in read(tmp_path, RATIOS).values() for line in lines]
    assert sorted(listed) == (tmp_path / 'kept.txt').read_text().splitlines()
    assert len(set(listed)) == len(listed) == 2527 - len(removed)
    paths = [os.path.join(source, line.split('\t')[0]) for line in listed]
    assert not [g for g in alike_groups(scan_images(paths)) if len(g.paths) > 1]


def test_folds_of_crops_part_no_photograph(real_data_root, tmp_path):
    out = tmp_path / 'crops'
    convert(str(real_data_root / 'metal_surface'), str(out), NEU_CLASSES)
    report = split_dataset(str(out), folds=5)
    assert max(off_by(report).values()) <= 1
    fold_of = {}
    seen = Counter()
    for fold in range(5):
        for line in read(out / f'fold_{fold}', ['val'])['val']:
            path = line.split('\t')[0]
            seen[path] += 1
            photograph = path.rpartition('/')[2].rpartition('_')[0]
            assert fold_of.setdefault(photograph, fold) == fold
    assert len(seen) == 1507 and set(seen.values()) == {1}
    assert len(fold_of) == 661
