"""Training and testing several configs with one command, and comparing them."""

import os
from collections.abc import Mapping, Sequence

from custom_datasets.cli import TRUST, parse_options
from custom_datasets.data.config_sources import find_sources
from custom_datasets.errors import UserError
from custom_datasets.runs.campaign import (
    Progress,
    Say,
    Step,
    Task,
    digest_of,
    run_campaign,
    settings_of,
    training_length,
)
from custom_datasets.runs.compare import compare
from custom_datasets.runs.comparison import PREDICTIONS
from custom_datasets.runs.jobs import tool_command
from custom_datasets.settings import load_config
from custom_datasets.training.record import has_run

WORK_DIR = os.path.join('work_dirs', 'train_all')
PAGE = 'compare.html'
TABLE = 'compare.md'


def train_all(
    configs: Sequence[str],
    *,
    options: Sequence[str] = (),
    gpus: int | None = None,
    work_dir: str = WORK_DIR,
    trust: bool = False,
    say: Say = print,
    progress: Progress | None = None,
) -> str:
    """Train and test each config, or what is left of an earlier call; return the table.

    Each has the folder ``<work_dir>/<config>`` with all that ``tools/train.py``
    and, for the last checkpoint, ``tools/analysis_tools/report.py`` leave. One
    that fails does not stop the others. ``compare.html`` and ``compare.md`` in
    ``work_dir`` compare all that have a record. ``options`` are ``KEY=VALUE``;
    ``trust`` is passed on.

    Raises:
        UserError: A config can't be read; or see :func:`run_campaign`.
    """
    names = [os.path.splitext(os.path.basename(config))[0] for config in configs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(f'{twice}: two configs have this name, and so the same folder')
    tasks = [
        _task(config, options, os.path.join(work_dir, name), trust)
        for name, config in zip(names, configs, strict=True)
    ]

    def report(checkpoints: Mapping[str, str], failures: Mapping[str, str]) -> str:
        return _compared([task.folder for task in tasks], work_dir, failures)

    return run_campaign(tasks, work_dir, report, gpus=gpus, say=say, progress=progress)


def _task(config: str, options: Sequence[str], folder: str, trust: bool) -> Task:
    cfg = load_config(config, parse_options(options))
    lists = [source.ann_file for source in find_sources(cfg)[0]]
    overrides = [TRUST] * trust
    overrides += ['--cfg-options', *options] if options else []
    train = [*tool_command('train.py'), config, '--work-dir', folder, *overrides]
    report = [*tool_command('analysis_tools/report.py'), config]
    return Task(
        name=os.path.basename(folder),
        folder=folder,
        settings=settings_of(cfg),
        lists=digest_of(path for path in lists if os.path.isfile(path)),
        length=training_length(cfg),
        train=train,
        steps=[Step(PREDICTIONS, lambda path: [*report, path, *overrides], 'tested')],
    )


def _compared(
    folders: Sequence[str], work_dir: str, failures: Mapping[str, str]
) -> str:
    folders = [folder for folder in folders if has_run(folder)]
    if len(folders) < 2:
        return 'Fewer than two runs to compare.'
    notes = [
        f'{name} failed: {reason.splitlines()[-1].strip()}'
        for name, reason in failures.items()
    ]
    page, table = (os.path.join(work_dir, name) for name in (PAGE, TABLE))
    try:
        return compare(folders, page, table, notes=notes)
    except UserError as error:
        # The failures have to be reported all the same.
        return f'The runs cannot be compared: {error}'
