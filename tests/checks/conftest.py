import pytest

from custom_datasets.data.image_facts import read_image_facts


@pytest.fixture
def in_this_process(monkeypatch):
    """Read images here: worker processes take longer to start than such tests."""

    def scan(paths, progress, cache):
        return {path: read_image_facts(path) for path in paths}

    monkeypatch.setattr('custom_datasets.checks.check.scan_images', scan)
