"""The table of runs in each form, and the page."""

import csv
import io

import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.runs.compare import compare, comparison_page
from custom_datasets.runs.comparison import read_comparison
from custom_datasets.runs.settings_diff import differences
from custom_datasets.runs.tables import as_csv, as_markdown, as_text
from tests.pages.parsing import Page
from tests.runs.drawn_runs import RECORD, classified, detected, write_run

BOX = (10, 10, 30, 30)
GOOD = np.arange(60) % 10 != 0


@pytest.fixture
def folders(tmp_path):
    """A poor run, a better one, and one that was not tested."""
    return [
        str(write_run(tmp_path / 'poor', classified(np.arange(60) % 2 == 0))),
        str(write_run(tmp_path / 'good', classified(GOOD), lr=0.05)),
        str(
            write_run(tmp_path / 'new', git={}, speed={}, best=None, wall_seconds=None)
        ),
    ]


def read(folders):
    comparison = read_comparison(folders)
    return comparison, differences([run.settings for run in comparison.runs])


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
    first, classes, settings = cells(as_markdown(*read(folders)))
    assert first[0] == ['', 'poor', 'good', 'new']
    facts = {row[0]: row[1:] for row in first[1:]}
    assert facts['rank by top-1'] == ['2', '1', '-']
    assert [cell[:6] for cell in facts['test top-1']] == ['0.500 ', '0.900 ', '-']
    assert facts['less that of poor'][0] == '-'
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


def test_batches_of_several_gpus_and_steps(tmp_path):
    batch = {'images': 4, 'ranks': 2, 'accumulated': 3, 'total': 24}
    folders = [str(write_run(tmp_path / name, batch=batch)) for name in 'ab']
    assert '24 (2 GPUs, 3 steps)' in as_markdown(*read(folders))


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
    comparison, found = read(folders)
    text = as_text(comparison, found)
    table = text[: text.index('\n- ')].splitlines()
    assert max(map(len, table)) <= 80
    assert 'good is 0.400 higher in top-1 than poor' in text
    assert '6 other settings are the same.' in text


def test_many_settings_are_counted_in_a_terminal(folders):
    comparison, found = read(folders)
    rows = {f'key.{index}': ('1', '2', '3') for index in range(34)}
    text = as_text(comparison, found._replace(rows=rows))
    assert 'key.29 ' in text
    assert 'key.30 ' not in text
    assert '4 more settings differ.' in text
    assert '| key.33' in as_markdown(comparison, found._replace(rows=rows))


def test_a_class_that_the_test_set_lacks(tmp_path):
    samples = detected([[(0, BOX)]] * 3, [[(0, BOX, 0.9)]] * 3)
    folders = [str(write_run(tmp_path / name, samples)) for name in 'ab']
    comparison, found = read(folders)
    rows = {row[0]: row[1:] for row in cells(as_markdown(comparison, found))[1]}
    assert rows['area-AP50 cat'] == ['1.000 (1.000 to 1.000)'] * 2
    assert rows['area-AP50 dog'] == ['-', '-']
    (row, _) = csv.DictReader(io.StringIO(as_csv(comparison)))
    assert row['area-AP50 dog'] == ''


def test_the_page_draws_each_run_and_fetches_nothing(folders):
    page = Page(comparison_page(*read(folders)))
    assert page.outside == []
    names = [attributes.get('class') for tag, attributes in page.tags if tag == 'g']
    # A loss curve a run; on validation the run without a best metric has values too.
    assert [name for name in names if name in ('curve c0', 'curve c1', 'curve c2')] == [
        'curve c0',
        'curve c1',
        'curve c2',
    ] * 2
    assert 'good is 0.400 higher in top-1 than poor' in page.text
    assert 'optim_wrapper.optimizer.lr' in page.text


def test_names_are_escaped(tmp_path):
    odd = '<b>&|'
    folders = [
        str(write_run(tmp_path / name, classified(GOOD))) for name in (odd, 'plain')
    ]
    page = Page(comparison_page(*read(folders)))
    assert odd in page.text
    assert '<b>&\\|' in as_markdown(*read(folders))


def test_a_peak_does_not_flatten_the_loss(tmp_path):
    epochs = [dict(each) for each in RECORD['epochs']]
    epochs[0] = {**epochs[0], 'losses': {'loss': 1e6}}
    folders = [str(write_run(tmp_path / name, epochs=epochs)) for name in 'ab']
    page = Page(comparison_page(*read(folders)))
    assert 'What lies above 4 is not drawn.' in page.text


def test_one_run_that_counts_iterations_makes_all_do_so(tmp_path):
    epochs = [{**each, 'epoch': None} for each in RECORD['epochs']]
    folders = [str(write_run(tmp_path / 'a'))]
    by_epoch = Page(comparison_page(*read([*folders, str(write_run(tmp_path / 'b'))])))
    folders.append(str(write_run(tmp_path / 'c', epochs=epochs)))
    by_step = Page(comparison_page(*read(folders)))
    assert 'iteration' in by_step.text
    assert 'iteration' not in by_epoch.text


def test_all_files_are_written(folders, tmp_path):
    paths = [str(tmp_path / 'out' / name) for name in ('c.html', 'c.md', 'c.csv')]
    text = compare(folders, *paths)
    assert text.endswith(f'written: {", ".join(paths)}')
    contents = [open(path, encoding='utf-8').read() for path in paths]
    assert contents[0].startswith('<!DOCTYPE html>')
    assert contents[1].startswith('| ')
    assert contents[2].startswith('run,folder,rank,')


def test_one_run_alone(folders):
    with pytest.raises(UserError, match='name two or more'):
        compare(folders[:1])
