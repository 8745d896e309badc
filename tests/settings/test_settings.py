"""The table of settings, and reading a config with them."""

import subprocess
import sys

import pytest
from mmengine.config import Config

from custom_datasets.errors import ConfigError
from custom_datasets.settings import (
    SETTINGS,
    load_config,
    settings_table,
)
from custom_datasets.settings.tracking import TRACKERS
from tests.leaves import ROOT, SAMPLE


def test_data_settings_need_neither_torch_nor_mmdet():
    code = (
        'import sys; from mmengine.config import Config\n'
        'from custom_datasets.settings import apply_data_settings\n'
        "apply_data_settings(Config(dict(classes=['a'], data_root='x', model={})))\n"
        "sys.exit(bool({'torch', 'mmdet', 'mmcv'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_the_table_is_that_of_the_docs():
    assert f'\n\n{settings_table()}\n\n' in (ROOT / 'docs/settings.md').read_text()
    values = {setting.name: setting.values for setting in SETTINGS}
    assert len(values) == len(SETTINGS)
    assert values['track'] == ','.join(TRACKERS)


@pytest.mark.parametrize(
    ('text', 'options', 'message'),
    [
        (None, {}, 'no such config'),
        ('a = ', {}, 'cannot be read'),
        ("_base_ = './no.py'", {}, 'cannot be read'),
        ('a = [1]', {'a.3': 1}, 'cannot be read'),
        ('model = 3', {}, 'model=3: must be a dict'),
    ],
)
def test_a_config_that_cannot_be_read(tmp_path, text, options, message):
    if text is not None:
        (tmp_path / 'leaf.py').write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(str(tmp_path / 'leaf.py'), options)


def test_a_package_that_is_missing(monkeypatch):
    def missing(*_, **__):
        raise ModuleNotFoundError('mmdet is not installed')

    monkeypatch.setattr(Config, 'fromfile', missing)
    with pytest.raises(ConfigError, match=r'not installed; .* brings the main'):
        load_config(str(SAMPLE))
