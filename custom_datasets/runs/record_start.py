"""The record of a run that begins, or goes on."""

import os
import sys
from datetime import datetime, timezone
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.runs.complexity import count_macs
from custom_datasets.runs.fingerprint import Fingerprint, fingerprint
from custom_datasets.runs.metrics import best_entry, plain
from custom_datasets.runs.record import FORMAT, has_run, read_run, set_aside
from custom_datasets.runs.surroundings import (
    command,
    git_state,
    hardware,
    overrides,
    short_path,
    versions,
)
from custom_datasets.runs.training_facts import (
    bare_model,
    counts_iterations,
    training_facts,
)

Content = dict[str, Any]
"""What ``run.json`` holds."""


def begin_record(runner: Any) -> Content:
    """Describe a training that is about to begin.

    A resumed run takes up the record beside its checkpoint; what came after
    that checkpoint is left out, since it is done again. Any other record in the
    work directory is moved into the run's log folder.

    Args:
        runner: :class:`custom_datasets.runner.PluginRunner`, with everything
            built.
    """
    past = _past(runner)
    filename = runner.cfg.filename
    sets = {'train': runner.train_dataloader.dataset}
    if runner.val_loop:
        sets['val'] = runner.val_dataloader.dataset
    data: dict[str, Fingerprint | None] = {'train': None, 'val': None}
    data.update({name: fingerprint(each) for name, each in sets.items()})
    facts = training_facts(runner)
    sample = sets.get('val', sets['train'])[0]
    facts['model'].update(count_macs(bare_model(runner), sample))
    done = [e for e in past.get('epochs', ()) if e['iteration'] <= runner.iter]
    validated = [entry for entry in done if entry['metrics']]
    best = past.get('best')
    if best:
        entry = best_entry(validated, best['metric'], best['rule'])
        best = entry and describe_best(entry, best['metric'], best['rule'], None)
    session = _session(runner, data)
    return {
        'format': FORMAT,
        'status': 'running',
        'reason': None,
        'started': past.get('started', session['started']),
        'updated': session['started'],
        'wall_seconds': past.get('wall_seconds', 0.0),
        'command': session['command'],
        'git': session['git'],
        'config': {
            'path': filename and short_path(filename),
            'dumped': os.path.basename(filename or f'{runner.timestamp}.py'),
            'overrides': plain(overrides(sys.argv)),
            'scope': runner.cfg.get('default_scope'),
        },
        'data': data,
        'versions': session['versions'],
        'hardware': session['hardware'],
        **plain(facts),
        'speed': {'images_per_second': None, 'data_share': None}
        | {'peak_memory_mb': None, 'memory_of': None},
        'best': best,
        'validation': validated[-1]['metrics'] if validated else None,
        'epochs': done,
        'checkpoints': [],
        'sessions': [*map(_closed, past.get('sessions', ())), session],
        'tests': past.get('tests', []),
    }


def describe_best(
    entry: dict[str, Any], metric: str, rule: str, checkpoint: str | None
) -> dict[str, Any]:
    """Describe the best epoch.

    Args:
        entry: Of the record's ``epochs``.
        metric: By which it is the best.
        rule: ``greater`` or ``less``.
        checkpoint: The file that was kept of it.
    """
    return {
        'metric': metric,
        'rule': rule,
        'value': entry['metrics'][metric],
        'epoch': entry['epoch'],
        'iteration': entry['iteration'],
        'checkpoint': checkpoint,
    }


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def _past(runner: Any) -> Content:
    """Return the record to go on with, empty if there is none."""
    past: Content = {}
    folder = None
    if runner.resumed_from:
        folder = os.path.dirname(os.path.abspath(runner.resumed_from))
    try:
        if folder and has_run(folder):
            past = read_run(folder, whole=True).content
    except UserError as error:
        runner.logger.warning(f'a new record is begun: {error}')
    try:
        if not past or not os.path.samefile(str(folder), runner.work_dir):
            set_aside(runner.work_dir, runner.log_dir)
            past['tests'] = []
    except OSError as error:
        runner.logger.warning(f'an earlier record cannot be moved: {error}')
    return past


def _session(runner: Any, data: dict[str, Fingerprint | None]) -> dict[str, Any]:
    folder = os.path.dirname(runner.cfg.filename or '') or os.getcwd()
    return {
        'log': runner.timestamp,
        'started': now(),
        'seconds': 0.0,
        'status': 'running',
        'reason': None,
        'from_epoch': None if counts_iterations(runner) else runner.epoch,
        'from_iteration': runner.iter,
        'resumed_from': runner.resumed_from,
        'command': command(sys.argv),
        'git': git_state(folder),
        'versions': versions(),
        'hardware': hardware(),
        'ranks': runner.world_size,
        'data': {name: each and each['sha256'] for name, each in data.items()},
    }


def _closed(session: dict[str, Any]) -> dict[str, Any]:
    """Say of a session that nobody closed that it ended."""
    if session['status'] != 'running':
        return session
    return {**session, 'status': 'stopped', 'reason': 'it ended without a word'}
