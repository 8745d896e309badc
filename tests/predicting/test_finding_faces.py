import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from custom_datasets.errors import UserError
from custom_datasets.predicting.face_crops import choose_face, crop_face, detector_faces
from custom_datasets.settings import apply_settings
from tests.leaves import SAMPLE


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


def test_a_detector_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r'no\.pth: no such checkpoint'):
        detector_faces(str(SAMPLE), str(tmp_path / 'no.pth'))


def test_weights_of_another_network_find_no_faces(tmp_path):
    meta = {'dataset_meta': {'classes': ('face',)}}
    torch.save(
        {'state_dict': {'fc.weight': torch.ones(2, 2)}, 'meta': meta},
        tmp_path / 'w.pth',
    )
    with pytest.raises(UserError, match='is of another model'):
        detector_faces(str(SAMPLE), str(tmp_path / 'w.pth'))
