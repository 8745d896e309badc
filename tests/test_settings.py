"""Top-level settings reach every place they concern, and nothing else."""

import copy
import subprocess
import sys

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from custom_datasets.checks.check import check_config
from custom_datasets.config import iter_datasets
from custom_datasets.errors import ConfigError
from custom_datasets.settings import apply_data_settings, apply_settings
from tests.leaves import LEAVES, ROOT, SAMPLE


@pytest.fixture
def cfg():
    init_default_scope('mmdet')
    dataset = {'type': 'A', 'data_root': 'old', 'metainfo': {'palette': [(1, 2, 3)]}}
    wrapped = {
        'type': 'Repeat',
        'dataset': {'type': 'Concat', 'datasets': [dataset] * 2},
    }
    return Config(
        {
            'num_classes': 3,
            'model': {
                'type': 'FasterRCNN',
                'backbone': {
                    'type': 'ResNet',
                    'depth': 50,
                    'frozen_stages': 1,
                    'norm_cfg': {'type': 'BN', 'requires_grad': False},
                    'init_cfg': {'type': 'Pretrained', 'checkpoint': 'x'},
                },
                'rpn_head': {'type': 'RPNHead', 'init_cfg': {'type': 'Normal'}},
                'roi_head': [{'bbox_head': {'num_classes': 3}}, {'num_classes': 3}],
            },
            'train_dataloader': {'dataset': wrapped},
            'val_dataloader': {'dataset': copy.deepcopy(dataset)},
            'test_dataloader': None,
        }
    )


def test_nothing_given_changes_nothing(cfg):
    before = cfg.to_dict()
    apply_settings(cfg)
    assert cfg.to_dict() == before


def test_data_root_reaches_wrapped_data_sets(cfg):
    cfg.data_root = '/new'
    apply_settings(cfg)
    assert [d['data_root'] for d in iter_datasets(cfg)] == ['/new'] * 3


@pytest.mark.parametrize('as_file', [False, True])
def test_classes_reach_data_sets_and_heads(cfg, as_file, tmp_path):
    names = ('cat', 'hot dog')
    (tmp_path / 'classes.txt').write_text('cat\n\nhot dog \n')
    cfg.classes = str(tmp_path / 'classes.txt') if as_file else list(names)
    apply_settings(cfg)
    apply_settings(cfg)
    assert [tuple(d['metainfo']['classes']) for d in iter_datasets(cfg)] == [names] * 3
    assert cfg.num_classes == 2
    assert cfg.model.roi_head[0].bbox_head.num_classes == 2
    assert cfg.model.roi_head[1].num_classes == 2


@pytest.mark.parametrize('classes', [['a', 'a'], [], ['a', ''], 'no/such/file.txt'])
def test_bad_classes_are_an_error(cfg, classes):
    cfg.classes = classes
    with pytest.raises(ConfigError):
        apply_settings(cfg)


@pytest.mark.parametrize('wanted', ['no', 'False', 0, 1, []])
def test_from_scratch_is_true_or_false(cfg, wanted):
    cfg.from_scratch = wanted
    with pytest.raises(ConfigError, match='it can be True or False'):
        apply_settings(cfg)


@pytest.mark.parametrize('wanted', [False, None])
def test_what_is_not_from_scratch_stays(cfg, wanted):
    cfg.from_scratch = wanted
    before = cfg.to_dict()
    apply_settings(cfg)
    assert cfg.to_dict() == before


@pytest.mark.parametrize('root', [5, ['a', 'b']])
def test_data_root_is_a_path(cfg, root):
    cfg.data_root = root
    with pytest.raises(ConfigError, match='needs the path of a folder'):
        apply_settings(cfg)


@pytest.mark.parametrize('names', [['Mr. Mime', 'Ditto'], 'Mr. Mime'])
def test_ignored_classes_reach_all_data_sets(cfg, names):
    cfg.custom_imports = {'imports': ['custom_datasets.datasets.bccd']}
    for dataset in iter_datasets(cfg):
        dataset['type'] = 'BCCDDataset'
    cfg.ignore_classes = names
    apply_data_settings(cfg)
    apply_data_settings(cfg)
    names = [names] if isinstance(names, str) else names
    assert [d['ignore_classes'] for d in iter_datasets(cfg)] == [names] * 3


def test_a_data_set_that_leaves_no_class_out_is_said(cfg):
    for dataset in iter_datasets(cfg):
        dataset['type'] = 'VOCDataset'
    cfg.ignore_classes = ['Ditto']
    with pytest.raises(ConfigError, match='ignore_classes: VOCDataset has no such'):
        apply_data_settings(cfg)


@pytest.mark.parametrize('names', [5, {'a': 1}, [['a']], [1]])
def test_ignored_classes_are_names(cfg, names):
    cfg.ignore_classes = names
    with pytest.raises(ConfigError, match='needs a list of class names'):
        apply_data_settings(cfg)


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)
def test_every_shipped_leaf_can_leave_classes_out(leaf):
    cfg = Config.fromfile(leaf, import_custom_modules=False)
    cfg.ignore_classes = ['x']
    apply_data_settings(cfg)
    assert all(d['ignore_classes'] == ['x'] for d in iter_datasets(cfg))


def test_an_unknown_class_is_ignored_as_the_hint_says(bccd_root):
    def codes(**options):
        options = {'data_root': str(bccd_root), 'classes': ['RBC', 'WBC'], **options}
        found = check_config(str(SAMPLE), options, images=False, cached=False).findings
        return {finding.code for finding in found if finding.severity == 'error'}

    assert codes() == {'unknown-class'}
    assert codes(ignore_classes=['Platelets']) == set()


def test_from_scratch_keeps_other_initialisation(cfg):
    cfg.from_scratch = True
    apply_settings(cfg)
    backbone = cfg.model.backbone
    assert backbone.init_cfg is None
    assert backbone.frozen_stages == -1
    assert backbone.norm_cfg.requires_grad is True
    # Not in the config: ResNet's own default would be True.
    assert backbone.norm_eval is False
    assert cfg.model.rpn_head == {'type': 'RPNHead', 'init_cfg': {'type': 'Normal'}}


@pytest.mark.parametrize(
    ('backbone', 'unfrozen'),
    [('mmpretrain.EfficientNet', 0), ('mmpretrain.DenseNet', 0), ('mmdet.ResNet', -1)],
)
def test_from_scratch_freezes_nothing_however_stages_are_counted(
    cfg, backbone, unfrozen
):
    cfg.model.backbone = {'type': backbone, 'frozen_stages': 1}
    cfg.from_scratch = True
    apply_settings(cfg)
    apply_settings(cfg)
    assert cfg.model.backbone.frozen_stages == unfrozen


def test_from_scratch_drops_only_pretrained_from_a_list(cfg):
    kaiming = {'type': 'Kaiming', 'layer': 'Conv2d'}
    cfg.model.backbone.init_cfg = [kaiming, {'type': 'Pretrained', 'checkpoint': 'x'}]
    cfg.from_scratch = True
    apply_settings(cfg)
    assert cfg.model.backbone.init_cfg == [kaiming]


def with_lists(cfg, root, *folds):
    """Give every data set a list, and make it for some folds."""
    for dataset in iter_datasets(cfg):
        dataset.update(data_root=str(root), ann_file='Main/train.txt')
    for fold in folds:
        (root / f'Main/fold_{fold}').mkdir(parents=True)
        (root / f'Main/fold_{fold}/train.txt').touch()
    (root / 'Main').mkdir(exist_ok=True)


def lists(cfg):
    return {dataset['ann_file'] for dataset in iter_datasets(cfg)}


def test_fold_reaches_wrapped_data_sets_once(cfg, tmp_path):
    with_lists(cfg, tmp_path, 0, 2, 10)
    cfg.fold = 2
    apply_data_settings(cfg)
    apply_data_settings(cfg)
    assert lists(cfg) == {'Main/fold_2/train.txt'}
    cfg.fold = 10
    apply_data_settings(cfg)
    assert lists(cfg) == {'Main/fold_10/train.txt'}


def test_fold_0_is_a_fold(cfg, tmp_path):
    with_lists(cfg, tmp_path, 0)
    cfg.fold = 0
    apply_data_settings(cfg)
    assert lists(cfg) == {'Main/fold_0/train.txt'}


def test_fold_follows_the_new_data_root(cfg, tmp_path):
    with_lists(cfg, tmp_path, 1)
    for dataset in iter_datasets(cfg):
        dataset.update(data_root='elsewhere', ann_file='train.txt')
    cfg.merge_from_dict({'fold': 1, 'data_root': str(tmp_path / 'Main')})
    apply_data_settings(cfg)
    assert lists(cfg) == {'fold_1/train.txt'}


def test_fold_reaches_evaluators(cfg):
    for dataset in iter_datasets(cfg):
        dataset['ann_file'] = 'annotations/val.json'
    cfg.val_evaluator = [{'type': 'X'}, {'type': 'CocoMetric', 'ann_file': 'a/v.json'}]
    cfg.test_evaluator = {'type': 'CocoMetric', 'ann_file': 'a/t.json'}
    cfg.fold = 3
    apply_data_settings(cfg)
    apply_data_settings(cfg)
    assert cfg.val_evaluator[1].ann_file == 'a/fold_3/v.json'
    assert cfg.test_evaluator.ann_file == 'a/fold_3/t.json'


def test_a_test_list_apart_from_the_folds_is_that_of_each(cfg, tmp_path):
    cfg.test_dataloader = copy.deepcopy(cfg.val_dataloader)
    with_lists(cfg, tmp_path, 1)
    cfg.test_dataloader.dataset.ann_file = 'test.txt'
    cfg.test_evaluator = {'type': 'CocoMetric', 'ann_file': f'{tmp_path}/test.txt'}
    (tmp_path / 'test.txt').touch()
    cfg.fold = 1
    apply_data_settings(cfg)
    apply_data_settings(cfg)
    assert cfg.test_dataloader.dataset.ann_file == 'test.txt'
    assert cfg.test_evaluator.ann_file == f'{tmp_path}/test.txt'
    assert cfg.val_dataloader.dataset.ann_file == 'Main/fold_1/train.txt'
    # Another part's list has no such excuse.
    cfg.val_dataloader.dataset.ann_file = 'test.txt'
    with pytest.raises(ConfigError, match=r'fold_1/test\.txt: no such list'):
        apply_data_settings(cfg)


@pytest.mark.parametrize(('made', 'named'), [([0, 2, 10], '0, 2, 10'), ([], 'none')])
def test_a_fold_that_is_not_there_names_those_that_are(cfg, tmp_path, made, named):
    with_lists(cfg, tmp_path, *made)
    cfg.fold = 3
    with pytest.raises(ConfigError, match=rf'fold_3.*folds that exist: {named};'):
        apply_data_settings(cfg)


@pytest.mark.parametrize('fold', [-1, 'two', 1.5, True])
def test_a_fold_is_a_number(cfg, fold):
    cfg.fold = fold
    with pytest.raises(ConfigError, match='numbers, counted from 0'):
        apply_data_settings(cfg)


def test_a_data_set_without_a_list_has_no_folds(cfg):
    cfg.fold = 1
    with pytest.raises(ConfigError, match='A has no ann_file'):
        apply_data_settings(cfg)


def test_data_overrides_need_neither_torch_nor_mmdet():
    code = (
        'import sys; from mmengine.config import Config\n'
        'from custom_datasets.settings import apply_data_settings\n'
        "apply_data_settings(Config(dict(classes=['a'], data_root='x', model={})))\n"
        "sys.exit(bool({'torch', 'mmdet', 'mmcv'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0
