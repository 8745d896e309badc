"""docs/another_model.md shows lines of the leaves that it names."""

import re

import pytest

from tests.leaves import LEAVES, ROOT

PAGE = ROOT / 'docs/another_model.md'
SHOWN = re.findall(
    r'\]\(\.\./(configs/\S+?\.py)\)[^#]*?```python\n(.*?)```',
    PAGE.read_text(),
    re.DOTALL,
)


@pytest.mark.parametrize(('leaf', 'lines'), SHOWN, ids=[leaf for leaf, _ in SHOWN])
def test_the_page_shows_the_leaf_as_it_is(leaf, lines):
    assert ROOT / leaf in LEAVES
    assert lines in (ROOT / leaf).read_text()


def test_each_kind_of_model_is_shown():
    assert [leaf.split('/')[2].partition('_')[0] for leaf, _ in SHOWN] == [
        'faster-rcnn',
        'cascade-rcnn',
        'atss',
        'dino-4scale',
    ]
    for path in re.findall(r'\]\(([^)]+)\)', PAGE.read_text()):
        assert (PAGE.parent / path).exists(), path
