"""What a checkpoint or predictions may run is run by no command without --trust."""

import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from custom_datasets.checkpoints import load_checkpoint
from tests.leaves import ROOT, SAMPLE, small_run
from tools import submit, tag
from tools import test as test_tool
from tools import train as train_tool
from tools.analysis_tools import compare, ensemble, report
from tools.dataset_converters import age_gender

TAGGER = str(ROOT / 'configs/tagger/faster-rcnn_r18_c4_light_1xb4-24e_tagger.py')
LEAF = str(SAMPLE)
COMMAND = 'touch ran'


class Evil:
    def __reduce__(self):
        return os.system, (COMMAND,)


@pytest.fixture(scope='module')
def options(bccd_root):
    return ['--cfg-options', *small_run(SAMPLE, bccd_root)]


@pytest.fixture(scope='module')
def trained(options, tmp_path_factory):
    """A checkpoint as training leaves it."""
    folder = tmp_path_factory.mktemp('trained')
    assert train_tool.main([LEAF, '--work-dir', str(folder), *options]) == 0
    return folder / 'epoch_1.pth'


@pytest.fixture
def add(trained, tmp_path, monkeypatch):
    """Copy the checkpoint into an empty folder, with something added to it."""
    monkeypatch.chdir(tmp_path)

    def write(**added):
        content = torch.load(trained, weights_only=False)
        content['meta'].update(added)
        torch.save(content, 'c.pth')

    return write


READERS = {
    'train': (
        train_tool.main,
        [LEAF, '--no-check', 'from_scratch=False', 'load_from=c.pth'],
    ),
    'resume': (train_tool.main, [LEAF, '--resume', 'c.pth', '--no-check']),
    'pretrained': (
        train_tool.main,
        [
            LEAF,
            '--no-check',
            'from_scratch=False',
            'model.init_cfg.type=Pretrained',
            'model.init_cfg.checkpoint=c.pth',
        ],
    ),
    'test': (test_tool.main, [LEAF, 'c.pth']),
    'report': (report.main, [LEAF, 'c.pth', '--out', 'report']),
    'tag': (tag.main, [TAGGER, 'c.pth', 'a.jpg']),
    'faces': (age_gender.main, ['a', 'b', '--detector', TAGGER, 'c.pth']),
}


@pytest.mark.parametrize('reader', READERS)
def test_checkpoints(reader, add, options, tmp_path, capfd):
    main, arguments = READERS[reader]
    settings = [word for word in arguments if '=' in word]
    arguments = [word for word in arguments if '=' not in word]
    if LEAF in arguments:
        arguments += [*options, *settings]
    add(x=Evil())
    assert main(arguments) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith('error: c.pth: asks for posix.system, and a file may run')
    assert not (tmp_path / 'ran').exists()


PREDICTIONS = {
    'report': (report.main, [LEAF, '--predictions', 'p.pkl', '--out', 'report']),
    'validation': (
        report.main,
        [LEAF, '--predictions', 'q.pkl', '--val-predictions', 'p.pkl', '--out', '.'],
    ),
    'compare': (compare.main, ['p.pkl', 'q.pkl']),
    'ensemble': (ensemble.main, ['q.pkl', 'p.pkl', '--out', 'o.pkl']),
    'searched': (ensemble.main, ['q.pkl', '--val', 'p.pkl', '--out', 'o.pkl']),
    'submit': (submit.main, ['p.pkl', '--out', 'o.csv']),
}


@pytest.fixture(scope='module')
def predictions(trained, options):
    out = trained.parent / 'predictions.pkl'
    where = ['--work-dir', str(trained.parent / 'test'), '--out', str(out)]
    assert test_tool.main([LEAF, str(trained), *where, *options]) == 0
    return out


@pytest.mark.parametrize('reader', PREDICTIONS)
def test_predictions(reader, predictions, options, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    main, arguments = PREDICTIONS[reader]
    if LEAF in arguments:
        arguments = [*arguments, *options]
    samples = pickle.loads(predictions.read_bytes())
    shutil.copy(predictions, 'q.pkl')
    Path('p.pkl').write_bytes(pickle.dumps([{**samples[0], 'x': Evil()}, samples[1]]))
    assert main(arguments) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith('error: p.pkl: asks for posix.system, and a file may run')
    assert {path.name for path in tmp_path.iterdir()} <= {'p.pkl', 'q.pkl'}


def test_what_is_trusted_is_read(add, options, predictions, tmp_path, capfd):
    add(x=Path('a'))
    where = ['--work-dir', 'test', '--trust']
    assert test_tool.main([LEAF, 'c.pth', *where, *options]) == 0
    samples = pickle.loads(predictions.read_bytes())
    Path('p.pkl').write_bytes(pickle.dumps([{**s, 'x': Path('a')} for s in samples]))
    assert submit.main(['p.pkl', '--out', 'o.csv', '--trust']) == 0
    assert Path('o.csv').stat().st_size
    assert submit.main(['p.pkl', '--out', 'o.csv']) == 1


def test_no_config_in_a_checkpoint_is_executed(add, options, tmp_path):
    """A resuming runner of mmengine does so with one called ``config``."""
    add(config='open("ran", "w")')
    longer = [*options, 'train_cfg.max_epochs=2']
    where = ['--work-dir', 'run', '--resume', 'c.pth']
    assert train_tool.main([LEAF, *where, *longer]) == 0
    assert load_checkpoint('run/epoch_2.pth')['meta']['epoch'] == 2
    assert not (tmp_path / 'ran').exists()
