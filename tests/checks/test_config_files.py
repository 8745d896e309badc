"""What a config names that is not there, or that nothing reads."""

import pytest
import torch

from custom_datasets.checks.config import check_load_from, check_overrides
from custom_datasets.errors import ConfigError
from custom_datasets.settings import SETTINGS, load_config
from tests.leaves import LEAVES, SAMPLE

CLASSES = ('RBC', 'WBC', 'Platelets')


@pytest.fixture
def leaf(tmp_path):
    def write(text):
        path = tmp_path / 'leaf.py'
        path.write_text(f'_base_ = {str(SAMPLE)!r}\n{text}\n')
        return str(path)

    return write


def overridden(path, options=None):
    cfg = load_config(path, options)
    found = check_overrides(path, options or {}, cfg)
    assert {f.code for f in found} <= {'no-effect'}
    return [f.message.split()[0] for f in found]


@pytest.mark.parametrize('path', LEAVES, ids=lambda leaf: leaf.stem)
def test_shipped_leaves_set_nothing_in_vain(path):
    assert not overridden(str(path))


def test_a_variable_of_a_base_is_set_in_vain(leaf):
    text = 'train_pipeline = []\nmax_epochs = 3\nbatch = 2\n'
    used = 'train_dataloader = dict(batch_size=batch)\ndata_root = "/x"\n_mine = 1\n'
    assert overridden(leaf(text + used)) == ['train_pipeline', 'max_epochs']


@pytest.mark.parametrize(
    ('text', 'hint'),
    [
        ('train_dataloder = dict(batch_size=8)', "did you mean 'train_dataloader'?"),
        ('max_epochs = 2', 'set train_cfg.max_epochs'),
        ('lr = 0.001', 'set optim_wrapper.optimizer.lr'),
        ('num_classes = 5', 'set classes=[...], which also'),
        ('train_pipeline = []', 'set train_dataloader.dataset.pipeline'),
        ("los = 'focal'", "did you mean 'loss'?"),
        ('zebra = 3', 'set the entry that should use it'),
    ],
)
def test_what_is_set_in_vain_is_told_its_place(leaf, text, hint):
    path = leaf(text)
    (one,) = check_overrides(path, {}, load_config(path))
    assert one.code == 'no-effect'
    assert hint in one.hint
    option, _, _ = text.partition(' = ')
    (one,) = check_overrides(leaf(''), {option: 'x'}, {'runner_type': 'PluginRunner'})
    assert (
        one.message == f'{option} is set in --cfg-options, but nothing reads it there'
    )
    assert hint in one.hint


def test_what_the_plugin_reads_is_not_set_in_vain(leaf):
    names = [setting.name for setting in SETTINGS]
    path = leaf(''.join(f'{name} = None\n' for name in names))
    assert not overridden(path)
    path = leaf('loss = None\nrunner_type = "Runner"')
    assert overridden(path) == ['loss']


def test_the_command_line_is_looked_at_too(leaf):
    options = {'max_epochs': 3, 'data_root': '/x', 'train_cfg.max_epochs': 3}
    assert overridden(leaf(''), options) == ['max_epochs']


def test_data_root_needs_the_runner_that_carries_it_out(leaf):
    path = leaf('runner_type = "Runner"\ndata_root = "/x"')
    assert overridden(path) == ['data_root']


@pytest.mark.parametrize(
    ('classes', 'severity'),
    [
        (CLASSES, None),
        (('WBC', 'RBC', 'Platelets'), 'warning'),
        (('person', 'car'), 'note'),
    ],
)
def test_classes_of_a_checkpoint(tmp_path, classes, severity):
    path = tmp_path / 'c.pth'
    meta = {'dataset_meta': {'classes': classes}, 'epoch': 3}
    torch.save({'meta': meta, 'state_dict': {'w': torch.zeros(3)}}, path)
    found = check_load_from({'load_from': str(path)}, CLASSES)
    assert [f.severity for f in found] == ([severity] if severity else [])


def test_a_missing_checkpoint_unless_nothing_is_loaded(tmp_path):
    cfg = {'load_from': str(tmp_path / 'none.pth')}
    assert [f.code for f in check_load_from(cfg, CLASSES)] == ['no-checkpoint']
    assert not check_load_from(cfg | {'from_scratch': True}, CLASSES)
    with pytest.raises(ConfigError, match='from_scratch=no: it can be True or False'):
        check_load_from(cfg | {'from_scratch': 'no'}, CLASSES)
    assert not check_load_from({'load_from': 'https://x.org/w.pth'}, CLASSES)


@pytest.mark.parametrize('text', ['model = dict(', 'train_cfg = dict(_delete_=1)[0]'])
def test_a_broken_config_is_a_sentence(leaf, text):
    with pytest.raises(ConfigError, match=r'leaf\.py: cannot be read'):
        load_config(leaf(text))


def test_a_missing_config_is_a_sentence():
    with pytest.raises(ConfigError, match='no such config'):
        load_config('nowhere.py')
