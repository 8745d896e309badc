"""What readers and checks have to say: one thing, in one place.

A reader reports a :class:`Problem` and decides nothing. The data set raises what
is not in :data:`TOLERATED`, the check grades it, split and convert print it, all
with the same words.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from custom_datasets.errors import AnnotationError

SEVERITIES = ('error', 'warning', 'note')
"""From what ruins a run to what is good to know."""

TOLERATED = frozenset({'zero-area-box', 'stray-text', 'loose-coco'})
"""Codes that leave a file usable; any other is refused."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a file, as its reader saw it.

    Attributes:
        code: As in the catalogue of checks: ``zero-area-box``.
        message: One sentence on this place, without the file.
        object: The object in that file, counted from 0; None for all of it.
    """

    code: str
    message: str
    file: str
    object: int | None = None

    def __str__(self) -> str:
        """Name the place and say what is wrong there."""
        place = '' if self.object is None else f', object {self.object}'
        return f'{self.file}{place}: {self.message}'


def refused(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that keep a file from being used as it is."""
    return [problem for problem in problems if problem.code not in TOLERATED]


def raise_refused(where: str, problems: Iterable[Problem]) -> None:
    """Raise one AnnotationError with all that is refused, if anything is."""
    if texts := [str(problem) for problem in refused(problems)]:
        raise AnnotationError(where, texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check has to say.

    Attributes:
        code: A key of the catalogue, ``checks/codes.py``, which also gives severity
            (one of :data:`SEVERITIES`) and hint.
        message: One sentence on this place.
        split: ``train``, ``val`` or ``test``, if it is about one of them.
        object: The object in that file, counted from 0; None for all of it.
    """

    code: str
    severity: str
    message: str
    hint: str = ''
    split: str | None = None
    file: str | None = None
    object: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` writes."""
        return asdict(self)


def by_severity(findings: Iterable[Finding]) -> dict[str, dict[str, list[Finding]]]:
    """Group findings by severity and code, most severe first, codes as they come."""
    groups: dict[str, dict[str, list[Finding]]] = {name: {} for name in SEVERITIES}
    for finding in findings:
        groups[finding.severity].setdefault(finding.code, []).append(finding)
    return {severity: codes for severity, codes in groups.items() if codes}
