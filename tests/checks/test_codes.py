"""The catalogue of findings: complete, used, and the page that follows from it."""

import ast
import re
from pathlib import Path

import pytest

from custom_datasets.checks.codes import CODES, TOPICS, find, page
from custom_datasets.data.problems import SEVERITIES, TOLERATED

ROOT = Path(__file__).resolve().parents[2]
CALLS = ('find', '_find', 'Remark', 'Problem', 'SourceProblem', 'report')


@pytest.fixture(scope='module')
def source():
    """The syntax of each module that may name a code."""
    folders = [ROOT / 'custom_datasets' / room for room in ('data', 'checks')]
    paths = [path for folder in folders for path in folder.glob('*.py')]
    return [ast.parse(p.read_text('utf-8')) for p in paths if p.name != 'codes.py']


def test_every_code_of_the_catalogue_is_used(source):
    texts = {
        node.value
        for tree in source
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(CODES) <= texts


def test_every_code_that_is_used_is_in_the_catalogue(source):
    calls = [
        node
        for tree in source
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') in CALLS
    ]
    codes = {
        argument.value
        for call in calls
        for argument in call.args
        if isinstance(argument, ast.Constant)
        and re.fullmatch('[a-z]+(-[a-z]+)*', str(argument.value))
    }
    assert len(codes) > 50
    assert codes | TOLERATED <= set(CODES)


def test_the_page_of_findings_is_current():
    assert (ROOT / 'docs/findings.md').read_text(encoding='utf-8') == page(), (
        'python -m custom_datasets.checks.codes > docs/findings.md'
    )


def test_each_code_is_in_one_topic_with_severities_and_a_sentence():
    assert sum(map(len, TOPICS.values())) == len(CODES)
    for code in CODES.values():
        severities = {code.severity, *(case.severity for case in code.cases.values())}
        assert severities <= set(SEVERITIES)
        assert code.meaning.endswith('.')


def test_a_finding_takes_severity_and_hint_from_the_catalogue():
    usual = find('clipped-box', 'it is too wide', split='val', file='a.xml', object=1)
    assert (usual.severity, usual.split, usual.object) == ('warning', 'val', 1)
    assert usual.hint == CODES['clipped-box'].hint
    slight = find('clipped-box', 'it is too wide', case='by at most 2 px')
    assert (slight.severity, slight.hint) == ('note', 'it is clipped; nothing to do')
    held_out = find('class-balance', '', case='4 to 10 times')
    assert held_out.hint == CODES['class-balance'].hint
    assert find('class-balance', '', hint='this').hint == 'this'
    with pytest.raises(KeyError):
        find('no-such-code', '')
