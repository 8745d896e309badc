"""What a run leaves, shows and stops at, through the commands of a user."""

import copy
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios

import pytest
from mmengine.config import Config

from custom_datasets.cli import INTERRUPTED
from custom_datasets.samples.boxes import METAL_CLASSES
from custom_datasets.training.record import read_run
from tests.leaves import LEAVES, ROOT, SAMPLE, small_run
from tools import test as test_tool
from tools import train as train_tool

RTMDET = next(leaf for leaf in LEAVES if leaf.stem == 'rtmdet_tiny_1xb4-24e_bccd')
METAL = next(leaf for leaf in LEAVES if leaf.stem.startswith('resnet18_1xb32-30e_m'))


def options_of(root, epochs):
    options = [o for o in small_run(SAMPLE, root) if '.indices=' not in o]
    return [*options, f'train_cfg.max_epochs={epochs}']


def train(work_dir, options, *arguments):
    where = [str(SAMPLE), '--work-dir', str(work_dir), *arguments]
    return train_tool.main([*where, '--cfg-options', *options])


def logged(work_dir):
    """Return the lines of the first log of numbers."""
    path = sorted(work_dir.glob('*/vis_data/scalars.json'))[0]
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope='module')
def trained(bccd_root, tmp_path_factory):
    """Two epochs, a test, and the record that they leave."""
    work_dir = tmp_path_factory.mktemp('runs') / 'cells'
    options = options_of(bccd_root, 2)
    assert train(work_dir, options) == 0
    arguments = [str(SAMPLE), str(work_dir / 'epoch_2.pth')]
    where = ['--work-dir', str(work_dir.parent / 'test'), '--cfg-options', *options]
    assert test_tool.main([*arguments, *where]) == 0
    return work_dir


@pytest.fixture(scope='module')
def content(trained):
    return read_run(str(trained)).content


def test_a_run_says_what_it_was(trained, content, bccd_root):
    assert (content['status'], content['reason']) == ('finished', None)
    assert content['command'][:2] == ['tools/train.py', str(SAMPLE)]
    assert content['config']['overrides']['data_root'] == str(bccd_root)
    assert content['config']['overrides']['train_cfg.max_epochs'] == 2
    cfg = Config.fromfile(read_run(str(trained)).config_file)
    assert cfg.train_cfg.max_epochs == 2
    assert content['seed'] == 0
    assert content['batch']['total'] == 2
    # The base rate, for 8 images, by 2 of 8.
    assert content['optimizer']['type'] == 'AdamW'
    assert content['optimizer']['lr'] == pytest.approx(0.001 * 2 / 8)
    assert content['schedule']['epochs'] == 2
    assert content['losses']['bbox_head.loss_cls'].startswith('FocalLoss(')
    assert 'Resize(scale=(96, 96), keep_ratio=True)' in content['augmentations']
    assert content['model']['type'] == 'RetinaNet'
    assert content['model']['macs'] > content['model']['parameters'] > 1e6
    assert content['model']['input_shape'] == [3, 96, 96]
    assert content['speed']['images_per_second'] > 0
    assert 0 <= content['speed']['data_share'] < 1
    assert content['speed']['peak_memory_mb'] > 50
    assert content['git'].keys() == {'commit', 'dirty', 'changes', 'changed', 'why'}


def test_a_run_says_what_it_saw(content, bccd_root):
    for split, count in (('train', 8), ('val', 4)):
        data = content['data'][split]
        assert (data['images'], data['samples']) == (count, count)
        assert data['list'] == f'ImageSets/Main/{split}.txt'
        for name in data['classes']:
            files = bccd_root.glob(f'Annotations/{split}_*.xml')
            words = ' '.join(path.read_text() for path in files)
            assert data['objects'][name] == words.count(f'<name>{name}</name>')
    assert content['data']['train']['sha256'] != content['data']['val']['sha256']


def test_a_run_says_how_it_went(trained, content):
    steps = [line for line in logged(trained) if 'loss' in line]
    scores = [line['pascal_voc/mAP'] for line in logged(trained) if 'loss' not in line]
    assert [entry['epoch'] for entry in content['epochs']] == [1, 2]
    assert [entry['iteration'] for entry in content['epochs']] == [4, 8]
    metrics = [entry['metrics']['pascal_voc/mAP'] for entry in content['epochs']]
    assert metrics == pytest.approx(scores)
    # The log's loss is a mean over the last ten steps, so over all of the first.
    assert content['epochs'][0]['losses']['loss'] == pytest.approx(steps[3]['loss'])
    assert content['epochs'][1]['lr'] == pytest.approx(steps[7]['lr'])
    best = content['best']
    assert best['metric'] == 'pascal_voc/mAP'
    assert best['value'] == max(metrics)
    assert best['epoch'] == 1 + metrics.index(max(metrics))
    assert content['validation'] == content['epochs'][1]['metrics']
    files = {path.name for path in trained.glob('*.pth')}
    assert set(content['checkpoints']) == files
    assert best['checkpoint'] in files


def test_a_test_joins_the_record(trained, content):
    (tested,) = content['tests']
    written = json.loads(next((trained.parent / 'test').glob('*/*.json')).read_text())
    assert tested['checkpoint'] == 'epoch_2.pth'
    assert tested['metrics']['pascal_voc/mAP'] == written['pascal_voc/mAP']
    assert tested['data']['images'] == 4
    assert tested['data']['list'] == 'ImageSets/Main/test.txt'
    assert not (trained.parent / 'test' / 'run.json').exists()


def test_the_page_is_readable(trained, content):
    page = (trained / 'run.md').read_text()
    assert page.startswith('# cells: finished\n\nBest pascal_voc/mAP: **')
    assert content['data']['train']['sha256'][:12] in page
    assert '## Test of epoch_2.pth' in page


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the run of two epochs, and what resumes it."""
    work_dir = shutil.copytree(trained, tmp_path / 'cells')
    return work_dir, ['--resume', str(work_dir / 'epoch_2.pth')]


def test_a_test_leaves_the_config_of_the_training(copied, bccd_root):
    work_dir, _ = copied
    dumped = work_dir / SAMPLE.name
    before = dumped.read_bytes()
    options = [*options_of(bccd_root, 7), 'test_dataloader.batch_size=1']
    arguments = [
        str(SAMPLE),
        str(work_dir / 'epoch_2.pth'),
        '--work-dir',
        str(work_dir),
    ]
    assert test_tool.main([*arguments, '--cfg-options', *options]) == 0
    assert dumped.read_bytes() == before
    assert len(read_run(str(work_dir)).content['tests']) == 2


@pytest.mark.parametrize(
    ('leaf', 'classes', 'message'),
    [
        (SAMPLE, 'WBC,RBC,Platelets', 'was trained on 3 classes (RBC, WBC, Platelets)'),
        (RTMDET, 'RBC,WBC,Platelets', 'is of another model: '),
    ],
)
def test_a_checkpoint_of_another_config_is_not_tested(
    copied, bccd_root, tmp_path, capfd, leaf, classes, message
):
    work_dir, _ = copied
    options = [*small_run(leaf, bccd_root), f'classes={classes}']
    arguments = [str(leaf), str(work_dir / 'epoch_2.pth')]
    where = ['--work-dir', str(tmp_path / 'test'), '--cfg-options', *options]
    assert test_tool.main([*arguments, *where]) == 1
    assert f'epoch_2.pth: {message}' in capfd.readouterr().err
    assert len(read_run(str(work_dir)).content['tests']) == 1


def test_a_resumed_run_goes_on_with_its_record(copied, content, bccd_root):
    work_dir, resume = copied
    # As if it had been killed after another epoch, which has no checkpoint.
    killed = copy.deepcopy(content)
    for each in (killed, killed['sessions'][0]):
        each['status'] = 'running'
    killed['epochs'].append({**killed['epochs'][1], 'epoch': 3, 'iteration': 12})
    killed['epochs'][2]['lr'] = 99.0
    (work_dir / 'run.json').write_text(json.dumps(killed))

    # It would replace the best checkpoint of the run that was copied.
    options = [*options_of(bccd_root, 3), 'default_hooks.checkpoint.save_best=None']
    assert train(work_dir, options, *resume) == 0
    after = read_run(str(work_dir)).content
    assert after['status'] == 'finished'
    assert after['started'] == content['started']
    assert [entry['epoch'] for entry in after['epochs']] == [1, 2, 3]
    assert after['epochs'][:2] == content['epochs']
    assert after['epochs'][2]['lr'] < 1
    assert after['tests'] == content['tests']
    first, second = after['sessions']
    assert (first['status'], first['reason']) == ('stopped', 'ended without notice')
    assert (second['status'], second['from_epoch']) == ('finished', 2)
    assert second['resumed_from'] == str(work_dir / 'epoch_2.pth')
    assert after['wall_seconds'] == pytest.approx(
        content['wall_seconds'] + second['seconds'], abs=0.2
    )


def test_a_run_that_has_nothing_left_to_do_keeps_its_speed(copied, content, bccd_root):
    work_dir, resume = copied
    assert train(work_dir, options_of(bccd_root, 2), *resume) == 0
    after = read_run(str(work_dir)).content
    assert after['epochs'] == content['epochs']
    assert after['speed'] == content['speed']


def test_a_loss_that_is_no_number_stops_the_run(copied, content, bccd_root, capfd):
    work_dir, resume = copied
    kept = (work_dir / 'epoch_2.pth').read_bytes()
    broken = 'model.bbox_head.loss_bbox.loss_weight=1e39'
    assert train(work_dir, [*options_of(bccd_root, 3), broken], *resume) == 1
    stderr = capfd.readouterr().err
    said = stderr[stderr.index('error: ') :]
    assert said.startswith('error: epoch 3, iteration 9: the loss is not finite\n')
    assert re.search(r'losses: loss inf, loss_cls \d\.\d+, loss_bbox inf', said)
    assert len(re.findall(r'image: .*train_000\d\.png', said)) == 2
    assert re.search(r'learning rate: \d.*try a lower one', said)
    assert 'epoch_2.pth is kept' in said
    assert (work_dir / 'epoch_2.pth').read_bytes() == kept
    assert not (work_dir / 'epoch_3.pth').exists()
    after = read_run(str(work_dir)).content
    assert after['status'] == 'failed'
    assert after['reason'] == said.removeprefix('error: ').rstrip('\n')
    assert after['epochs'] == content['epochs']


def test_a_classifier_in_the_folder_of_an_earlier_run(metal_crops, tmp_path):
    (tmp_path / 'run.json').write_text('{"from": "an earlier run"}')
    names = f'classes={",".join(METAL_CLASSES)}'
    options = ['--cfg-options', *small_run(METAL, metal_crops), names]
    assert train_tool.main([str(METAL), '--work-dir', str(tmp_path), *options]) == 0
    content = read_run(str(tmp_path)).content
    assert content['status'] == 'finished'
    assert content['config']['scope'] == 'mmpretrain'
    assert content['data']['train']['images'] == 2
    assert sum(content['data']['train']['objects'].values()) == 2
    assert content['model']['type'] == 'ImageClassifier'
    assert content['model']['macs'] > 1e6
    assert content['best']['metric'] == 'accuracy/top1'
    (earlier,) = tmp_path.glob('*/previous_run.json')
    assert json.loads(earlier.read_text()) == {'from': 'an earlier run'}


def read_until(control, process, wanted, shown):
    """Read a terminal until something is shown; fail if the process ends first."""
    while wanted not in shown:
        ready, _, _ = select.select([control], [], [], 1)
        if ready:
            shown += os.read(control, 4096)
        else:
            assert process.poll() is None, shown[-2000:].decode(errors='replace')
    return shown


def test_a_terminal_shows_one_line_and_ctrl_c_leaves_it_sane(bccd_root, tmp_path):
    work_dir = tmp_path / 'work'
    options = options_of(bccd_root, 20)
    command = [sys.executable, ROOT / 'tools' / 'train.py', SAMPLE]
    command += ['--work-dir', work_dir, '--cfg-options', *options]
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
    before = termios.tcgetattr(terminal)
    environment = {**os.environ, 'TERM': 'xterm-256color'}
    environment.pop('COLUMNS', None)
    with subprocess.Popen(
        list(map(str, command)),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
    ) as process:
        shown = read_until(control, process, b'epoch 2/20  [', b'')
        os.write(control, b'\x03')
        shown = read_until(control, process, b'continues from there\r\n', shown)
    after = termios.tcgetattr(terminal)
    os.close(terminal)
    os.close(control)
    assert process.returncode == INTERRUPTED
    assert after == before
    text = shown.decode()
    said = 'Interrupted; what was saved is kept; the same command with --resume '
    last = text.splitlines()[-1]
    assert re.fullmatch(rf'{said}{work_dir}/epoch_\d\.pth continues from there', last)
    assert 'Traceback' not in text
    assert re.search(
        r'\r\x1b\[2Kepoch 1/20  \[=+ *\] \d/4  loss \d.*  lr \d.* left', text
    )
    assert re.search(r'epoch 1/20: pascal_voc/mAP [\d.e-]+, the best so far', text)
    assert '| Platelets |' in text
    # None of mmengine's lines for each step, but all of them in its file.
    assert 'Epoch(train)' not in text
    log = next(work_dir.glob('*/*.log')).read_text()
    assert 'Epoch(train)  [1][4/4]' in log or 'Epoch(train) [1][4/4]' in log
    assert 'Saving checkpoint at 1 epochs' in log
    # The cursor can be seen.
    assert text.rfind('\x1b[?25h') > text.rfind('\x1b[?25l')
    content = read_run(str(work_dir)).content
    assert (content['status'], content['reason']) == (
        'stopped',
        'interrupted (Ctrl-C)',
    )
