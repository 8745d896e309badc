"""The three data sets as they are; nothing of them is drawn or copied."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from custom_datasets.data.balance import file_digest
from custom_datasets.data.defect_crops import convert
from custom_datasets.data.face_mask import write_split
from custom_datasets.data.names import read_lines
from custom_datasets.data.voc import read_voc_file
from custom_datasets.datasets import boxes as box_loading
from custom_datasets.datasets import class_list
from custom_datasets.datasets.bccd import BCCDDataset
from custom_datasets.datasets.face_mask import FaceMaskDataset
from custom_datasets.datasets.metal_surface import MetalSurfaceDataset
from custom_datasets.errors import AnnotationError

pytestmark = pytest.mark.real_data

PARTS = ('train', 'val', 'test')
SHARES = {'train': 0.8, 'val': 0.1, 'test': 0.1}
NEU_CLASSES = (
    'crazing',
    'inclusion',
    'patches',
    'pitted_surface',
    'rolled_in_scale',
    'scratches',
)


@pytest.fixture(autouse=True)
def log(monkeypatch):
    lines = []
    for module in (box_loading, class_list):
        monkeypatch.setattr(
            module, 'print_log', lambda text, logger: lines.append(text)
        )
    return lines


@pytest.fixture(scope='module')
def untouched(real_data_root):
    """The real folders have the same files, unchanged, after all tests."""

    def state():
        return {
            path: path.stat().st_mtime_ns
            for name in ('bccd', 'face_mask', 'metal_surface')
            for path in (real_data_root / name).rglob('*')
        }

    before = state()
    yield real_data_root
    assert state() == before


@pytest.fixture(scope='module')
def faces(untouched, tmp_path_factory):
    out = tmp_path_factory.mktemp('real') / 'faces'
    classes = FaceMaskDataset.METAINFO['classes']
    write_split(str(untouched / 'face_mask'), classes, out=str(out))
    return out


@pytest.fixture(scope='module')
def crops(untouched, tmp_path_factory):
    out = tmp_path_factory.mktemp('real') / 'neu'
    return out, convert(str(untouched / 'metal_surface'), str(out), NEU_CLASSES)


def load(kind, root, part, **options):
    return kind(f'ImageSets/Main/{part}.txt', data_root=str(root), **options)


def class_counts(dataset):
    labels = Counter(
        instance['bbox_label'] for info in dataset for instance in info['instances']
    )
    return [labels[index] for index in range(len(dataset.metainfo['classes']))]


def test_bccd_has_the_official_split(untouched, log):
    sets = [load(BCCDDataset, untouched / 'bccd', part) for part in PARTS]
    assert [len(dataset) for dataset in sets] == [205, 87, 72]
    found = np.sum([class_counts(dataset) for dataset in sets], 0)
    assert found.tolist() == [4155 - 2, 372, 361]
    assert len(log) == 3
    notes = [line.rpartition('; ')[2] for line in log]
    assert sorted(notes) == [
        '1 box without area dropped',
        '1 box without area dropped',
        'all clean',
    ]


def test_bccd_boxes_are_one_based(untouched):
    boxes = np.array(
        [
            instance['bbox']
            for part in PARTS
            for info in load(BCCDDataset, untouched / 'bccd', part)
            for instance in info['instances']
        ]
    )
    assert boxes.min(0)[:2].tolist() == [0, 0]
    assert boxes.max(0)[2:].tolist() == [640, 480]
    assert np.equal(boxes[:, 0], 0).sum() > 200
    assert np.equal(boxes[:, 2], 640).sum() > 200


def test_bccd_zero_based_would_lose_the_first_pixel(untouched):
    dataset = load(BCCDDataset, untouched / 'bccd', 'train', one_based=False)
    lowest = min(i['bbox'][0] for info in dataset for i in info['instances'])
    assert lowest == 1


def test_an_unknown_class_is_found_in_real_files(untouched):
    classes = {'classes': ('RBC', 'WBC', 'platelet')}
    with pytest.raises(AnnotationError, match="'Platelets'; did you mean 'platelet'"):
        load(BCCDDataset, untouched / 'bccd', 'val', metainfo=classes)
    one = {'classes': ('WBC',)}
    options = {'metainfo': one, 'ignore_classes': ['RBC', 'Platelets']}
    dataset = load(BCCDDataset, untouched / 'bccd', 'val', **options)
    assert class_counts(dataset)[0] == len([i for d in dataset for i in d['instances']])


def test_face_mask_loads_and_says_what_it_clipped(faces, log):
    sets = [load(FaceMaskDataset, faces, part) for part in PARTS]
    assert sum(len(dataset) for dataset in sets) == 200
    found = np.sum([class_counts(dataset) for dataset in sets], 0)
    assert found.tolist() == [525, 115, 26]
    notes = [line.rpartition('; ')[2] for line in log]
    counts = [re.fullmatch(r'all clean|(\d+) box(?:es)? clipped', n) for n in notes]
    assert sum(int(count[1] or 0) for count in counts) == 12


@pytest.mark.parametrize('seed', range(5))
def test_face_mask_split_is_stratified_and_grouped(untouched, tmp_path, seed):
    root = untouched / 'face_mask'
    classes = FaceMaskDataset.METAINFO['classes']
    write_split(str(root), classes, out=str(tmp_path), seed=seed)
    images = defaultdict(Counter)
    part_of = {}
    for part in PARTS:
        for _, name in read_lines(str(tmp_path / f'ImageSets/Main/{part}.txt')):
            part_of[name] = part
            objects = read_voc_file(str(root / f'annotations/{name}.xml')).boxes
            images[part].update({box.name for box in objects})
    assert len(part_of) == 200
    whole = sum(images.values(), Counter())
    for part in PARTS:
        for name in classes:
            assert abs(images[part][name] - SHARES[part] * whole[name]) <= 1
    for pair in ((13, 737), (146, 219), (410, 428), (653, 775), (656, 690)):
        first, second = (f'maksssksksss{number}' for number in pair)
        assert file_digest(str(root / f'images/{first}.png')) == file_digest(
            str(root / f'images/{second}.png')
        )
        assert part_of[first] == part_of[second]


def test_metal_surface_crops_every_box_into_one_part(untouched, crops):
    out, report = crops
    lines = {
        part: [line.split('\t') for _, line in read_lines(str(out / f'{part}.txt'))]
        for part in PARTS
    }
    counts = {part: Counter(label for _, label in lines[part]) for part in PARTS}
    whole = sum(counts.values(), Counter())
    assert whole == {
        'inclusion': 359,
        'patches': 316,
        'crazing': 255,
        'rolled_in_scale': 227,
        'scratches': 193,
        'pitted_surface': 157,
    }
    photographs = {
        part: {Path(path).stem.rpartition('_')[0] for path, _ in lines[part]}
        for part in PARTS
    }
    assert len(set.union(*photographs.values())) == 661
    assert sum(map(len, photographs.values())) == 661
    for part in PARTS:
        for name in NEU_CLASSES:
            assert abs(counts[part][name] - SHARES[part] * whole[name]) <= 1
        assert abs(len(photographs[part]) - SHARES[part] * 661) <= 4
    twins = {'patches_101', 'patches_105'}
    assert any(twins <= photographs[part] for part in PARTS)
    assert 'dropped' not in report and 'clipped' not in report


def test_metal_surface_crops_have_the_photograph_s_pixels(untouched, crops):
    out, _ = crops
    root = untouched / 'metal_surface'
    entries = json.loads((root / 'anno/annotation.json').read_text())
    made = {path.stem: path for path in out.rglob('*.png')}
    assert len(made) == 1507
    for name, entry in list(entries.items())[::20]:
        image = cv2.imread(str(root / 'images' / name))
        for index, item in enumerate(entry['anno']):
            x1, y1, x2, y2 = item['bbox']
            patch = image[y1 - 1 : y2, x1 - 1 : x2]
            tall, wide = patch.shape[:2]
            side = max(tall, wide)
            square = np.zeros((side, side, 3), np.uint8)
            top, left = (side - tall) // 2, (side - wide) // 2
            square[top : top + tall, left : left + wide] = patch
            path = made[f'{Path(name).stem}_{index}']
            assert path.parent.name == item['label']
            assert np.array_equal(cv2.imread(str(path)), square)


def test_metal_surface_loads_with_another_class_list(crops, log):
    out, _ = crops
    classes = str(out / 'classes.txt')
    sets = [
        MetalSurfaceDataset(f'{part}.txt', data_root=str(out), classes=classes)
        for part in PARTS
    ]
    assert sum(map(len, sets)) == 1507
    assert sets[0].metainfo['classes'] == NEU_CLASSES
    info = sets[2].get_data_info(0)
    assert f'/{NEU_CLASSES[info["gt_label"]]}/' in info['img_path']
    assert len(log) == 3


def test_metal_surface_with_the_default_classes_names_the_others(untouched, tmp_path):
    classes = MetalSurfaceDataset.METAINFO['classes']
    with pytest.raises(AnnotationError) as caught:
        convert(str(untouched / 'metal_surface'), str(tmp_path / 'out'), classes)
    problems = caught.value.problems
    assert len([problem for problem in problems if 'unknown class' in problem]) == 5
    assert 'no box of class crease' in problems
    assert not (tmp_path / 'out').exists()
