"""What every shipped leaf config must keep, whatever it is."""

import re

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
from torch import nn

from custom_datasets.config import iter_datasets, iter_dicts
from custom_datasets.settings import apply_settings, load_config
from custom_datasets.training.hooks import head_class_counts
from tests.leaves import DETECTORS, LEAVES, ROOT, read_leaf

each_leaf = pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)

MODEL_TYPES = {
    'atss': 'ATSS',
    'cascade-rcnn': 'CascadeRCNN',
    'dino-4scale': 'DINO',
    'retinanet': 'RetinaNet',
    'faster-rcnn': 'FasterRCNN',
    'rtmdet': 'RTMDet',
    'ssd300': 'SingleStageDetector',
    'resnet18': 'ImageClassifier',
    'resnet50': 'ImageClassifier',
    'alexnet': 'ImageClassifier',
    'densenet201': 'ImageClassifier',
    'efficientnet-b0': 'ImageClassifier',
    'swin-tiny': 'ImageClassifier',
    'flow': 'RectifiedFlow',
}


# What the backbone of a leaf's name has: its class, and the setting of its size.
BACKBONES = {
    'alexnet': ('AlexNet', None),
    'densenet201': ('DenseNet', ('arch', '201')),
    'efficientnet-b0': ('EfficientNet', ('arch', 'b0')),
    'swin-tiny': ('SwinTransformer', ('arch', 'tiny')),
}
# AlexNet and VGG have no norms, Swin layer norms, generators group norms.
WITHOUT_BATCH_NORM = (
    *('alexnet', 'swin-tiny', 'faster-rcnn_vgg16', 'ssd300_vgg16_1xb'),
    'flow_unet',
)


def load(leaf, **overrides):
    cfg = read_leaf(leaf)
    init_default_scope(cfg.default_scope)
    cfg.merge_from_dict(overrides)
    apply_settings(cfg)
    return cfg


def test_all_named_leaves_are_there():
    have = {str(leaf.relative_to(ROOT / 'configs')) for leaf in LEAVES}
    wanted = [
        *(rf'bccd/{model}_\S+' for model in ('atss', 'cascade-rcnn', 'dino-4scale')),
        r'bccd/retinanet_r50_fpn_\S+',
        r'bccd/faster-rcnn_r50_fpn_\S+',
        r'bccd/retinanet_r18_fpn_\S+',
        r'face_mask/retinanet_r50_fpn_\S+',
        r'face_mask/faster-rcnn_r50_fpn_\S+',
        r'face_mask/retinanet_r18_fpn_\S+',
        r'metal_surface/resnet18_\S+',
        *(
            rf'metal_surface/{model}{light}_\S+'
            for model in ('resnet50', *BACKBONES)
            for light in ('', '_light')
        ),
        r'sample/retinanet_r18_fpn_\S+',
        r'tagger/faster-rcnn_vgg16_c5_\S+',
        r'tagger/faster-rcnn_r18_c4_light_\S+',
        r'faces/ssd300_vgg16_1\S+_wider-face.py',
        r'faces/ssd300_vgg16_1\S+_folded-face-mask.py',
        r'faces/ssd300_vgg16_light_\S+_folded-face-mask.py',
        *(
            rf'recycling/{model}_\S+'
            for model in ('faster-rcnn_r50_fpn', 'retinanet_r50_fpn', 'rtmdet_tiny')
        ),
    ]
    for pattern in wanted:
        assert any(re.fullmatch(pattern, name) for name in have), pattern


@each_leaf
def test_scope(leaf):
    scope = 'mmdet' if leaf in DETECTORS else 'mmpretrain'
    assert read_leaf(leaf).default_scope == scope


@each_leaf
def test_has_at_most_30_lines(leaf):
    assert len(leaf.read_text().splitlines()) <= 30


@each_leaf
def test_survives_dump_and_reload(leaf, tmp_path):
    cfg = read_leaf(leaf)
    cfg.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()


@each_leaf
def test_file_name_is_true(leaf):
    cfg = read_leaf(leaf)
    model, *middle, schedule, dataset = leaf.stem.split('_')
    assert cfg.model.type == MODEL_TYPES[model]
    gpus, batch, epochs = re.fullmatch(r'(\d+)xb(\d+)-(\d+)e', schedule).groups()
    assert int(gpus) == 1
    assert cfg.train_dataloader.batch_size == int(batch)
    assert cfg.train_cfg.max_epochs == int(epochs)
    name = dataset.replace('-', '_')
    assert re.search(rf'/datasets/{name}(_light)?\.py', leaf.read_text())
    if model in BACKBONES:
        kind, size = BACKBONES[model]
        assert cfg.model.backbone.type.endswith(kind)
        assert size is None or cfg.model.backbone[size[0]] == size[1]
    depth = re.search(r'(?:resnet|vgg|r)(\d+)', '_'.join((model, *middle)))
    if depth:
        assert cfg.model.backbone.depth == int(depth[1])
    assert leaf.stem not in leaf.read_text()


@each_leaf
def test_classes_are_counted_once(leaf):
    cfg = load(leaf)
    dataset = next(iter_datasets(cfg))
    with DATASETS.switch_scope_and_registry(None) as registry:
        metainfo = registry.get(dataset['type']).METAINFO
    classes = {**metainfo, **dataset.get('metainfo', {})}['classes']
    assert load_config(str(leaf)).num_classes == len(classes)
    model = MODELS.build(load(leaf, from_scratch=True).model)
    counts = head_class_counts(model)
    assert counts and set(counts.values()) == {len(classes)}


@each_leaf
def test_from_scratch_downloads_and_freezes_nothing(leaf):
    cfg = load(leaf, from_scratch=True)
    inits = [part.get('init_cfg') for part in iter_dicts(cfg.model)]
    assert not any('Pretrained' in str(init) for init in inits)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    assert all(parameter.requires_grad for parameter in model.parameters())
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert bool(norms) != leaf.stem.startswith(WITHOUT_BATCH_NORM)
    assert all(norm.training for norm in norms)


@each_leaf
def test_schedule_fits_small_data(leaf):
    cfg = read_leaf(leaf)
    warm_up = cfg.param_scheduler[0]
    assert warm_up.type == 'LinearLR'
    assert warm_up.by_epoch and warm_up.convert_to_iter_based
    assert warm_up.end <= cfg.train_cfg.max_epochs / 8
    assert cfg.auto_scale_lr.enable
    assert 'bbox_min_size' not in str(cfg.to_dict())
    assert cfg.default_hooks.checkpoint.save_best
    assert cfg.default_hooks.checkpoint.max_keep_ckpts <= 3
    assert cfg.default_hooks.logger.interval <= 25


@each_leaf
def test_one_override_moves_all_three_data_sets(leaf, tmp_path):
    cfg = load(leaf, data_root=str(tmp_path))
    roots = [dataset['data_root'] for dataset in iter_datasets(cfg)]
    assert roots == [str(tmp_path)] * 3


@pytest.mark.parametrize('leaf', DETECTORS, ids=lambda leaf: leaf.stem)
def test_tta_evaluates_against_the_unflipped_truth(leaf, drawn):
    root, classes = drawn(leaf)
    cfg = load(leaf, data_root=str(root), classes=classes)
    dataset = dict(cfg.test_dataloader.dataset)
    plain = DATASETS.build(dataset)[0]['data_samples']
    with_tta = DATASETS.build({**dataset, 'pipeline': cfg.tta_pipeline})[0]
    samples = with_tta['data_samples']
    assert [bool(sample.flip) for sample in samples] == [False, True] * 2
    small, large = samples[0].img_shape, samples[2].img_shape
    assert min(np.subtract(large, small)) > 0
    truth = plain.gt_instances.bboxes.tensor
    assert len(truth)
    for sample in samples:
        assert (sample.gt_instances.bboxes.tensor == truth).all()
