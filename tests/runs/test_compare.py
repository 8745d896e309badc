"""The page of a comparison, and the files that are written."""

import pickle
import re

import pytest

from custom_datasets.errors import UserError
from custom_datasets.runs.compare import compare
from tests.pages.parsing import Page
from tests.runs.drawn_runs import GOOD, POOR, RECORD, classified


@pytest.fixture
def write(tmp_path):
    """Compare runs; returns the page as a reader sees it."""

    def page(folders):
        path = tmp_path / 'out' / 'page.html'
        compare(folders, str(path))
        return Page(path.read_text(encoding='utf-8'))

    return page


def epochs(**changes):
    return [{**entry, **changes} for entry in RECORD['epochs']]


def test_the_page_draws_each_run_and_fetches_nothing(folders, write):
    page = write(folders)
    assert page.outside == []
    styles = [attributes.get('class') for attributes in page.all('g', 'curve')]
    # On validation the run without a best metric has values too.
    assert styles == ['curve c0', 'curve c1', 'curve c2'] * 2
    assert 'good is 0.400 higher in top-1 than poor' in page.text
    assert 'optim_wrapper.optimizer.lr' in page.text


def test_metrics_and_differences_are_drawn_as_bars(folders, write):
    page = write(folders)
    # Top-1, balanced accuracy and macro F1, and F1 of two classes, of two runs.
    assert len(page.all('i', 'interval')) == (3 + 2) * 2
    differences = page.all('i', 'difference')
    assert len(differences) == 3 + 5
    assert all('told' in bar['class'] for bar in differences)
    ends = [
        float(value)
        for bar in differences
        for value in re.findall(r'--(?:low|high): ([-\d.]+)', bar['style'])
    ]
    assert min(ends) > 0 and max(ends) == 1


def test_a_difference_that_is_noise_has_no_colour(make, write):
    page = write([make('a'), make('b', GOOD[::-1])])
    bars = page.all('i', 'difference')
    assert bars and not any('told' in bar['class'] for bar in bars)


def test_what_lies_in_the_folders_of_runs_is_linked(folders, write, tmp_path):
    (tmp_path / 'good' / 'report.html').touch()
    (tmp_path / 'good' / 'run.md').touch()
    (tmp_path / 'poor' / '20260101_000000' / 'painted').mkdir(parents=True)
    assert sorted(write(folders).links) == [
        '../good/report.html',
        '../good/run.md',
        '../poor/20260101_000000/painted/',
    ]


def test_names_are_escaped(make, write):
    page = write([make('<b>&|'), make('plain')])
    assert '<b>&|' in page.text


def test_a_peak_does_not_flatten_the_loss(make, write):
    first, *others = epochs()
    peak = [{**first, 'losses': {'loss': 1e6}}, *others]
    page = write([make('a', epochs=peak), make('b', epochs=peak)])
    assert 'What lies above 4 is not drawn.' in page.text


def test_one_run_that_counts_iterations_makes_all_do_so(make, write):
    folders = [make('a'), make('b')]
    assert 'iteration' not in write(folders).text
    assert 'iteration' in write([*folders, make('c', epochs=epochs(epoch=None))]).text


def test_files_of_predictions_have_no_settings(tmp_path, write):
    paths = [tmp_path / 'a.pkl', tmp_path / 'b.pkl']
    for path, right in zip(paths, (POOR, GOOD), strict=True):
        path.write_bytes(pickle.dumps(classified(right)))
    page = write(list(map(str, paths)))
    assert 'b.pkl is 0.400 higher in top-1 than a.pkl' in page.text
    assert 'The settings of no run are known.' in page.text


def test_all_files_are_written(folders, tmp_path):
    paths = [str(tmp_path / 'out' / name) for name in ('c.html', 'c.md', 'c.csv')]
    text = compare(folders, *paths)
    assert text.endswith(f'written: {", ".join(paths)}')
    contents = [open(path, encoding='utf-8').read() for path in paths]
    assert contents[0].startswith('<!DOCTYPE html>')
    assert contents[1].startswith('| ')
    assert contents[2].startswith('run,folder,rank,')


@pytest.mark.parametrize('place', range(3), ids=['page', 'markdown', 'csv'])
def test_what_is_no_page_or_table_is_not_replaced(folders, tmp_path, place):
    predictions = tmp_path / 'a.pkl'
    predictions.write_bytes(b'years of work')
    paths = [str(tmp_path / 'out' / name) for name in ('c.html', 'c.md', 'c.csv')]
    paths[place] = str(predictions)
    with pytest.raises(UserError, match=r'a\.pkl: is not written'):
        compare(folders, *paths)
    assert predictions.read_bytes() == b'years of work'
    assert not (tmp_path / 'out').exists()


def test_one_run_alone(folders):
    with pytest.raises(UserError, match='only one run; name at least two'):
        compare(folders[:1])
