import pytest

from tests.data.drawing import draw_voc


@pytest.fixture
def voc(tmp_path):
    """All that a VOC folder may have."""
    return draw_voc(tmp_path / 'voc')
