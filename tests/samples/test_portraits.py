import cv2
import numpy as np
import pytest

from custom_datasets.predicting.face_crops import cascade_faces, choose_face
from custom_datasets.samples.age_gender import draw_portraits
from custom_datasets.samples.portraits import SIZE, STYLES, draw_portrait


def test_one_folder_a_class_and_the_same_bytes_for_a_seed(tmp_path):
    counts = {'20s_male': 2, '60s_female': 1}
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        draw_portraits(str(tmp_path / name), counts, seed=seed)
    drawn = [
        {p.relative_to(tmp_path / n).as_posix(): p.read_bytes() for p in found}
        for n in 'abc'
        for found in [sorted((tmp_path / n).rglob('*.jpg'))]
    ]
    assert list(drawn[0]) == [
        '20s_male/20s_male_0000.jpg',
        '20s_male/20s_male_0001.jpg',
        '60s_female/60s_female_0000.jpg',
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_age_shows_in_the_hair_and_gender_in_its_length():
    def top(decade, gender):
        image = draw_portrait(np.random.default_rng(0), decade, gender)
        return image[:, SIZE[0] // 2].min(axis=1), image

    assert (
        top(6, 'male')[1][30:60, 90].mean() > top(2, 'male')[1][30:60, 90].mean() + 50
    )
    below = {g: top(2, g)[1][130:150, 20:160] for g in ('female', 'male')}
    dark = {g: (pixels.max(axis=2) < 80).sum() for g, pixels in below.items()}
    assert dark['female'] > 2 * dark['male'] + 100


@pytest.mark.parametrize('style', STYLES)
def test_the_cascade_finds_each_face(style):
    find, rng = cascade_faces(), np.random.default_rng(5)
    for decade, gender in ((2, 'female'), (4, 'male'), (6, 'female')):
        image = draw_portrait(rng, decade, gender, style)
        face, problem = choose_face(find(image))
        assert not problem
        x1, y1, x2, y2 = face
        # The eyes are within, at most 8 pixels from the middle across.
        assert x1 < 70 and x2 > 110 and y1 < 100 < y2
        assert find(cv2.resize(image, None, fx=0.1, fy=0.1)).shape == (0, 5)
