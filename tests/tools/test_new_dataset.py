"""From an export to a running training in two commands."""

import shutil
import subprocess
import sys

import pytest

from custom_datasets.formats import convert
from tests.leaves import ROOT


@pytest.fixture
def repository(tmp_path):
    """A copy of what the commands need, to write into."""
    root = tmp_path / 'repository'
    ignored = shutil.ignore_patterns('__pycache__')
    for folder in ('custom_datasets', 'tools', 'tests', 'configs/_base_'):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    shutil.copytree(ROOT / 'configs/sample', root / 'configs/sample')
    shutil.copy(ROOT / 'pyproject.toml', root)
    return root


def run(repository, *arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


def small(*options):
    loaders = [
        f'{name}_dataloader.{setting}'
        for name in ('train', 'val')
        for setting in ('batch_size=2', 'num_workers=0', 'dataset.indices=2')
    ]
    given = ['from_scratch=True', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    return ['--cfg-options', *given, *loaders, *options]


def last_command(done):
    line = done.stdout.splitlines()[-1]
    assert line.startswith('train: python tools/train.py configs/'), done.stdout
    return line.removeprefix('train: python ').split()


def test_a_zip_of_yolo_becomes_a_training_run(repository, bccd_root, tmp_path):
    convert(str(bccd_root), str(tmp_path / 'export'), to='yolo')
    archive = shutil.make_archive(str(tmp_path / 'cells'), 'zip', tmp_path / 'export')

    made = run(repository, 'tools/new_dataset.py', 'blood-cells', archive)
    assert made.returncode == 0, made.stderr
    done = run(repository, *last_command(made), *small())

    assert done.returncode == 0, done.stderr[-2000:]
    work_dir = repository / 'work_dirs/rtmdet_tiny_1xb4-24e_blood-cells'
    assert (work_dir / 'epoch_1.pth').exists()
    assert 'pascal_voc/AP50_Platelets' in done.stdout + done.stderr


def test_class_folders_become_a_training_run(repository, metal_crops, tmp_path):
    export = tmp_path / 'export'
    for part in ('train', 'val', 'test'):
        shutil.copytree(metal_crops / part, export, dirs_exist_ok=True)

    made = run(repository, 'tools/new_dataset.py', 'defects', export)
    assert made.returncode == 0, made.stderr
    done = run(repository, *last_command(made), *small())

    assert done.returncode == 0, done.stderr[-2000:]
    assert 'classwise/recall_crease' in done.stdout + done.stderr

    # What was written passes its own test and those of every leaf.
    tests = ['tests/test_defects.py', 'tests/configs/test_train_step.py']
    tested = run(repository, '-m', 'pytest', '-k', 'defects and not resnet50', *tests)
    assert tested.returncode == 0, tested.stdout[-2000:]
    assert '3 passed' in tested.stdout


def test_errors_in_the_data_are_shown_and_the_files_stay(
    repository, bccd_root, tmp_path
):
    export = shutil.copytree(bccd_root, tmp_path / 'export')
    (export / 'JPEGImages/train_0001.png').write_text('no image')
    made = run(repository, 'tools/new_dataset.py', 'cells', export)
    assert made.returncode == 1
    assert 'undecodable-image' in made.stdout
    assert 'mend the errors above, then: python tools/train.py' in made.stderr
    assert (repository / 'custom_datasets/cells.py').exists()


def test_nothing_is_overwritten(repository, bccd_root):
    made = run(repository, 'tools/new_dataset.py', 'bccd', bccd_root)
    assert made.returncode == 1
    assert 'custom_datasets/bccd.py: already there' in made.stderr
    assert not (repository / 'data').exists()
