"""Who serves as ``mmcv._ext``, in fresh interpreters.

Most of them see a made-up mmcv, so that what is installed doesn't matter.
"""

import importlib
import importlib.metadata
import importlib.util
import inspect
import pickle
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from pathlib import Path

import pytest

import custom_datasets
from custom_datasets.ops import extension as module
from custom_datasets.ops import install, uncovered

ROOT = Path(custom_datasets.__file__).parents[1]


def run(code, *folders):
    """Run `code` with `folders` before the installed packages."""
    path = [str(folder) for folder in folders]
    code = f'import sys; sys.path[:0] = {[*path, str(ROOT)]}\n{code}'
    return subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )


def run_checked(code, *folders):
    result = run(code, *folders)
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture
def mmcv(tmp_path):
    """Return the folder of a made-up mmcv without operators."""
    folder = tmp_path / 'mmcv'
    (folder / 'utils').mkdir(parents=True)
    for name in ('__init__.py', 'utils/__init__.py', 'utils/ext_loader.py'):
        (folder / name).touch()
    (folder / 'ops.py').write_text('import mmcv.utils.ext_loader, mmcv._ext')
    return folder


def test_importing_is_light(mmcv):
    heavy = {'cv2', 'mmcv', 'mmengine', 'numpy', 'torch', 'torchvision'}
    run_checked(
        f'import custom_datasets; assert not {heavy} & sys.modules.keys()', mmcv.parent
    )


def test_installing_twice_is_installing_once(mmcv):
    run_checked(
        'import custom_datasets\n'
        'from custom_datasets.ops import install\n'
        'finders = list(sys.meta_path)\n'
        'assert install() and install()\n'
        'assert sys.meta_path == finders\n'
        'import mmcv._ext\n'
        'assert install()\n'
        'assert mmcv._ext.__spec__.loader is finders[-1]',
        mmcv.parent,
    )


def test_compiled_operators_are_left_alone(mmcv):
    (mmcv / '_ext.py').write_text('compiled = True')
    run_checked(
        'finders = list(sys.meta_path)\n'
        'import custom_datasets\n'
        'from custom_datasets.ops import install\n'
        'assert not install()\n'
        'assert sys.meta_path == finders\n'
        'import mmcv._ext\n'
        'assert mmcv._ext.compiled\n'
        'assert not install()',
        mmcv.parent,
    )


def test_broken_operators_are_not_replaced(mmcv):
    (mmcv / f'_ext{EXTENSION_SUFFIXES[0]}').write_bytes(b'built for another torch')
    result = run('import custom_datasets, mmcv._ext', mmcv.parent)
    assert result.returncode == 1
    assert f'mmcv/_ext{EXTENSION_SUFFIXES[0]}' in result.stderr.replace('\\', '/')
    assert 'ImportError' in result.stderr


def test_a_module_that_took_the_name_stays(mmcv):
    run_checked(
        'import types\n'
        "sys.modules['mmcv._ext'] = other = types.ModuleType('mmcv._ext')\n"
        'import custom_datasets\n'
        'from custom_datasets.ops import install\n'
        'assert not install()\n'
        "assert sys.modules['mmcv._ext'] is other",
        mmcv.parent,
    )


def test_without_mmcv(tmp_path):
    run_checked(
        'import importlib.util\n'
        'find_spec = importlib.util.find_spec\n'
        'importlib.util.find_spec = lambda name: None\n'
        'finders = list(sys.meta_path)\n'
        'import custom_datasets\n'
        'from custom_datasets.ops import install\n'
        'assert not install()\n'
        'assert sys.meta_path == finders',
        tmp_path,
    )


def test_importing_too_late_warns(mmcv):
    result = run_checked(
        'try:\n    import mmcv.ops\nexcept ImportError:\n    import custom_datasets',
        mmcv.parent,
    )
    assert 'UserWarning: mmcv.ops was imported, and failed' in result.stderr
    assert 'import custom_datasets first' in result.stderr


def test_all_of_mmcv_can_be_imported_after_a_failure():
    spec = importlib.util.find_spec('mmcv')
    if PathFinder.find_spec('mmcv._ext', spec.submodule_search_locations):
        pytest.skip('mmcv has compiled operators')
    result = run_checked(
        'try:\n'
        '    import mmcv.ops\n'
        'except ImportError:\n'
        "    print('failed')\n"
        'import custom_datasets\n'
        'import mmcv.ops\n'
        'from mmengine.utils.dl_utils import mmcv_full_available\n'
        'assert mmcv_full_available()\n'
        "assert 'torchvision' in mmcv.ops.get_compiler_version()\n"
        'assert mmcv.ops.get_compiling_cuda_version()'
    )
    assert result.stdout == 'failed\n'
    assert 'UserWarning: mmcv.ops was imported, and failed' in result.stderr


def test_it_is_a_module_like_others(extension):
    assert extension.__spec__.name == extension.__name__ == 'mmcv._ext'
    assert extension.__spec__.origin == module.__file__
    assert not hasattr(extension, '__path__')
    assert not hasattr(extension, '_private')
    assert pickle.loads(pickle.dumps(extension.nms)) is extension.nms
    assert list(inspect.signature(extension.nms).parameters) == [
        'boxes',
        'scores',
        'iou_threshold',
        'offset',
    ]


def test_reloading(extension):
    if not install():
        pytest.skip('another module serves as mmcv._ext')
    loaded = importlib.import_module('mmcv._ext')
    assert importlib.reload(loaded) is loaded
    assert loaded.nms is extension.nms
    assert importlib.util.find_spec('mmcv._ext') is loaded.__spec__


def test_other_operators_name_themselves_and_the_command(extension):
    for name in ('nms_rotated', 'ms_deform_attn_forward', 'upfirdn2d'):
        operator = getattr(extension, name)
        with pytest.raises(NotImplementedError, match=rf'{name} .* pip install .*mmcv'):
            operator(1, stride=2)


@pytest.mark.parametrize(
    ('installed', 'expected'),
    [
        (
            {'onedl-mmcv': '2.3.6'},
            'pip install {} --no-binary onedl-mmcv onedl-mmcv==2.3.6',
        ),
        ({'mmcv': '2.1.0'}, 'pip install {} --no-binary mmcv mmcv==2.1.0'),
        (
            {'mmcv-lite': '2.1.0'},
            'pip uninstall --yes mmcv-lite && '
            'pip install {} --no-binary mmcv mmcv==2.1.0',
        ),
        ({}, 'pip install {} --no-binary onedl-mmcv onedl-mmcv'),
    ],
)
def test_compile_command(monkeypatch, installed, expected):
    def version(name):
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(uncovered, 'version', version)
    options = '--no-deps --no-cache-dir --no-build-isolation --force-reinstall'
    assert uncovered.compile_command() == expected.format(options)
