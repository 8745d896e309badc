"""Findings as text."""

from custom_datasets.checks.report import format_findings, summary
from custom_datasets.data.problems import Finding

NOTE = Finding(code='device', severity='note', message='a GPU')
ERRORS = [
    Finding(
        code='unknown-class',
        severity='error',
        message=f'unknown {index}',
        hint='rename it',
        split='train',
        file='/d/a.xml',
        object=index,
    )
    for index in range(4)
]


def test_the_most_severe_come_first_and_places_are_counted():
    assert format_findings([NOTE, *ERRORS], shown=2) == (
        'errors\n\n'
        '  unknown-class  4 places\n'
        '    train /d/a.xml, object 0: unknown 0\n'
        '    train /d/a.xml, object 1: unknown 1\n'
        '    ... and 2 more\n'
        '    -> rename it\n\n'
        'notes\n\n'
        '  device\n'
        '    a GPU\n'
    )


def test_hints_that_differ_stay_with_their_place():
    other = Finding(code='unknown-class', severity='error', message='m', hint='other')
    text = format_findings([ERRORS[0], other])
    assert text.index('-> rename it') < text.index('    m\n') < text.index('-> other')


def test_files_below_the_folder_are_relative(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    inside = Finding(code='c', severity='note', message='m', file=f'{tmp_path}/d/a.xml')
    assert '    d/a.xml: m' in format_findings([inside])


def test_summary_counts():
    assert summary([NOTE, *ERRORS]) == '4 errors, 0 warnings, 1 note'
