"""The tables of a comparison in each form."""

import csv
import io

import pytest

from custom_datasets.runs.comparison import read_comparison
from custom_datasets.runs.tables import as_csv, as_markdown, as_text, build_tables
from tests.runs.drawn_runs import POOR, RECORD, classified, detected, write_run

BOX = (10, 10, 30, 30)


def read(folders):
    comparison = read_comparison(folders)
    return comparison, build_tables(comparison)


def cells(markdown):
    """Read the tables of Markdown: for each its rows."""
    tables, rows = [], []
    for line in [*markdown.splitlines(), '']:
        if line.startswith('|'):
            rows.append([cell.strip() for cell in line.strip('|').split('|')])
        elif rows:
            tables.append([rows[0], *rows[2:]])
            rows = []
    return tables


def test_markdown(folders):
    first, classes, settings = cells(as_markdown(read(folders)[1]))
    assert first[0] == ['', 'poor', 'good', 'new']
    facts = {row[0]: row[1:] for row in first[1:]}
    assert facts['rank by top-1'] == ['2', '1', '-']
    assert [cell[:6] for cell in facts['test top-1']] == ['0.500 ', '0.900 ', '-']
    # The last of three rows of that name: macro F1.
    assert facts['difference to poor'][::2] == ['-', '-']
    assert facts['best on validation'] == ['accuracy/top1 80.5'] * 2 + ['-']
    assert facts['best epoch'] == ['2 of 3', '2 of 3', '-']
    assert facts['learning rate'] == ['0.1', '0.05', '0.1']
    assert facts['batch'] == ['4'] * 3
    assert facts['parameters'] == ['19.82 M'] * 3
    assert facts['wall time'] == ['9 min 36 s'] * 2 + ['-']
    assert facts['images/s'] == ['9.1', '9.1', '-']
    assert facts['peak memory'] == ['2.10 GB', '2.10 GB', '-']
    assert facts['commit'] == ['6ad5f96 and changes'] * 2 + ['-']
    assert classes[0] == ['', 'poor', 'good']
    assert [row[0] for row in classes[1:]] == ['F1 cat', 'F1 dog']
    assert settings == [
        ['', 'poor', 'good', 'new'],
        ['optim_wrapper.optimizer.lr', '0.1', '0.05', '0.1'],
    ]


@pytest.mark.parametrize(
    ('scopes', 'equal'),
    [
        (['mmdet', 'mmdet'], 'All 7 settings are the same.'),
        (
            ['mmdet', 'mmpretrain'],
            'The runs are of different tasks, so their settings are not compared.',
        ),
        (['mmdet', None], 'Only the settings of a are known.'),
        ([None, None], 'The settings of no run are known.'),
    ],
)
def test_only_settings_of_one_task_are_compared(tmp_path, scopes, equal):
    folders = []
    for name, scope in zip('ab', scopes, strict=True):
        config = {**RECORD['config'], 'scope': scope}
        lr = 0.5 if scope == 'mmpretrain' else 0.1
        folder = write_run(tmp_path / name, classified(POOR), lr=lr, config=config)
        folders.append(str(folder / 'test_predictions.pkl' if not scope else folder))
    tables = build_tables(read_comparison(folders))
    assert (tables.settings, tables.equal) == ([], equal)


def test_batches_of_several_gpus_and_steps(tmp_path):
    batch = {'images': 4, 'ranks': 2, 'accumulated': 3, 'total': 24}
    folders = [str(write_run(tmp_path / name, batch=batch)) for name in 'ab']
    assert '24 (2 GPUs, 3 steps)' in as_markdown(read(folders)[1])


def test_csv_has_plain_numbers(folders):
    comparison, _ = read(folders)
    rows = list(csv.DictReader(io.StringIO(as_csv(comparison))))
    assert [row['run'] for row in rows] == ['poor', 'good', 'new']
    assert [row['folder'] for row in rows] == folders
    assert [row['rank'] for row in rows] == ['2', '1', '']
    good = comparison.runs[1]
    assert float(rows[1]['top-1']) == pytest.approx(0.9)
    low, high = (float(rows[1][f'top-1 {end}']) for end in ('low', 'high'))
    assert [low, high] == pytest.approx(good.measured.estimates()[0][1:], abs=1e-6)
    ends = [float(rows[1][f'top-1 {name}']) for name in ('difference', 'from', 'to')]
    assert ends == pytest.approx(good.against[0], abs=1e-6)
    assert rows[0]['top-1 difference'] == rows[2]['top-1'] == ''
    assert rows[0]['wall seconds'] == '576.2'
    assert rows[2]['wall seconds'] == ''
    assert rows[0]['parameters'] == '19823000'
    assert rows[0]['dirty'] == 'True'


def test_text_fits_a_terminal(folders, monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    text = as_text(read(folders)[1])
    table = text[: text.index('\n- ')].splitlines()
    assert max(map(len, table)) <= 80
    assert 'good is 0.400 higher in top-1 than poor' in text
    assert '6 other settings are the same.' in text


def test_many_settings_are_counted_in_a_terminal(folders):
    _, tables = read(folders)
    rows = [[f'key.{index}', '1', '2', '3'] for index in range(34)]
    tables = tables._replace(settings=[tables.settings[0], *rows])
    text = as_text(tables)
    assert 'key.29 ' in text
    assert 'key.30 ' not in text
    assert '4 more settings differ.' in text
    assert '| key.33' in as_markdown(tables)


def test_mean_and_deviation_over_seeds(make):
    _, tables = read([make('a', POOR), make('b', seed=1)])
    assert tables.seeds[:3] == [
        ['', 'net.py'],
        ['seeds', '0, 1'],
        ['test top-1', '0.700 ± 0.283'],
    ]
    assert cells(as_markdown(tables))[1][2] == ['test top-1', '0.700 ± 0.283']
    assert '0.700 ± 0.283' in as_text(tables)


def test_a_bar_in_a_name_does_not_split_a_cell(make):
    assert ' a\\|b |' in as_markdown(read([make('a|b'), make('c')])[1])


def test_a_class_that_the_test_set_lacks(tmp_path):
    samples = detected([[(0, BOX)]] * 3, [[(0, BOX, 0.9)]] * 3)
    folders = [str(write_run(tmp_path / name, samples)) for name in 'ab']
    comparison, tables = read(folders)
    rows = {row[0]: row[1:] for row in cells(as_markdown(tables))[1]}
    assert rows['area-AP50 cat'] == ['1.000 (1.000 to 1.000)'] * 2
    assert rows['area-AP50 dog'] == ['-', '-']
    (row, _) = csv.DictReader(io.StringIO(as_csv(comparison)))
    assert row['area-AP50 dog'] == ''
