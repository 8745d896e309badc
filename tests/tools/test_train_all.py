"""Two networks on drawn crops: trained, interrupted, gone on with, compared."""

from custom_datasets.samples.boxes import METAL_CLASSES
from custom_datasets.training.record import read_run
from tests.leaves import LEAVES, small_run
from tests.tools.conftest import times
from tools import train_all as tool

LIGHT = [
    leaf
    for leaf in LEAVES
    if leaf.parent.name == 'metal_surface' and '_light_' in leaf.name
    if leaf.name.startswith(('alexnet', 'resnet18'))
]


def test_goes_on_after_an_interruption(
    interrupt, metal_crops, tmp_path, monkeypatch, capsys
):
    # With every crop: what a report is made of is not the two of a small run.
    options = [
        option
        for option in small_run(LIGHT[0], metal_crops, size=64)
        if '.indices=' not in option and '.batch_size=' not in option
    ]
    options.append(f'classes={",".join(METAL_CLASSES)}')
    arguments = [*map(str, LIGHT), '--cfg-options', *options]
    first, second = (tmp_path / 'work_dirs/train_all' / leaf.stem for leaf in LIGHT)
    interrupt('train_all.py', arguments, f'{first.name}: trained and tested')
    written = times(first)
    assert not (second / 'test_predictions.pkl').exists()

    monkeypatch.chdir(tmp_path)
    assert tool.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f'done before: {first.name}' in lines
    done = [line for line in lines if ': trained and tested' in line]
    assert done == [
        f'{second.name}: trained and tested ({second.relative_to(tmp_path)})'
    ]
    assert times(first) == written
    for folder in (first, second):
        assert read_run(str(folder), whole=True).content['status'] == 'finished'
        for name in ('test_predictions.pkl', 'val_predictions.pkl', 'report.html'):
            assert (folder / name).is_file()
    table = (tmp_path / 'work_dirs/train_all/compare.md').read_text()
    assert '| test top-1 ' in table
    assert first.name in table and second.name in table

    assert tool.main([*arguments, 'optim_wrapper.optimizer.lr=0.5']) == 1
    said = capsys.readouterr().err
    assert 'training with other settings: optim_wrapper.optimizer.lr was' in said
