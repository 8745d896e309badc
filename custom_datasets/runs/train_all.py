"""Training and testing several configs with one command, and comparing them."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from custom_datasets.checks.check import load_config
from custom_datasets.cli import parse_options
from custom_datasets.data.config_sources import find_sources
from custom_datasets.errors import UserError
from custom_datasets.files import write_json
from custom_datasets.runs.compare import compare
from custom_datasets.runs.comparison import PREDICTIONS
from custom_datasets.runs.jobs import (
    Interrupted,
    Job,
    digest_of,
    last_checkpoint,
    listed_changes,
    locked,
    run_jobs,
    setting_changes,
    settings_of,
    steps_done,
    tool_command,
    visible_devices,
)
from custom_datasets.runs.settings_diff import Settings
from custom_datasets.training.record import has_run

WORK_DIR = os.path.join('work_dirs', 'train_all')
PAGE = 'compare.html'
TABLE = 'compare.md'
NOTE = 'train_all.json'


def train_all(
    configs: Sequence[str],
    *,
    options: Sequence[str] = (),
    gpus: int | None = None,
    work_dir: str = WORK_DIR,
    say: Callable[[str], None] = print,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Train and test each config, or what is left of an earlier call.

    Each has the folder ``<work_dir>/<config>`` with all that ``tools/train.py``
    and, for the last checkpoint, ``tools/analysis_tools/report.py`` leave. One
    that fails leaves the others be. ``compare.html`` and ``compare.md`` in
    ``work_dir`` compare those that have begun.

    Args:
        configs: The leaves; no two of the same file name.
        options: What ``--cfg-options`` sets for all of them, ``KEY=VALUE`` each.
        gpus: How many to train at once, one a GPU; all GPUs if None.
        work_dir: The folder of all runs.
        say: Called with each line on what goes on.
        progress: Called with epochs (or iterations) done, and of all configs.

    Returns:
        The table, what it means, and where everything is.

    Raises:
        UserError: A config can't be read, or its folder holds a run of other
            settings: then nothing has been started. Or one failed, or the
            command was told to stop: what is done is kept.
    """
    settings = parse_options(options)
    names = [os.path.splitext(os.path.basename(config))[0] for config in configs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(f'{twice}: two configs have this name, and so one folder')
    loaded = [load_config(config, settings) for config in configs]
    devices = visible_devices(gpus)
    with locked(work_dir) as lock:
        runs = [
            _Run(name, config, os.path.join(work_dir, name), settings_of(cfg), lists)
            for name, config, cfg in zip(names, configs, loaded, strict=True)
            for lists in [_digest(cfg)]
        ]
        left = [run for run in runs if not run.is_done()]
        if len(left) < len(runs):
            kept = (run.name for run in runs if run not in left)
            say(f'done before: {", ".join(kept)}')
        for run in left:
            run.note(None)
        by_name = {run.name: run for run in runs}

        def finished(job: Job, checkpoint: str) -> None:
            by_name[job.name].note(checkpoint)
            say(f'{job.name}: trained and tested ({job.folder})')

        def watch() -> None:
            total = sum(map(_steps, loaded))
            if progress and total:
                progress(sum(steps_done(run.folder) for run in runs), total)

        jobs = [run.job(options) for run in left]
        try:
            failures = run_jobs(jobs, devices, lock, finished, watch)
        except Interrupted as error:
            raise UserError(
                'interrupted; the same command goes on where it stopped'
            ) from error
        text = _compared(runs, work_dir, failures)
    if failures:
        said = '\n\n'.join(f'{name}: {text}' for name, text in failures.items())
        raise UserError(
            f'{len(failures)} of {len(runs)} failed\n\n{said}\n\n{text}\n\n'
            'The same command tries what is missing; what is done is kept.'
        )
    return text


@dataclass(frozen=True)
class _Run:
    """One config, its folder, and the note there on what was done with it."""

    name: str
    config: str
    folder: str
    settings: Settings
    lists: str

    def is_done(self) -> bool:
        """Tell whether it is trained and tested.

        Raises:
            UserError: The folder holds a training of other settings or on other
                lists, or one that another command has begun.
        """
        path = os.path.join(self.folder, NOTE)
        if last_checkpoint(self.folder) is None:
            return False
        if not os.path.isfile(path):
            raise UserError(
                f'{self.folder}: holds a training that this command did not begin; '
                'give another --work-dir'
            )
        try:
            with open(path, encoding='utf-8') as file:
                saved = json.load(file)
            changes = setting_changes(saved['settings'], self.settings)
            checkpoint = saved['checkpoint']
            lists = saved.get('lists', self.lists)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f'{path}: cannot be read ({error}); give another --work-dir'
            ) from error
        if lists != self.lists:
            raise UserError(
                f'{self.folder}: holds a training on other lists of images than those '
                'of the config are by now; give another --work-dir'
            )
        if changes:
            raise UserError(
                f'{self.folder}: holds a training of other settings: '
                f'{listed_changes(changes)}; give another --work-dir, or the settings '
                'that it has'
            )
        tested = os.path.isfile(os.path.join(self.folder, PREDICTIONS))
        return checkpoint is not None and tested

    def note(self, checkpoint: str | None) -> None:
        """Write down the settings, and the checkpoint once it is tested."""
        content = {
            'settings': self.settings,
            'lists': self.lists,
            'checkpoint': checkpoint,
        }
        write_json(os.path.join(self.folder, NOTE), content)

    def job(self, options: Sequence[str]) -> Job:
        """Return the commands that train and test it."""
        given = ['--cfg-options', *options] if options else []
        return Job(
            name=self.name,
            folder=self.folder,
            train=[
                *tool_command('train.py'),
                *(self.config, '--work-dir', self.folder, *given),
            ],
            test=lambda checkpoint: [
                *tool_command('analysis_tools/report.py'),
                *(self.config, checkpoint, *given),
            ],
        )


def _digest(cfg: Mapping[str, Any]) -> str:
    """Return what changes with the lists, or COCO JSONs, of a config."""
    paths = [source.ann_file for source in find_sources(cfg)[0]]
    return digest_of(path for path in paths if os.path.isfile(path))


def _steps(cfg: Mapping[str, Any]) -> int:
    train_cfg = cfg.get('train_cfg') or {}
    return train_cfg.get('max_epochs') or train_cfg.get('max_iters') or 0


def _compared(runs: Sequence[_Run], work_dir: str, failures: Mapping[str, str]) -> str:
    """Compare those that have a record; say it of the others."""
    folders = [run.folder for run in runs if has_run(run.folder)]
    if len(folders) < 2:
        return 'There are no two runs to compare.'
    notes = [
        f'{name} failed: {text.splitlines()[-1].strip()}'
        for name, text in failures.items()
    ]
    page, table = (os.path.join(work_dir, name) for name in (PAGE, TABLE))
    try:
        return compare(folders, page, table, notes=notes)
    except UserError as error:
        # What failed has to be told all the same.
        return f'The runs cannot be compared: {error}'
