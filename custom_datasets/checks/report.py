"""Findings as text: by severity, with the first places of each kind."""

from collections.abc import Sequence

from custom_datasets.data.problems import SEVERITIES, Finding, by_severity
from custom_datasets.files import short_path
from custom_datasets.text import counted

SHOWN = 5
"""Places that the text shows of each kind of finding."""


def format_findings(findings: Sequence[Finding], shown: int = SHOWN) -> str:
    """Draw findings grouped by severity and kind, most severe first.

    ``shown`` places of each kind are listed; the others are counted.
    """
    lines: list[str] = []
    for severity, codes in by_severity(findings).items():
        lines += [f'{severity}s', '']
        for code, group in codes.items():
            lines += [*_group(code, group, shown), '']
    return '\n'.join(lines)


def errors(findings: Sequence[Finding]) -> list[Finding]:
    """Return those that ruin a run."""
    return [finding for finding in findings if finding.severity == 'error']


def summary(findings: Sequence[Finding]) -> str:
    """Count the findings of each severity in one line."""
    counts = [sum(f.severity == name for f in findings) for name in SEVERITIES]
    return ', '.join(
        counted(count, f'{name}s')
        for name, count in zip(SEVERITIES, counts, strict=True)
    )


def _group(code: str, group: Sequence[Finding], shown: int) -> list[str]:
    count = f'{len(group)} places' if len(group) > 1 else ''
    hint = group[0].hint if len({finding.hint for finding in group}) == 1 else ''
    lines = [f'  {code}  {count}'.rstrip()]
    for finding in group[:shown]:
        lines.append(f'    {_place(finding)}{finding.message}')
        if finding.hint and not hint:
            lines.append(f'      -> {finding.hint}')
    if len(group) > shown:
        lines.append(f'    ... and {len(group) - shown} more')
    if hint:
        lines.append(f'    -> {hint}')
    return lines


def _place(finding: Finding) -> str:
    place = f'{finding.split} ' if finding.split else ''
    if finding.file:
        place += short_path(finding.file)
        if finding.object is not None:
            place += f', object {finding.object}'
        return f'{place}: '
    return place and f'{place.strip()}: '
