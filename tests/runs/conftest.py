"""Runs on disk whose predictions are right on images that a test names."""

import pytest

from tests.runs.drawn_runs import GOOD, POOR, classified, write_run


@pytest.fixture
def make(tmp_path):
    """Write a run that is right on some of its images; returns its folder."""

    def write(name, right=GOOD, **changes):
        samples = None if right is None else classified(right)
        return str(write_run(tmp_path / name, samples, **changes))

    return write


@pytest.fixture
def folders(make):
    """A poor run, a better one, and one that was not tested."""
    untested = {'git': {}, 'speed': {}, 'best': None, 'wall_seconds': None}
    return [make('poor', POOR), make('good', lr=0.05), make('new', None, **untested)]
