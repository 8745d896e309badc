"""The competition's day: the five commands of the README, on a small drawn set.

What the folds start are processes; here they run in this one, since each would
take ten seconds to load mmdet.
"""

import csv
import importlib
import json
import pickle
import subprocess
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmdet.evaluation.functional import mean_ap

from custom_datasets.runs import jobs
from custom_datasets.samples.boxes import draw_recycling
from tests.leaves import ROOT, small_run
from tests.test_readme import COMMANDS

SIDE = 96
PAGE = 'configs/recycling/README.md: '
DAY = [words for name, words in COMMANDS.items() if name.startswith(PAGE)][:5]


class InThisProcess:
    """Stands in for ``subprocess.Popen``."""

    started: list[list[str]] = []

    def __init__(self, command, **options):
        _, tool, *arguments = command
        self.started.append([Path(tool).name, *arguments])
        self.status = importlib.import_module(f'tools.{Path(tool).stem}').main(
            arguments
        )

    def wait(self):
        return self.status


@pytest.fixture
def started(monkeypatch):
    """What was started: the tool and its arguments."""
    stand_in = SimpleNamespace(
        Popen=InThisProcess, DEVNULL=subprocess.DEVNULL, STDOUT=subprocess.STDOUT
    )
    monkeypatch.setattr(jobs, 'subprocess', stand_in)
    monkeypatch.setattr(InThisProcess, 'started', [])
    # Processes forked by an evaluation would hold the lock of the folder.
    monkeypatch.setattr(mean_ap, 'Pool', ThreadPool)
    return InThisProcess.started


def run(words, data):
    """Run a command of the README with two folds, and small."""
    tool, *arguments = words
    arguments = ['2' if word == '5' else word for word in arguments]
    if 'cross_validate' in tool:
        leaf = ROOT / arguments[0]
        options = [one for one in small_run(leaf, data) if '.indices=' not in one]
        options.append('train_cfg.val_begin=2')
        arguments = [str(leaf), *arguments[1:], '--cfg-options', *options]
    command = importlib.import_module(tool.removesuffix('.py').replace('/', '.'))
    return command.main(arguments)


def test_the_five_commands(tmp_path, monkeypatch, started, capsys):
    monkeypatch.chdir(tmp_path)
    data = Path('data/recycling')
    draw_recycling(str(data), {'train': 40, 'test': 6}, (SIDE, SIDE))
    tools = [Path(words[0]).stem for words in DAY]
    assert tools == ['split', *['cross_validate'] * 2, 'ensemble', 'submit']

    split, *cross_validations, ensemble, submit = DAY
    assert run(split, data) == 0
    held_out = [images(data / f'annotations/fold_{fold}/val.json') for fold in (0, 1)]
    assert sorted(held_out[0] + held_out[1]) == [
        f'train/{n:04d}.jpg' for n in range(40)
    ]
    for names in held_out:
        numbers = {int(Path(name).stem) for name in names}
        assert len(numbers) == 20
        assert numbers == {n ^ 1 for n in numbers}, 'a scene is in two folds'

    for words in cross_validations:
        assert run(words, data) == 0
        work_dir = Path('work_dirs', Path(words[1]).stem)
        out_of_fold = read(work_dir / 'out_of_fold.pkl')
        assert [one['img_id'] for one in out_of_fold[:20]] == held_out[0]
        assert [one['img_id'] for one in out_of_fold[20:]] == held_out[1]
        report = json.loads((work_dir / 'cross_validation.json').read_text())
        assert report['metrics'][0]['name'] == 'area-AP50'
        assert report['metrics'][0]['out_of_fold']['value'] is not None
        for folder in (work_dir / 'fold_0', work_dir / 'fold_1', work_dir):
            predicted = read(folder / 'test_set_predictions.pkl')
            paths = [f'{data}/test/{n:04d}.jpg' for n in range(6)]
            assert [one['img_path'] for one in predicted] == paths
        (log,) = (work_dir / 'fold_0/test_set').glob('*/*.log')
        assert 'nothing is annotated on these 6 images' in log.read_text()
    assert [words[0] for words in started] == ['train.py', 'test.py', 'test.py'] * 4

    assert run(ensemble, data) == 0
    assert 'validation, searched on: 40 images' in capsys.readouterr().out
    assert run(submit, data) == 0
    with open('work_dirs/submission.csv', newline='') as file:
        header, *rows = csv.reader(file)
    assert header == ['PredictionString', 'image_id']
    assert [name for _, name in rows] == [f'test/{n:04d}.jpg' for n in range(6)]
    fused = read(Path('work_dirs/recycling.pkl'))
    assert sum(len(one['pred_instances']['scores']) for one in fused) > 0
    for (text, _), one in zip(rows, fused, strict=True):
        numbers = [float(word) for word in text.split()]
        assert len(numbers) == 6 * len(one['pred_instances']['scores'])
        for label, score, x1, y1, x2, y2 in zip(*[iter(numbers)] * 6, strict=True):
            assert label in range(10) and 0 <= score <= 1
            assert 0 <= x1 < x2 <= SIDE and 0 <= y1 < y2 <= SIDE

    # A second time, only what is missing is done.
    started.clear()
    last = cross_validations[-1]
    (
        Path('work_dirs') / Path(last[1]).stem / 'fold_1/test_set_predictions.pkl'
    ).unlink()
    assert run(last, data) == 0
    assert [words[0] for words in started] == ['test.py']
    said = capsys.readouterr().out
    assert 'done before: fold_0\n' in said
    assert 'fold_1: test set predicted' in said


def images(path):
    return [one['file_name'] for one in json.loads(path.read_text())['images']]


def read(path):
    with open(path, 'rb') as file:
        return pickle.load(file)
