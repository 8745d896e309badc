"""A run's config, made ready for prediction."""

import pytest

from custom_datasets.errors import ConfigError
from custom_datasets.predicting.config import (
    describe_dataset,
    has_split,
    is_detection,
    read_dataset,
    read_settings,
    same_data,
)
from tests.leaves import LEAVES, SAMPLE

METAL = next(leaf for leaf in LEAVES if leaf.parent.name == 'metal_surface')


@pytest.fixture
def config(tmp_path):
    """Write a config that changes the sample's leaf; returns its path."""

    def write(text, base=SAMPLE):
        path = tmp_path / 'mine.py'
        path.write_text(f'_base_ = {str(base)!r}\n{text}\n')
        return str(path)

    return write


def packed(cfg, split):
    return cfg[f'{split}_dataloader'].dataset.pipeline[-1].meta_keys


def test_a_users_own_pipeline_keeps_the_truth(config):
    """As in mmdet's COCO configs, whose PackDetInputs lists no instances."""
    load = "dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')"
    path = config(
        'val_dataloader = dict(dataset=dict(pipeline=['
        f"{load}, dict(type='mmdet.PackDetInputs')]))\n"
        'test_dataloader = dict(dataset=dict(pipeline=['
        f"{load}, dict(type='PackDetInputs', meta_keys=('img_path', 'flip'))]))"
    )
    cfg = read_settings(path)
    assert set(packed(cfg, 'val')) == {
        'img_id',
        'img_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
        'flip',
        'flip_direction',
        'instances',
    }
    assert packed(cfg, 'test') == (
        'img_path',
        'flip',
        'img_id',
        'ori_shape',
        'instances',
    )
    assert 'meta_keys' not in cfg.train_dataloader.dataset.pipeline[-1]


def test_validation_and_test_may_be_one_data_set(config):
    cfg = read_settings(str(SAMPLE))
    assert not same_data(cfg)
    cfg = read_settings(
        str(SAMPLE), {'test_dataloader.dataset.ann_file': 'ImageSets/Main/val.txt'}
    )
    assert same_data(cfg)


def test_detectors_and_classifiers_are_told_apart():
    assert is_detection(read_settings(str(SAMPLE)))
    assert not is_detection(read_settings(str(METAL)))


def test_a_config_may_have_no_validation_set(config):
    cfg = read_settings(config('val_dataloader = val_evaluator = val_cfg = None'))
    assert has_split(cfg, 'test')
    assert not has_split(cfg, 'validation')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('test_dataloader = None', 'has no test set'),
        (
            "default_scope = 'mmseg'",
            'default_scope is mmseg; it must be mmdet or mmpretrain',
        ),
        (
            "custom_imports = dict(imports=['nothing_like_it'])",
            'nothing_like_it',
        ),
    ],
)
def test_a_config_that_cannot_be_reported_gets_a_sentence(config, text, message):
    path = config(text)
    with pytest.raises(ConfigError, match=message) as error:
        read_settings(path)
    assert str(error.value).startswith(f'{path}: ')
    assert '\n' not in str(error.value)


def test_a_data_set_is_described(bccd_root):
    cfg = read_settings(str(SAMPLE), {'data_root': str(bccd_root)})
    data = read_dataset(cfg, 'validation')
    assert data.classes == ('RBC', 'WBC', 'Platelets')
    assert len(data.palette) == 3
    assert data.keys == tuple(f'val_{number:04}' for number in range(4))
    assert [path.split('/')[-1] for path in data.paths] == [
        f'{key}.png' for key in data.keys
    ]


def test_images_without_an_id_are_told_apart_by_their_path():
    class Flowers:
        metainfo = {'classes': ['rose', 'lily']}
        paths = ('/d/rose/1.jpg', '/d/lily/1.jpg')

        def __len__(self):
            return len(self.paths)

        def get_data_info(self, index):
            return {'img_path': self.paths[index]}

    data = describe_dataset(Flowers())
    assert data.classes == ('rose', 'lily')
    assert data.palette is None
    assert data.keys == ('rose/1.jpg', 'lily/1.jpg')
