"""One class of many names: the data sets of the face configs, and their check."""

import shutil

import pytest

from custom_datasets.checks.check import check_config
from custom_datasets.datasets.faces import FaceDataset
from custom_datasets.errors import AnnotationError
from tests.leaves import ROOT

FOLDER = ROOT / 'configs/faces'
WIDER = FOLDER / 'ssd300_vgg16_1xb32-24e_wider-face.py'
FOLDED = FOLDER / 'ssd300_vgg16_light_1xb4-24e_folded-face-mask.py'
MASKS = {'img_subdir': 'images', 'ann_subdir': 'annotations'}


def check(leaf, root, **options):
    options = {'data_root': str(root), **options}
    found = check_config(str(leaf), options, images=False, cached=False).findings
    return [f for f in found if f.severity == 'error' or 'image' in f.code]


def wider(root, **options):
    given = {'img_subdir': 'WIDER_train', 'ann_subdir': 'WIDER_train/Annotations'}
    given = {'data_root': str(root), 'one_based': False, **given, **options}
    return FaceDataset('train.txt', **given)


def test_wider_face_has_images_in_a_folder_an_event(wider_face_root):
    loaded = wider(wider_face_root)
    assert len(loaded) == 12
    paths = [loaded.get_data_info(index)['img_path'] for index in range(2)]
    train = wider_face_root / 'WIDER_train'
    assert paths == [
        str(train / '0--Parade/0_Parade_Parade_0_0.jpg'),
        str(train / '1--Handshaking/1_Handshaking_Handshaking_1_1.jpg'),
    ]
    assert all(len(loaded.get_data_info(i)['instances']) == 2 for i in range(12))


def test_wider_face_counts_from_0(wider_face_root, tmp_path):
    root = shutil.copytree(wider_face_root, tmp_path / 'set')
    folder = root / 'WIDER_train/Annotations'
    text = (
        '<annotation><size><width>96</width><height>80</height></size><object>'
        '<name>face</name><bndbox><xmin>0</xmin><ymin>2</ymin><xmax>9</xmax>'
        '<ymax>12</ymax></bndbox></object></annotation>'
    )
    (folder / '0_Parade_Parade_0_0.xml').write_text(text)
    assert wider(root).get_data_info(0)['instances'] == [
        {'bbox': [0, 2, 9, 12], 'bbox_label': 0, 'ignore_flag': 0}
    ]


@pytest.mark.parametrize(
    'class_map',
    [
        {'*': 'face'},
        {'with_mask': 'face', 'without_mask': 'face', 'mask_weared_incorrect': 'face'},
    ],
)
def test_the_three_classes_of_face_mask_are_faces(face_mask_root, class_map):
    given = {'data_root': str(face_mask_root), 'class_map': class_map, **MASKS}
    loaded = FaceDataset('ImageSets/Main/train.txt', **given)
    instances = [i for info in loaded for i in info['instances']]
    assert len(instances) == 2 * len(loaded) == 64
    assert {i['bbox_label'] for i in instances} == {0}


def test_without_the_map_they_are_unknown(face_mask_root):
    with pytest.raises(AnnotationError, match="unknown class 'with_mask'"):
        FaceDataset('ImageSets/Main/train.txt', data_root=str(face_mask_root), **MASKS)


def test_clean_data_pass_the_check(wider_face_root, face_mask_root):
    assert not check(WIDER, wider_face_root)
    assert not check(FOLDED, face_mask_root)


def test_the_check_finds_a_name_that_the_map_lacks(face_mask_root, tmp_path):
    root = shutil.copytree(face_mask_root, tmp_path / 'set')
    name = (root / 'ImageSets/Main/train.txt').read_text().split()[3]
    path = root / f'annotations/{name}.xml'
    text = path.read_text()
    path.write_text(text.replace('<name>with_mask<', '<name>with_maks<'))
    (found,) = check(FOLDED, root)
    assert (found.code, found.file, found.object) == ('unknown-class', str(path), 0)
    assert "unknown class 'with_maks'" in found.message


def test_the_check_finds_a_map_into_no_class(face_mask_root):
    key = 'train_dataloader.dataset.class_map.with_mask'
    found = check(FOLDED, face_mask_root, **{key: 'fase'})
    assert found[0].code == 'class-map'
    assert "'with_mask' becomes 'fase'" in found[0].message
    assert {f.split for f in found} == {'train'}


def test_the_check_finds_an_image_lost_from_its_event(wider_face_root, tmp_path):
    root = shutil.copytree(wider_face_root, tmp_path / 'set')
    (root / 'WIDER_train/0--Parade/0_Parade_Parade_0_2.jpg').unlink()
    (found,) = check(WIDER, root)
    assert found.code == 'missing-image'
    assert found.file.endswith('WIDER_train/Annotations/0_Parade_Parade_0_2.xml')


def test_an_annotation_in_no_list_has_its_image_in_the_event(wider_face_root, tmp_path):
    root = shutil.copytree(wider_face_root, tmp_path / 'set')
    lines = (root / 'train.txt').read_text().split()
    (root / 'train.txt').write_text('\n'.join(lines[:-1]))
    assert not check(WIDER, root)
    path = root / f'WIDER_train/1--Handshaking/{lines[-1]}.jpg'
    path.unlink()
    assert [f.code for f in check(WIDER, root)] == ['no-image']


@pytest.mark.real_data
def test_all_of_face_mask_is_faces(real_data_root, tmp_path):
    root = real_data_root / 'face_mask'
    listed = tmp_path / 'all.txt'
    listed.write_text('\n'.join(path.stem for path in root.glob('images/*')))
    given = {'data_root': str(root), 'class_map': {'*': 'face'}, **MASKS}
    loaded = FaceDataset(str(listed), **given)
    labels = [i['bbox_label'] for info in loaded for i in info['instances']]
    assert (len(loaded), len(labels), set(labels)) == (200, 666, {0})
