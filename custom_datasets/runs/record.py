"""The record that a run leaves: ``run.json``, and ``run.md`` for people."""

import json
import logging
import os
from dataclasses import dataclass
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.reporting.frame import write_files
from custom_datasets.runs.markdown import run_page
from custom_datasets.runs.record_layout import find_fault

JSON_NAME = 'run.json'
PAGE_NAME = 'run.md'
FORMAT = 1
"""Counts up when a reader of the earlier layout would go wrong."""


@dataclass(frozen=True)
class RunRecord:
    """What a run has written about itself.

    Attributes:
        folder: Its work directory.
        content: ``run.json``. What could not be had is None there.
    """

    folder: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """The work directory's own name."""
        return os.path.basename(os.path.abspath(self.folder))

    @property
    def config_file(self) -> str:
        """Path of the config with which it ran, everything inherited written out."""
        return os.path.join(self.folder, str(self.content['config']['dumped']))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it was trained on."""
        return tuple(self.content['data']['train']['classes'] or ())


def read_run(folder: str, whole: bool = False) -> RunRecord:
    """Read the record in a run's work directory.

    Args:
        folder: The work directory.
        whole: Refuse a record in which anything is missing or of another type,
            as it may be where another version wrote it. Whoever adds to a
            record asks for that, so that both files can be written again.

    Raises:
        UserError: There is none, it is broken, or another version wrote it.
    """
    path = os.path.join(folder, JSON_NAME)
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file, parse_constant=_refuse)
    except FileNotFoundError as error:
        raise UserError(
            f'{path}: no such file; name the work directory of a run that '
            'tools/train.py started'
        ) from error
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    except ValueError as error:
        raise UserError(f'{path}: not a whole record ({error})') from error
    found = content.get('format') if isinstance(content, dict) else None
    if found != FORMAT:
        raise UserError(
            f'{path}: its format is {found}, and this version reads {FORMAT}; '
            'read it with the version that wrote it'
        )
    fault = find_fault(content, whole)
    if fault:
        raise UserError(
            f'{path}: not a record as this version writes it ({fault}); read it with '
            'the version that wrote it, or move it away'
        )
    return RunRecord(folder, content)


def has_run(folder: str) -> bool:
    """Tell whether a folder holds a record."""
    return os.path.isfile(os.path.join(folder, JSON_NAME))


def write_run(record: RunRecord) -> None:
    """Write both files, whole or not at all.

    Raises:
        UserError: They can't be written.
    """
    text = json.dumps(record.content, indent=1, allow_nan=False)
    page = run_page(record.name, record.content)
    files = {JSON_NAME: f'{text}\n'.encode(), PAGE_NAME: page.encode()}
    write_files(record.folder, files)


def write_or_warn(record: RunRecord, logger: logging.Logger) -> None:
    """Write both files; where they can't be, warn, since the run matters more."""
    try:
        write_run(record)
    except Exception as error:  # A night's training must not end with its record.
        kind = '' if isinstance(error, UserError) else f'{type(error).__name__}: '
        logger.warning(f'the run goes on without its record: {kind}{error}')


def set_aside(folder: str, into: str) -> None:
    """Move the record that is in ``folder``, if any, to the folder ``into``.

    Raises:
        OSError: It can't be moved.
    """
    for name in (JSON_NAME, PAGE_NAME):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            os.makedirs(into, exist_ok=True)
            os.replace(path, os.path.join(into, f'previous_{name}'))


def _refuse(constant: str) -> None:
    """Refuse what Python reads and JSON does not know."""
    raise ValueError(f'{constant} is no JSON')
