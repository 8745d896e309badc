"""Every number of the tagger, read from what is built."""

import numpy as np
import pytest
import torch
from mmcv.ops import RoIAlign
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS
from torch import nn

from custom_datasets.data.names import read_classes
from tests.configs.test_leaves import load
from tests.leaves import ROOT, read_leaf

FOLDER = ROOT / 'configs/tagger'
LEAF = FOLDER / 'faster-rcnn_vgg16_c5_1xb1-24e_tagger.py'
LIGHT = FOLDER / 'faster-rcnn_r18_c4_light_1xb4-24e_tagger.py'


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    built = MODELS.build(load(LEAF, from_scratch=True).model)
    built.init_weights()
    return built


def test_classes_come_from_a_file_of_22():
    classes = read_classes(str(FOLDER / 'classes.txt'))
    assert len(classes) == 22
    for leaf in (LEAF, LIGHT):
        cfg = load(leaf)
        assert cfg.classes == cfg.test_dataloader.dataset.metainfo.classes == classes
        assert read_leaf(leaf).num_classes == 22
        assert cfg.model.roi_head.bbox_head.num_classes == 22


@pytest.mark.parametrize('leaf', [LEAF, LIGHT])
def test_a_teams_own_list_is_one_override(leaf, tmp_path):
    (tmp_path / 'tags.txt').write_text('tea\ncoffee\ncocoa\n')
    cfg = load(leaf, classes=str(tmp_path / 'tags.txt'))
    assert cfg.model.roi_head.bbox_head.num_classes == 3
    assert cfg.train_dataloader.dataset.metainfo.classes == ('tea', 'coffee', 'cocoa')


def test_one_level_of_512_channels_at_stride_16(model):
    convolutions = [m for m in model.backbone.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 13
    with torch.no_grad():
        levels = model.extract_feat(torch.zeros(1, 3, 96, 64))
    assert [tuple(level.shape) for level in levels] == [(1, 512, 6, 4)]
    assert model.rpn_head.rpn_conv.weight.shape == (512, 512, 3, 3)


def test_anchors(model):
    generator = model.rpn_head.prior_generator
    assert generator.strides == [(16, 16)]
    (anchors,) = generator.base_anchors
    width, height = (anchors[:, 2:] - anchors[:, :2]).T
    found = torch.stack([(width * height).sqrt(), height / width], 1)
    assert sorted(found.round(decimals=2).tolist()) == [
        [size, ratio] for size in (128, 256, 512) for ratio in (0.5, 1, 2)
    ]


def test_proposals(model):
    train, test = model.train_cfg.rpn_proposal, model.rpn_head.test_cfg
    assert (train.nms_pre, train.nms.iou_threshold, train.max_per_img) == (
        6000,
        0.7,
        2000,
    )
    assert (test.nms_pre, test.nms.iou_threshold, test.max_per_img) == (6000, 0.7, 300)


def test_regions(model):
    extractor, head = model.roi_head.bbox_roi_extractor, model.roi_head.bbox_head
    (layer,) = extractor.roi_layers
    assert isinstance(layer, RoIAlign)
    assert layer.output_size == (7, 7)
    assert layer.spatial_scale == 1 / 16
    assert not model.roi_head.with_shared_head
    shapes = [(fc.in_features, fc.out_features) for fc in head.shared_fcs]
    assert shapes == [(512 * 7 * 7, 4096), (4096, 4096)]
    assert (head.fc_cls.out_features, head.fc_reg.out_features) == (23, 88)


def test_sampling(model):
    sampler, assigner = model.roi_head.bbox_sampler, model.roi_head.bbox_assigner
    assert (sampler.num, sampler.pos_fraction) == (128, 0.25)
    assert (assigner.pos_iou_thr, assigner.neg_iou_thr) == (0.5, 0.5)
    assert assigner.min_pos_iou == 0.5


def test_new_layers_are_drawn_from_a_normal_distribution(model):
    head, rpn = model.roi_head.bbox_head, model.rpn_head
    spread = {
        layer: 0.01
        for layer in (*head.shared_fcs, head.fc_cls, rpn.rpn_conv, rpn.rpn_cls)
    }
    # The authors' own regression of proposals has 0.01 as well.
    spread |= {rpn.rpn_reg: 0.01, head.fc_reg: 0.001}
    for layer, std in spread.items():
        weight = layer.weight.detach()
        assert float(weight.std()) == pytest.approx(std, rel=0.05)
        assert abs(float(weight.mean())) < std / 20
        # A normal distribution has 4.55 % beyond two standard deviations.
        beyond = float((weight.abs() > 2 * std).float().mean())
        assert beyond == pytest.approx(0.0455, abs=0.01)
        assert not layer.bias.any()


def test_pretrained_weights_and_what_they_were_trained_on():
    cfg = load(LEAF)
    assert cfg.model.backbone.init_cfg == {
        'type': 'Pretrained',
        'checkpoint': 'torchvision://vgg16',
    }
    steps = cfg.model.data_preprocessor
    # ImageNet's, of RGB between 0 and 1.
    assert np.divide(steps.mean, 255) == pytest.approx([0.485, 0.456, 0.406], abs=1e-5)
    assert np.divide(steps.std, 255) == pytest.approx([0.229, 0.224, 0.225], abs=1e-5)
    assert steps.bgr_to_rgb


@pytest.mark.parametrize(
    ('size', 'resized'),
    [((500, 375), (800, 600)), ((375, 500), (600, 800)), ((900, 300), (1000, 333))],
)
@pytest.mark.parametrize('loader', ['train_dataloader', 'test_dataloader'])
def test_short_side_600_and_long_side_at_most_1000(loader, size, resized):
    steps = [
        step
        for step in load(LEAF)[loader].dataset.pipeline
        if step.type in ('Resize', 'RandomResize', 'Pad', 'RandomCrop')
    ]
    image = np.zeros((size[1], size[0], 3), np.uint8)
    assert Compose(steps)({'img': image})['img'].shape[1::-1] == resized


def test_optimizer_and_cosine(model):
    cfg = load(LEAF)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert isinstance(wrapper.optimizer, torch.optim.SGD)
    (group,) = wrapper.param_groups
    assert (group['lr'], group['momentum'], group['weight_decay']) == (
        0.001,
        0.9,
        0.0005,
    )
    assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size == 1
    length, rates = 10, []
    schedulers = [
        PARAM_SCHEDULERS.build(
            dict(one), default_args={'optimizer': wrapper, 'epoch_length': length}
        )
        for one in cfg.param_scheduler
    ]
    for _ in range(length * cfg.train_cfg.max_epochs):
        rates.append(group['lr'])
        for scheduler in schedulers:
            scheduler.step()
    assert max(rates) == pytest.approx(0.001)
    assert rates.index(max(rates)) <= length
    assert group['lr'] == pytest.approx(1e-5, rel=0.01)
    # Half way down, the cosine is at the mean of its ends.
    middle = length + (len(rates) - length) // 2
    assert rates[middle] == pytest.approx((0.001 + 1e-5) / 2, rel=0.03)
