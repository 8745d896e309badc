"""Finding and cropping faces, and from portraits of two sources to lists."""

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from custom_datasets.data.origins import read_sources
from custom_datasets.datasets.age_gender import AgeGenderDataset
from custom_datasets.errors import UserError
from custom_datasets.predicting.face_crops import (
    PERSON,
    choose_face,
    convert,
    crop_face,
    detector_faces,
)
from custom_datasets.settings import apply_settings
from tests.leaves import SAMPLE

CLASSES = ('20s_female', '60s_male')
PARTS = ('train', 'val', 'test')
NAMES = ('', 'best_of_')


def find(image):
    """Stub: the face is where it is bright; blue is two faces."""
    ys, xs = np.nonzero(image[..., 1] > 100)
    if not len(xs):
        return np.zeros((0, 5))
    box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, 1]
    if image[0, 0, 0] > 200:
        return np.array([box, [0, 0, 30, 30, 0.9]], float)
    return np.array([box], float)


def portrait(seed, face=True, blue=False):
    rng = np.random.default_rng(seed)
    image = np.zeros((60, 80, 3), np.uint8)
    image[..., 0] = 255 if blue else 0
    if face:
        image[20:50, 40:70] = rng.integers(120, 255, (30, 30, 3))
    return image


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def draw(root, counts=(6, 6), seed=0):
    """Draw ``counts`` portraits of the two classes."""
    for label, count in zip(CLASSES, counts, strict=True):
        for index in range(count):
            seed += 1
            write(root / label / f'{index}.png', portrait(seed))
    return root


def listed(out, part):
    lines = (out / f'{part}.txt').read_text().splitlines()
    return dict(line.split('\t') for line in lines)


def lost(out):
    with open(out / 'not_found.csv', newline='') as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def run(root, out, **options):
    return convert(str(root), str(out), CLASSES, find, **options)


def test_another_source_tests_and_every_crop_is_listed_once(tmp_path):
    raw = draw(tmp_path / 'studio', (9, 18))
    other = draw(tmp_path / 'street', (2, 3), 100)
    out = tmp_path / 'out'
    said = run(raw, out, test=[str(other)])
    lists = {part: listed(out, part) for part in PARTS}
    assert {part: len(found) for part, found in lists.items()} == {
        'train': 24,
        'val': 3,
        'test': 5,
    }
    assert list(lists['val'].values()).count('20s_female') == 1
    crops = {p.relative_to(out).as_posix() for p in out.rglob('*.jpg')}
    assert sorted(crops) == sorted(name for found in lists.values() for name in found)
    assert all(path.split('/')[0] == label for path, label in lists['test'].items())
    sources = read_sources(str(out / 'sources.txt'))
    assert {sources[path] for path in lists['test']} == {'street'}
    assert {sources[p] for part in ('train', 'val') for p in lists[part]} == {'studio'}
    assert lost(out) == []
    assert '32 crops; 0 portraits without one' in said
    assert f'lists: {out}' in said
    image = cv2.imread(str(out / sorted(crops)[0]))
    assert image.shape == (224, 224, 3)


def test_without_another_source_all_three_parts_are_of_one(tmp_path):
    run(draw(tmp_path / 'raw', (10, 20)), tmp_path / 'out')
    assert [len(listed(tmp_path / 'out', part)) for part in PARTS] == [24, 3, 3]


def test_what_has_no_crop_is_listed_with_its_reason(tmp_path):
    raw = draw(tmp_path / 'raw')
    write(raw / '20s_female/none.png', portrait(0, face=False))
    write(raw / '20s_female/two.png', portrait(0, blue=True))
    write(raw / '70s_female/old.png', portrait(50))
    whole = cv2.imencode('.jpg', portrait(51))[1].tobytes()
    (raw / '60s_male/cut.jpg').write_bytes(whole[: len(whole) // 2])
    (raw / '60s_male/empty.jpg').write_bytes(b'')
    before = {p: p.read_bytes() for p in raw.rglob('*') if p.is_file()}
    said = run(raw, tmp_path / 'out')
    found = {path: reason for _, path, reason in lost(tmp_path / 'out')}
    assert found.pop('60s_male/cut.jpg').startswith('unreadable: ')
    assert found == {
        '20s_female/none.png': 'no face',
        '20s_female/two.png': '2 faces',
        '70s_female/old.png': "no class for the age '70'",
        '60s_male/empty.jpg': 'unreadable: is empty',
    }
    assert '12 crops; 5 portraits without one, in not_found.csv\n  1 ' in said
    assert before == {p: p.read_bytes() for p in raw.rglob('*') if p.is_file()}


def test_people_stay_in_one_part(tmp_path):
    rows = ['path,age,gender,person']
    for index in range(24):
        name = f'{NAMES[index % 2]}{index}'
        write(tmp_path / f'faces/{name}.png', portrait(index))
        age, gender = ((21, 'f'), (66, 'm'))[index % 2]
        rows.append(f'faces/{name}.png,{age},{gender},Person {index // 4}')
    rows.append('faces/nowhere.png,20,f,Person 0')
    (tmp_path / 'faces.csv').write_text('\n'.join(rows))
    out = tmp_path / 'out'
    run(tmp_path / 'faces.csv', out)
    parts = {}
    for part in PARTS:
        for path in listed(out, part):
            person = path.rpartition(PERSON)[2]
            assert person.startswith('Person_')
            parts.setdefault(person, set()).add(part)
    assert len(parts) == 6
    assert all(len(found) == 1 for found in parts.values())
    assert lost(out) == [
        ('faces', 'faces/nowhere.png', 'cannot be read: No such file or directory')
    ]


def test_numbers_of_people_in_two_sources_are_not_of_the_same(tmp_path):
    for source, first in (('one', 0), ('two', 50)):
        rows = ['path;age;gender;person']
        for index in range(12):
            write(tmp_path / f'{source}/{index}.png', portrait(first + index))
            age, gender = ((21, 'f'), (66, 'm'))[index % 2]
            rows.append(f'{source}/{index}.png;{age};{gender};{index}')
        (tmp_path / f'{source}.csv').write_text('\n'.join(rows))
    said = run(tmp_path / 'one.csv', tmp_path / 'out', test=[str(tmp_path / 'two.csv')])
    assert 'in no part' not in said
    assert [len(listed(tmp_path / 'out', part)) for part in PARTS][2] == 12
    assert sum(len(listed(tmp_path / 'out', part)) for part in PARTS) == 24


def test_crops_among_the_portraits_are_no_portraits(tmp_path):
    raw = draw(tmp_path / 'raw')
    run(raw, raw / '20s_female/crops')
    run(raw, tmp_path / 'out')
    assert len(list((tmp_path / 'out').rglob('*.jpg'))) == 12


def test_a_photograph_of_the_test_source_is_not_trained_on(tmp_path):
    raw = draw(tmp_path / 'studio')
    other = draw(tmp_path / 'street', (2, 2), 100)
    write(raw / '20s_female/same.png', portrait(101))
    said = run(raw, tmp_path / 'out', test=[str(other)])
    assert 'same as one of the held test list' in said
    names = [p for part in ('train', 'val') for p in listed(tmp_path / 'out', part)]
    assert len(names) == 12
    assert not [name for name in names if 'same' in name]


def test_names_that_are_alike_do_not_replace_each_other(tmp_path):
    raw = draw(tmp_path / 'raw')
    write(raw / '20s_female/a/b.png', portrait(60))
    write(raw / '20s_female/a_b.png', portrait(61))
    write(raw / '20s_female/a_b.jpg', portrait(62))
    run(raw, tmp_path / 'out')
    assert len(list((tmp_path / 'out').rglob('*.jpg'))) == 15


@pytest.mark.parametrize(
    ('counts', 'sentence'),
    [
        ((6, 0), 'raw: no portraits of 60s_male'),
        ((2, 6), '20s_female'),
    ],
)
def test_too_few_faces_leave_nothing(tmp_path, counts, sentence):
    raw = draw(tmp_path / 'raw', counts)
    with pytest.raises(UserError, match=sentence):
        run(raw, tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['raw']


def test_a_portrait_without_a_class_is_no_example_of_one(tmp_path):
    raw = draw(tmp_path / 'raw', (6, 0))
    write(raw / '10s_female/young.png', portrait(90))
    write(raw / '60s_male/hidden.png', portrait(91, face=False))
    sentence = 'raw: no face of 60s_male; for example 60s_male/hidden.png: no face'
    with pytest.raises(UserError, match=re.escape(sentence)):
        run(raw, tmp_path / 'out')
    write(tmp_path / 'other/10s_male/a.png', portrait(92))
    write(raw / '60s_male/seen.png', portrait(93))
    with pytest.raises(UserError, match=r'other: no face of 20s_female, 60s_male$'):
        run(raw, tmp_path / 'out', test=[str(tmp_path / 'other')])


def test_a_source_without_a_face_says_of_which_image(tmp_path):
    raw = draw(tmp_path / 'raw')
    write(tmp_path / 'other/20s_female/a.png', portrait(0, face=False))
    sentence = (
        'other: no face of 20s_female, 60s_male; for example 20s_female/a.png: no face'
    )
    with pytest.raises(UserError, match=re.escape(sentence)):
        run(raw, tmp_path / 'out', test=[str(tmp_path / 'other')])


def test_two_sources_of_one_name(tmp_path):
    raw = draw(tmp_path / 'a/faces')
    other = draw(tmp_path / 'b/faces')
    with pytest.raises(UserError, match='have the same name'):
        run(raw, tmp_path / 'out', test=[str(other)])


def test_the_raw_data_are_not_replaced(tmp_path):
    raw = draw(tmp_path / 'all/raw')
    for out in (raw, tmp_path / 'all'):
        with pytest.raises(UserError, match='holds the raw data'):
            run(raw, out, overwrite=True)
    run(raw, tmp_path / 'out')
    with pytest.raises(UserError, match='--overwrite'):
        run(raw, tmp_path / 'out')
    run(raw, tmp_path / 'out', overwrite=True)


def test_a_class_says_what_it_stands_for():
    meta = AgeGenderDataset.METAINFO
    assert len(meta['classes']) == len(meta['palette']) == 10
    for name in meta['classes']:
        decade, gender = re.fullmatch(r'(\d)0s_(female|male)', name).groups()
        assert meta['attributes']['decade'][name] == int(decade)
        assert meta['attributes']['gender'][name] == gender
    assert {len(values) for values in meta['attributes'].values()} == {10}


def test_the_same_seed_gives_the_same_files(tmp_path):
    raw = draw(tmp_path / 'raw')
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        run(raw, tmp_path / name, seed=seed)

    def files(name):
        folder = Path(tmp_path / name)
        return {
            p.relative_to(folder).as_posix(): p.read_bytes()
            for p in folder.rglob('*')
            if p.is_file()
        }

    assert files('a') == files('b') != files('c')


def boxes(*rows):
    return np.array(rows, float).reshape(-1, 5)


def test_no_face():
    assert choose_face(boxes()) == (None, 'no face')
    assert choose_face(boxes([0, 0, 9, 9, 0.49])) == (None, 'no face')


def test_the_largest_is_the_face_and_small_ones_are_the_background():
    face, problem = choose_face(
        boxes([0, 0, 9, 9, 0.9], [30, 10, 50, 30, 0.5], [60, 0, 90, 40, 0.1])
    )
    assert face.tolist() == [30, 10, 50, 30]
    assert problem == ''


@pytest.mark.parametrize('side, found', [(10, '2 faces'), (9, '')])
def test_one_of_half_the_width_is_a_second_face(side, found):
    rival = [40, 40, 40 + side, 40 + side, 1]
    assert choose_face(boxes([0, 0, 20, 20, 1], rival))[1] == found


def test_one_around_the_same_middle_is_no_second_face():
    face, problem = choose_face(boxes([2, 2, 18, 18, 1], [0, 0, 20, 20, 0.6]))
    assert (face.tolist(), problem) == ([0, 0, 20, 20], '')


def test_a_crop_has_its_margin_and_its_size():
    image = np.zeros((400, 600, 3), np.uint8)
    image[100:324, 200:424] = 200
    crop = crop_face(image, np.array([200.0, 100, 424, 324]), 0)
    assert crop.shape == (224, 224, 3)
    assert (crop == 200).all()
    # 112 of 224 pixels on each side: the face is the middle half.
    wider = crop_face(image, np.array([200.0, 100, 424, 324]), 0.25)
    bright = np.argwhere(wider[..., 0] > 100)
    assert abs(bright.min(axis=0) - 224 / 6).max() < 2
    assert abs(bright.max(axis=0) - 224 * 5 / 6).max() < 2


def test_at_the_border_the_crop_is_padded_with_black():
    image = np.full((100, 50, 3), 90, np.uint8)
    # A square of 160 around (25, 50), of which the image has 50 by 100.
    crop = crop_face(image, np.array([0.0, 0, 50, 100]), 0.3)
    assert crop.shape == (224, 224, 3)
    across, down = crop[112, :, 0], crop[:, 112, 0]
    for line, share in ((across, 50 / 160), (down, 100 / 160)):
        edge = 112 * (1 - share)
        assert (line[: int(edge) - 1] == 0).all()
        assert (line[-int(edge) + 1 :] == 0).all()
        assert (line[int(edge) + 3 : -int(edge) - 3] == 90).all()


def test_where_the_image_goes_on_nothing_is_black():
    image = np.full((300, 400, 3), 90, np.uint8)
    assert (crop_face(image, np.array([150.0, 100, 230, 220]), 0.3) == 90).all()
    at_the_left = crop_face(image, np.array([0.0, 100, 100, 200]), 0.3)
    dark = (at_the_left[112, :, 0] < 45).nonzero()[0]
    # 30 of 160 pixels are outside, and all of them to the left.
    assert dark.tolist() == list(range(42))


def test_a_detector_of_this_repository_finds_boxes(tmp_path):
    cfg = Config.fromfile(SAMPLE)
    init_default_scope('mmdet')
    cfg.merge_from_dict({'from_scratch': True})
    apply_settings(cfg)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    meta = {'dataset_meta': {'classes': ('RBC', 'WBC', 'Platelets')}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, tmp_path / 'w.pth')
    find = detector_faces(str(SAMPLE), str(tmp_path / 'w.pth'))
    found = find(np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8))
    assert found.dtype == np.float64
    assert found.shape[1] == 5 and len(found)
    assert (found[:, :4] >= 0).all() and (found[:, [0, 2]] <= 120).all()
    assert (found[:, [1, 3]] <= 80).all()
    assert ((found[:, 4] > 0) & (found[:, 4] < 1)).all()
