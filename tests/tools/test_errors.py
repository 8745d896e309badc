"""Bad input: one sentence and an exit status, no traceback."""

import pytest
import torch

from custom_datasets.settings import settings_help
from tests.leaves import LEAVES, SAMPLE, small_run
from tools import test as test_tool
from tools import train as train_tool


def run_main(capfd, *arguments, main=train_tool.main):
    status = main([str(argument) for argument in arguments])
    return status, capfd.readouterr().err


def test_help_is_no_error_and_has_every_setting(capfd):
    """It is text, since ``settings`` takes longer to import than help may take."""
    assert train_tool.main(['--help']) == 0
    assert settings_help() in capfd.readouterr().out


def test_missing_data_is_named(run, tmp_path):
    done = run('train.py', SAMPLE, '--cfg-options', f'data_root={tmp_path}/nowhere')
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert 'nowhere: the folder does not exist' in done.stderr


def test_a_wrong_class_count_stops_the_run(capfd, bccd_root, tmp_path):
    options = [*small_run(SAMPLE, bccd_root), 'model.bbox_head.num_classes=80']
    status, stderr = run_main(
        capfd, SAMPLE, '--work-dir', tmp_path, '--cfg-options', *options
    )
    assert status == 1
    assert 'model.bbox_head has num_classes=80, but the data set has 3' in stderr
    assert not list(tmp_path.glob('*.pth'))


def test_weights_that_cannot_be_fetched_name_the_override(capfd, bccd_root, tmp_path):
    leaf = next(leaf for leaf in LEAVES if 'retinanet_r50' in leaf.stem)
    options = [o for o in small_run(leaf, bccd_root) if 'from_scratch' not in o]
    url = 'http://127.0.0.1:9/resnet50.pth'
    options.append(f'model.backbone.init_cfg.checkpoint={url}')
    status, stderr = run_main(
        capfd, leaf, '--work-dir', tmp_path, '--cfg-options', *options
    )
    assert status == 1
    assert f'{url}: cannot be fetched' in stderr
    assert '--cfg-options from_scratch=True' in stderr


def test_a_damaged_checkpoint_is_named(capfd, bccd_root, tmp_path):
    checkpoint = tmp_path / 'c.pth'
    checkpoint.write_bytes(b'no weights')
    options = ['--cfg-options', *small_run(SAMPLE, bccd_root)]
    where = ['--work-dir', tmp_path / 'w']
    status, stderr = run_main(
        capfd, SAMPLE, checkpoint, *where, *options, main=test_tool.main
    )
    assert status == 1
    assert f'{checkpoint}: incomplete or damaged' in stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU has float16')
def test_float16_without_a_gpu_is_said(capfd, bccd_root, tmp_path):
    options = ['--amp', '--work-dir', tmp_path, '--cfg-options']
    options.append('optim_wrapper.dtype=float16')
    status, stderr = run_main(capfd, SAMPLE, *options, *small_run(SAMPLE, bccd_root))
    assert status == 1
    assert stderr.endswith('--amp on a CPU is bfloat16; leave it out\n')


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['precision=half'], 'precision=half: no such precision; it can be auto, bfl'),
        (['precision=float32', '--amp'], 'and precision=float32: leave one out'),
    ],
)
def test_a_precision_that_cannot_be_is_said(
    capfd, tmp_path, bccd_root, arguments, said
):
    where = ['--work-dir', tmp_path / 'run', '--cfg-options', f'data_root={bccd_root}']
    status, stderr = run_main(capfd, SAMPLE, *where, *arguments)
    assert status == 1
    assert said in stderr
    assert not list(tmp_path.iterdir())
