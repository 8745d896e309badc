"""Where a threshold goes, and code that applies one to each class."""

import sys
import types

import pytest
from mmengine.config import Config

from custom_datasets.pages.summaries import class_filter, threshold_setting
from tests.leaves import ROOT


@pytest.mark.parametrize(
    ('leaf', 'setting'),
    [
        ('retinanet_r18_fpn_1xb4-24e_bccd', 'model.test_cfg.score_thr'),
        ('rtmdet_tiny_1xb4-24e_bccd', 'model.test_cfg.score_thr'),
        ('faster-rcnn_r50_fpn_1xb4-24e_bccd', 'model.test_cfg.rcnn.score_thr'),
    ],
)
def test_the_setting_is_one_that_the_config_has(leaf, setting):
    cfg = Config.fromfile(ROOT / f'configs/bccd/{leaf}.py')
    assert threshold_setting(cfg.model) == setting
    before = cfg.model.to_dict()
    cfg.merge_from_dict({setting: 0.5})
    assert cfg.model.to_dict() != before


@pytest.mark.parametrize('model', [{}, {'test_cfg': None}, {'test_cfg': {'max': 1}}])
def test_a_model_may_have_no_such_setting(model):
    assert threshold_setting(model) is None


def test_the_code_keeps_what_reaches_its_class_threshold(monkeypatch, capsys):
    code = class_filter({"a'b": 0.5, 'c': 0.25, 'none': None})

    class Inferencer:
        model = types.SimpleNamespace(dataset_meta={'classes': ("a'b", 'c', 'none')})

        def __init__(self, config, checkpoint):
            assert (config, checkpoint) == ('CONFIG', 'CHECKPOINT')

        def __call__(self, image):
            rows = [(0, 0.5, 'A'), (0, 0.49, 'B'), (1, 0.3, 'C'), (2, 0.9, 'D')]
            labels, scores, boxes = zip(*rows, strict=True)
            found = {'labels': labels, 'scores': scores, 'bboxes': boxes}
            return {'predictions': [found]}

    fake = types.ModuleType('mmdet.apis')
    fake.DetInferencer = Inferencer
    monkeypatch.setitem(sys.modules, 'mmdet.apis', fake)
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == ["a'b 0.5 A", 'c 0.3 C']
