"""The part of the page that lists what the check found."""

import os
from collections.abc import Sequence

from custom_datasets.checking.finding import Finding, by_severity
from custom_datasets.reporting.gather import Report
from custom_datasets.reporting.layout import plural, section
from custom_datasets.reporting.markup import Html, clipped, element

MOST_PLACES = 40
"""Places of each kind of finding that the page has, where there are few kinds;
the rest are counted."""

_AT_ONCE = 3
_IN_ALL = 200
_MOST_KINDS = 60


def findings_section(report: Report) -> Html:
    """Write findings by severity and kind, the gravest first."""
    kinds = [
        (severity, code, found)
        for severity, codes in by_severity(report.findings).items()
        for code, found in codes.items()
    ][:_MOST_KINDS]
    most = min(MOST_PLACES, max(_AT_ONCE, _IN_ALL // max(len(kinds), 1)))
    groups = [_group(*kind, most) for kind in kinds]
    return section(
        'findings',
        'Findings',
        None if groups else element('p', 'The check has nothing to say.'),
        element('div', groups, class_='findings'),
        element(
            'p',
            'All of them: ',
            element('code', f'python tools/check.py {report.config} --json FILE'),
        ),
    )


def _group(severity: str, code: str, found: Sequence[Finding], most: int) -> Html:
    hints = {finding.hint for finding in found}
    hint = found[0].hint if len(hints) == 1 else ''
    places = [_place(finding, own_hint=not hint) for finding in found[:most]]
    count = plural(len(found), 'place') if len(found) > 1 else None
    more = None
    if len(places) > _AT_ONCE:
        rest = len(found) - most
        more = element(
            'details',
            element('summary', f'{len(places) - _AT_ONCE} more'),
            element('ul', places[_AT_ONCE:]),
            element('p', f'and {rest:,} more') if rest > 0 else None,
        )
    return element(
        'article',
        element(
            'h3',
            element('span', severity, class_=f'mark {severity}'),
            code,
            element('small', count) if count else None,
        ),
        element('p', clipped(hint, 600), class_='hint') if hint else None,
        element('ul', places[:_AT_ONCE]),
        more,
        class_='finding',
    )


def _place(finding: Finding, own_hint: bool) -> Html:
    where = [finding.split] if finding.split else []
    if finding.file:
        where.append(clipped(short_path(finding.file), 200))
    if finding.object is not None:
        where.append(f'object {finding.object}')
    return element(
        'li',
        element('code', ' · '.join(where)) if where else None,
        element('span', clipped(finding.message, 400)),
        element('span', clipped(finding.hint, 200), class_='hint')
        if own_hint and finding.hint
        else None,
    )


def short_path(path: str) -> str:
    """Return a path as it is seen from the working directory, where it is below."""
    inside = os.path.abspath(path).startswith(os.path.join(os.getcwd(), ''))
    return os.path.relpath(path) if inside else path
