"""Two folds of drawn data: trained, interrupted, gone on with, put together."""

import json
import shutil

import pytest

from custom_datasets.evaluation.results import read_results
from tests.leaves import SAMPLE, small_run
from tests.tools.conftest import times
from tools import cross_validate as tool

CLASSES = ('RBC', 'WBC', 'Platelets')


def test_folds_go_on_after_an_interruption(
    run, interrupt, bccd_root, tmp_path, monkeypatch, capsys
):
    root = shutil.copytree(bccd_root, tmp_path / 'bccd')
    options = [
        option for option in small_run(SAMPLE, root) if '.indices=' not in option
    ]
    options += ['train_cfg.max_epochs=4', 'train_cfg.val_interval=4']
    options.append('optim_wrapper.optimizer.lr=0.004')
    arguments = [str(SAMPLE), '--folds', '2', '--cfg-options', *options]
    work_dir = tmp_path / 'work_dirs' / SAMPLE.stem
    interrupt('cross_validate.py', arguments, 'fold_0: trained and tested')
    first = times(work_dir / 'fold_0')
    assert not (work_dir / 'cross_validation.json').exists()

    done = run('cross_validate.py', *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert lines[1] == 'done before: fold_0'
    assert 'fold_0: trained' not in done.stdout
    assert 'fold_1: trained and tested' in done.stdout
    assert times(work_dir / 'fold_0') == first

    names = [
        set((root / f'ImageSets/Main/fold_{fold}/val.txt').read_text().split())
        for fold in (0, 1)
    ]
    results = read_results(str(work_dir / 'out_of_fold.pkl'), CLASSES)
    keys = [image.key for image in results.images]
    assert set(keys[:6]) == names[0]
    assert set(keys[6:]) == names[1]
    assert len(names[0] | names[1]) == 12

    report = json.loads((work_dir / 'cross_validation.json').read_text())
    metrics = {(m['name'], m['class']): m for m in report['metrics']}
    for fold in (0, 1):
        # What the stock test said of the images that the fold holds out.
        (path,) = (work_dir / f'fold_{fold}/held_out').glob('*/*.json')
        stock = json.loads(path.read_text())
        for of in (None, *CLASSES):
            said = stock['pascal_voc/AP50' + (f'_{of}' if of else '')]
            found = metrics['area-AP50', of]['folds'][fold]
            assert found == pytest.approx(said, abs=2e-6)
    mean = sum(metrics['area-AP50', None]['folds']) / 2
    assert metrics['area-AP50', None]['mean'] == pytest.approx(mean, abs=2e-6)
    assert mean > 0
    assert (work_dir / 'cross_validation.md').read_text().startswith('# Cross-val')

    weights = (work_dir / 'fold_1/epoch_4.pth').stat().st_mtime_ns
    done = run('cross_validate.py', *arguments[:1], '--predict', *arguments[1:])
    assert done.returncode == 0, done.stderr[-3000:]
    for fold in (0, 1):
        assert f'fold_{fold}: test set predicted (' in done.stdout
    assert 'Ensemble of the folds on the test set: ' in done.stdout
    assert (work_dir / 'fold_1/epoch_4.pth').stat().st_mtime_ns == weights
    results = read_results(str(work_dir / 'test_set_predictions.pkl'), CLASSES)
    assert {image.key for image in results.images} == {f'test_{n:04}' for n in range(4)}

    monkeypatch.chdir(tmp_path)
    assert tool.main([*arguments, 'optim_wrapper.optimizer.lr=0.5']) == 1
    error = capsys.readouterr().err
    assert 'optim_wrapper.optimizer.lr was 0.004 and is 0.5' in error
    assert tool.main([*arguments, 'fold=1']) == 1
    assert 'cross-validation sets the fold itself' in capsys.readouterr().err
