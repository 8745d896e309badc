"""Settings on data reach every place they concern, and nothing else."""

import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from custom_datasets.checks.check import check_config
from custom_datasets.config import iter_datasets
from custom_datasets.errors import ConfigError
from custom_datasets.settings import (
    apply_data_settings,
    apply_settings,
    load_config,
)
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


BCCD = ROOT / 'configs/_base_/datasets/bccd.py'
WHOLE = f"""
_base_ = 'mmdet::atss/atss_r50_fpn_1x_coco.py'
runner_type = 'PluginRunner'
dataset_base = '{BCCD}'
"""
OWN = """
_base_ = 'mmdet::atss/atss_r50_fpn_1x_coco.py'
train_dataloader = dict(dataset=dict(data_root='/mine'))
"""


@pytest.fixture
def write_leaf(tmp_path):
    """Write a leaf, and return its path."""

    def write(text, name='leaf.py'):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def roots(cfg):
    return [dataset['data_root'] for dataset in iter_datasets(cfg)]


def test_an_inherited_data_root_moves_nothing(write_leaf, tmp_path):
    cfg = load_config(write_leaf(OWN))
    assert roots(cfg) == ['/mine', 'data/coco/', 'data/coco/']
    # Nor does it when this config is written down and read again.
    cfg.dump(tmp_path / 'dumped.py')
    assert roots(load_config(str(tmp_path / 'dumped.py'))) == roots(cfg)


@pytest.mark.parametrize('place', ['leaf', 'base', 'option'])
def test_a_data_root_of_ones_own_beside_an_inherited_one(write_leaf, place):
    text, options = OWN, {}
    if place == 'option':
        options = {'data_root': '/new'}
    elif place == 'leaf':
        text = OWN + "data_root = '/new'"
    else:
        write_leaf(OWN + "data_root = '/new'", 'base.py')
        text = "_base_ = './base.py'"
    assert roots(load_config(write_leaf(text), options)) == ['/new'] * 3


def test_a_whole_upstream_config_gets_our_data_sets(write_leaf):
    base, cfg = Config.fromfile(BCCD), load_config(write_leaf(WHOLE))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert cfg[loader].dataset == base[loader].dataset
    assert cfg.val_evaluator == base.val_evaluator
    assert cfg.test_evaluator == base.test_evaluator
    assert cfg.tta_pipeline == base.tta_pipeline
    assert cfg.custom_imports.imports == base.custom_imports.imports
    assert (cfg.num_classes, cfg.model.bbox_head.num_classes) == (3, 3)
    # Of the model, not of the data.
    assert cfg.train_dataloader.batch_size == 2
    assert cfg.optim_wrapper.optimizer.lr == 0.01


@pytest.mark.parametrize('between', [False, True])
def test_what_the_leaf_and_the_command_line_change_of_a_data_set_stays(
    write_leaf, between
):
    text = WHOLE + (
        "steps = [dict(type='Resize', scale=(8, 9))]\n"
        'train_dataloader = dict(\n'
        "    batch_size=3, dataset=dict(seg_map_suffix='.x', pipeline=steps)\n"
        ')\n'
        "test_evaluator = dict(type='Own', _delete_=True)\n"
        "custom_imports = dict(imports=['mine'])\n"
    )
    if between:
        write_leaf(text, 'base.py')
        text = "_base_ = './base.py'"
    options = {'val_dataloader.dataset.indices': 2, 'fold': 0, 'data_root': '/new'}
    cfg = load_config(write_leaf(text), options)
    assert cfg.train_dataloader.batch_size == 3
    assert cfg.train_dataloader.dataset.seg_map_suffix == '.x'
    assert cfg.train_dataloader.dataset.pipeline == [
        {'type': 'Resize', 'scale': (8, 9)}
    ]
    assert cfg.train_dataloader.dataset.type == 'BCCDDataset'
    assert cfg.val_dataloader.dataset.indices == 2
    assert cfg.test_evaluator == {'type': 'Own'}
    assert cfg.val_evaluator == Config.fromfile(BCCD).val_evaluator
    assert lists(cfg) == {
        f'ImageSets/Main/fold_0/{p}.txt' for p in ('train', 'val', 'test')
    }
    assert roots(cfg) == ['/new'] * 3
    assert cfg.custom_imports.imports[0] == 'mine'


def test_what_was_put_in_place_is_written_down_and_read_again(write_leaf, tmp_path):
    cfg = load_config(write_leaf(WHOLE), {'train_dataloader.dataset.indices': 2})
    before = cfg.to_dict()
    apply_data_settings(cfg)
    assert cfg.to_dict() == before
    cfg.dump(tmp_path / 'dumped.py')
    again = load_config(str(tmp_path / 'dumped.py'))
    assert again.to_dict() == before


def test_a_base_brings_its_own_settings(write_leaf):
    folder = ROOT / 'configs/_base_/datasets'
    text = WHOLE.replace('bccd.py', 'tagger_light.py')
    cfg = load_config(write_leaf(text))
    assert cfg.model.bbox_head.num_classes == len(cfg.classes) == 22
    assert cfg.test_dataloader.dataset.pipeline[1].scale == (320, 240)
    cfg = load_config(write_leaf(text), {'image_scale': [64, 48], 'classes': ['a']})
    assert cfg.model.bbox_head.num_classes == 1
    assert cfg.test_dataloader.dataset.pipeline[1].scale == (64, 48)
    # The same on the command line, for a leaf that is composed.
    cfg = load_config(str(SAMPLE), {'dataset_base': str(folder / 'face_mask.py')})
    assert {d['type'] for d in iter_datasets(cfg)} == {'FaceMaskDataset'}


@pytest.mark.parametrize('own', [None, [{'type': 'Resize', 'scale': (8, 8)}]])
def test_test_time_augmentation_is_that_of_the_leaf_or_of_the_base(write_leaf, own):
    cfg = Config.fromfile(write_leaf(WHOLE + f'tta_pipeline = {own}\n' * bool(own)))
    # As the stock test.py does.
    cfg.tta_pipeline = own or [{'type': 'Resize', 'scale': (1333, 800)}]
    cfg.model = {'type': 'DetTTAModel', 'module': cfg.model}
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    apply_data_settings(cfg)
    expected = own or Config.fromfile(BCCD).tta_pipeline
    assert cfg.test_dataloader.dataset.pipeline == cfg.tta_pipeline == expected


@pytest.mark.parametrize('value', ['no/such.py', 5])
def test_a_base_that_does_not_exist(write_leaf, value):
    with pytest.raises(ConfigError, match=f'dataset_base={value}: no such file'):
        load_config(write_leaf(WHOLE), {'dataset_base': value})


RECYCLING = next(leaf for leaf in LEAVES if leaf.parent.name == 'recycling')


def test_a_run_keeps_where_its_advice_is(tmp_path, monkeypatch):
    cfg = load_config(str(RECYCLING))
    cfg.dump(tmp_path / 'dumped.py')
    monkeypatch.chdir(tmp_path)
    advice = Path(load_config('dumped.py').advice)
    assert advice.samefile(RECYCLING.parent / 'advice.yaml')
    assert load_config('dumped.py', {'advice': 'a.yaml'}).advice == 'a.yaml'
    assert load_config('dumped.py', {'advice': None}).advice is None


@pytest.mark.parametrize('path', [5, ['a.yaml'], True])
def test_advice_is_a_path(path):
    with pytest.raises(ConfigError, match=r'advice=.*: needs the path of a YAML file'):
        load_config(str(SAMPLE), {'advice': path})


def test_advice_follows_the_data_sets(write_leaf):
    folder = ROOT / 'configs/_base_/datasets'
    bccd, recycling = (str(folder / f'{name}.py') for name in ('bccd', 'recycling'))
    assert 'advice' not in load_config(str(RECYCLING), {'dataset_base': bccd})
    shipped = RECYCLING.parent / 'advice.yaml'
    moved = load_config(str(SAMPLE), {'dataset_base': recycling})
    assert Path(moved.advice).samefile(shipped)
    options = {'dataset_base': recycling, 'advice': 'mine.yaml'}
    assert load_config(str(SAMPLE), options).advice == 'mine.yaml'
    whole = write_leaf(WHOLE.replace('bccd.py', 'recycling.py'))
    assert Path(load_config(whole).advice).samefile(shipped)
    own = write_leaf(f"_base_ = '{RECYCLING}'\nadvice = 'mine.yaml'\n")
    assert load_config(own, {'dataset_base': bccd}).advice == 'mine.yaml'


def sized(*steps, tta=(), scope='mmdet'):
    pipeline = [{'type': kind, **sizes} for kind, sizes in steps]
    return Config(
        {
            'default_scope': scope,
            'train_dataloader': {'dataset': {'dataset': {'pipeline': pipeline}}},
            'tta_pipeline': list(tta),
        }
    )


@pytest.mark.parametrize(
    ('size', 'kind', 'before', 'after'),
    [
        ([320, 240], 'RandomResize', {'scale': (640, 480)}, (320, 240)),
        ([320, 240], 'RandomCrop', {'crop_size': (640, 480)}, (320, 256)),
        ([330, 240], 'Pad', {'size': (640, 480)}, (352, 256)),
        (32, 'mmdet.Resize', {'scale': (1333, 800)}, (67, 53)),
        (
            [320, 240],
            'RandomResize',
            {'scale': [(640, 480), (320, 240)]},
            [(320, 240), (160, 120)],
        ),
        ([320, 240], 'RandomChoiceResize', {'scales': [(640, 480)]}, [(320, 240)]),
        ([320, 240], 'Pad', {'size_divisor': 32}, None),
        ([320, 240], 'Albu', {'scale': (0.5, 0.9)}, (0.5, 0.9)),
    ],
)
def test_sizes_of_a_detector_follow(size, kind, before, after):
    cfg = sized(('Resize', {'scale': (640, 480)}), (kind, before))
    cfg.image_scale = size
    for _ in range(2):
        apply_data_settings(cfg)
        first, step = cfg.train_dataloader.dataset.dataset.pipeline
        assert first.scale == (tuple(size) if isinstance(size, list) else (size, size))
        (key,) = before
        assert step.get(key) == (after if after is not None else before[key])


def test_sizes_of_a_classifier_follow_its_crop():
    cfg = sized(
        ('ResizeEdge', {'scale': 256}),
        ('CenterCrop', {'crop_size': 224}),
        tta=[
            {
                'type': 'TestTimeAug',
                'transforms': [
                    [{'type': 'Resize', 'scale': (side, side)} for side in (224, 256)]
                ],
            }
        ],
        scope='mmpretrain',
    )
    cfg.image_scale = 64
    for _ in range(2):
        apply_data_settings(cfg)
        edge, crop = cfg.train_dataloader.dataset.dataset.pipeline
        assert (edge.scale, crop.crop_size) == (73, 64)
        (choices,) = cfg.tta_pipeline[0].transforms
        assert [step.scale for step in choices] == [(64, 64), (73, 73)]


@pytest.mark.parametrize('size', ['big', [64], [64, 0], [64, 'x'], 6.4])
def test_an_image_scale_is_one_side_or_two(size):
    cfg = sized(('Resize', {'scale': (640, 480)}))
    cfg.image_scale = size
    with pytest.raises(ConfigError, match='needs width and height in pixels'):
        apply_data_settings(cfg)


def test_a_crop_of_one_side_has_no_two():
    cfg = sized(('RandomResizedCrop', {'scale': 224}))
    cfg.image_scale = (64, 48)
    with pytest.raises(ConfigError, match='RandomResizedCrop has one side'):
        apply_data_settings(cfg)
