"""Several configs: their commands, their comparison, and what is refused.

What is kept and gone on with is tested in ``test_campaign.py``.
"""

import shutil
import sys
from types import SimpleNamespace

import pytest

from custom_datasets.errors import UserError
from custom_datasets.runs import train_all as module
from custom_datasets.runs.train_all import PAGE, TABLE, train_all
from tests.runs.drawn_runs import classified, write_run

# Stand-ins for both commands: they take over what was drawn for a config, and fail
# where a file says with which words.
COMMAND = """
import shutil, sys
from pathlib import Path
here = Path(__file__).parent
name = Path(sys.argv[1]).stem
if sys.argv[0].endswith('train.py'):
    folder = Path(sys.argv[sys.argv.index('--work-dir') + 1])
    shutil.copytree(here / 'drawn' / name, folder, dirs_exist_ok=True)
    (folder / 'test_predictions.pkl').unlink()
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_3.pth'))
else:
    folder = Path(sys.argv[2]).parent
    shutil.copy(here / 'drawn' / name / 'test_predictions.pkl', folder)
with open(here / 'calls', 'a') as file:
    print(Path(sys.argv[0]).stem, name, *sys.argv[2:], sep='|', file=file)
fails = here / f'{Path(sys.argv[0]).stem} {name} fails'
sys.exit(fails.read_text() if fails.is_file() else 0)
"""
RIGHT = {'a': [1, 1, 1, 1, 1, 0] * 4, 'b': [1, 1, 0, 1, 0, 0] * 4, 'c': [1] * 24}


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """Three configs, and commands that draw what a training would leave."""
    for name in ('train', 'report'):
        (tmp_path / f'{name}.py').write_text(COMMAND)
    for name, right in RIGHT.items():
        (tmp_path / f'{name}.py').write_text('train_cfg = dict(max_epochs=3)\nlr = 1')
        write_run(tmp_path / 'drawn' / name, classified(right))
    monkeypatch.setattr(
        module,
        'tool_command',
        lambda name: (sys.executable, str(tmp_path / name.rpartition('/')[2])),
    )
    monkeypatch.chdir(tmp_path)
    return ['a.py', 'b.py', 'c.py']


def run(configs, *options, **more):
    said, steps = [], []
    text = train_all(
        configs,
        options=options,
        work_dir='out',
        say=said.append,
        progress=lambda done, total: steps.append((done, total)),
        **more,
    )
    return text, said, steps


def calls(folder):
    """Return the commands since the last question."""
    path = folder / 'calls'
    lines = path.read_text().splitlines() if path.is_file() else []
    path.unlink(missing_ok=True)
    return [tuple(line.split('|')) for line in lines]


def test_all_are_trained_tested_and_compared(configs, tmp_path):
    text, said, steps = run(configs, 'lr=2', 'x.y=z')
    options = ('--cfg-options', 'lr=2', 'x.y=z')
    expected = []
    for name in RIGHT:
        expected.append(('train', name, '--work-dir', f'out/{name}', *options))
        expected.append(('report', name, f'out/{name}/epoch_3.pth', *options))
    assert calls(tmp_path) == expected
    # One begins before the end of the last is said.
    assert [line for line in said if 'training' in line] == [
        f'{name}: training, log: out/{name}/console.log' for name in RIGHT
    ]
    assert [line for line in said if 'training' not in line] == [
        f'{name}: trained and tested (out/{name})' for name in RIGHT
    ]
    assert steps[-1] == (9, 9)
    table = (tmp_path / 'out' / TABLE).read_text()
    ranks = next(line for line in table.splitlines() if 'rank by top-1' in line)
    assert [cell.strip() for cell in ranks.split('|')[2:5]] == ['2', '3', '1']
    assert '0.833' in table and '0.500' in table
    assert text.endswith(f'written: out/{PAGE}, out/{TABLE}')
    assert (tmp_path / 'out' / PAGE).is_file()


def test_trust_is_passed_on(configs, tmp_path):
    run(configs[:1], 'lr=2', trust=True)
    trained, tested = calls(tmp_path)
    assert trained[4:] == tested[3:] == ('--trust', '--cfg-options', 'lr=2')


def test_one_that_fails_leaves_the_others(configs, tmp_path):
    (tmp_path / 'drawn/b/run.json').unlink()
    (tmp_path / 'train b fails').write_text('first this\nerror: no such image')
    with pytest.raises(UserError) as caught:
        run(configs)
    text = str(caught.value)
    assert text.startswith('1 of 3 failed\n\nb: ended with status 1: ')
    assert '\n  error: no such image\n' in text
    assert 'rank by top-1' in text
    assert '- b failed: error: no such image\n' in text
    assert (
        '- b failed: error: no such image\n' in (tmp_path / 'out' / TABLE).read_text()
    )
    assert ('report', 'c', 'out/c/epoch_3.pth') in calls(tmp_path)


def test_fewer_than_two_are_not_compared(configs, tmp_path):
    text, _, _ = run(configs[:1])
    assert text == 'Fewer than two runs to compare.'
    assert not (tmp_path / 'out' / PAGE).exists()


def test_runs_that_cannot_be_compared(configs, tmp_path):
    (tmp_path / 'drawn/b/run.json').write_text('{}')
    text, _, _ = run(configs)
    assert text.startswith('The runs cannot be compared: out/b/run.json: its format')


def test_other_settings_and_lists_of_images_are_not_gone_on_with(
    configs, tmp_path, monkeypatch
):
    run(configs[:2])
    with pytest.raises(UserError, match=r'out/a: holds .* lr was 1 and is 3; give'):
        run(['c.py', 'a.py'], 'lr=3')
    (tmp_path / 'train.txt').write_text('a.png\ta\n')
    sources = [SimpleNamespace(ann_file='train.txt'), SimpleNamespace(ann_file='no')]
    monkeypatch.setattr(module, 'find_sources', lambda cfg: (sources, []))
    with pytest.raises(UserError, match=r'out/a: .* the lists of images have changed'):
        run(configs[:2])


def test_two_of_one_name(configs, tmp_path):
    (tmp_path / 'other').mkdir()
    shutil.copy('a.py', 'other/a.py')
    with pytest.raises(UserError, match='a: two configs have this name'):
        run(['a.py', 'other/a.py'])


def test_a_config_that_is_not_there_starts_nothing(configs, tmp_path):
    with pytest.raises(UserError, match=r'nowhere\.py: no such config'):
        run(['a.py', 'nowhere.py'])
    assert calls(tmp_path) == []
