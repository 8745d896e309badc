"""The hooks that keep a run's record up to date, in training and in tests."""

import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from custom_datasets.errors import UserError
from custom_datasets.files import short_path
from custom_datasets.training.facts import (
    bare_model,
    checkpoint_hook,
    count_images,
    count_macs,
    counts_iterations,
    fingerprint,
    main_metric,
    training_facts,
)
from custom_datasets.training.progress import Pace
from custom_datasets.training.record import (
    FORMAT,
    Entry,
    RunRecord,
    best_of,
    has_run,
    plain,
    read_run,
    set_aside,
    write_or_warn,
)
from custom_datasets.training.surroundings import (
    command,
    git_state,
    hardware,
    overrides,
    peak_memory,
    versions,
)

_MEMORY_INTERVAL = 200
_LONGEST_REASON = 2000
_NO_LOSSES = ('time', 'data_time', 'lr', 'base_lr', 'momentum')

Content = dict[str, Any]
"""What ``run.json`` holds."""


@HOOKS.register_module()
class RunRecordHook(Hook):  # type: ignore[misc]
    """Write ``run.json`` and ``run.md`` into the work directory.

    The first process does so at the start, after each epoch and each validation, and
    at the end, however that comes. A record that can't be written is only warned of.
    """

    # After the checkpoints are saved.
    priority = 'LOWEST'

    def __init__(self) -> None:
        """Begin without a record."""
        self._record: RunRecord | None = None
        self._pace = Pace()
        self._begun = 0.0
        self._earlier = 0.0
        self._added = (0, 0.0)

    def before_train(self, runner: Any) -> None:
        """Begin a record, or continue that of the checkpoint."""
        if runner.rank == 0:
            self._begun = time.perf_counter()
            content = _begin(runner)
            self._earlier = content['wall_seconds']
            self._record = RunRecord(runner.work_dir, content)
            self._write(runner)

    def before_train_epoch(self, runner: Any) -> None:
        """Start the clock."""
        self._pace.start()

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Time the loading."""
        self._pace.data_came()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Time the step, and measure the memory now and then."""
        self._pace.step_done(count_images(data_batch) * runner.world_size)
        often = self.every_n_train_iters(runner, _MEMORY_INTERVAL)
        # Loader workers may be gone once the epoch is over.
        if self._record and (
            often or self.end_of_epoch(runner.train_dataloader, batch_idx)
        ):
            workers = [each.pid for each in multiprocessing.active_children()]
            memory = peak_memory(pid for pid in workers if pid is not None)
            speed = self._record.content['speed']
            if (memory['peak_memory_mb'] or 0) > (speed['peak_memory_mb'] or 0):
                speed.update(memory)

    def after_train_epoch(self, runner: Any) -> None:
        """Add the epoch."""
        self._add_entry(runner, None if counts_iterations(runner) else runner.epoch + 1)
        self._write(runner)

    def before_val(self, runner: Any) -> None:
        """Add the iterations that led here, where the run counts iterations."""
        if self._record and counts_iterations(runner):
            self._add_entry(runner, None)

    def after_val_epoch(
        self, runner: Any, metrics: dict[str, Any] | None = None
    ) -> None:
        """Add the metrics to the epoch that was validated."""
        self._pace.start()
        content = self._record.content if self._record else None
        if not content or not content['epochs'] or not metrics:
            return
        content['epochs'][-1]['metrics'] = content['validation'] = plain(metrics)
        chosen = main_metric(runner, metrics)
        if chosen:
            kept = _kept_checkpoint(runner, chosen[0])
            best = best_of(content['epochs'], *chosen, checkpoint=kept)
            content['best'] = best or content['best']
        self._write(runner)

    def after_train(self, runner: Any) -> None:
        """Close the record."""
        early = getattr(runner.train_loop, 'stop_training', False)
        self._end(runner, 'finished', 'a hook ended it early' if early else None)

    def on_error(self, runner: Any, error: BaseException) -> None:
        """Close the record of a run that failed or was interrupted."""
        if isinstance(error, KeyboardInterrupt):
            self._end(runner, 'stopped', 'interrupted (Ctrl-C)')
            return
        reason = str(error)
        if not isinstance(error, UserError):
            reason = f'{type(error).__name__}: {reason}'
        self._end(runner, 'failed', reason[:_LONGEST_REASON])

    def _add_entry(self, runner: Any, epoch: int | None) -> None:
        steps = self._pace.steps - self._added[0]
        if self._record is None or not steps:
            return
        logged = {
            name.removeprefix('train/'): values
            for name, values in runner.message_hub.log_scalars.items()
            if name.startswith('train/')
        }
        entry: Entry = {
            'epoch': epoch,
            'iteration': runner.iter,
            'lr': logged['lr'].current() if 'lr' in logged else None,
            'losses': {
                name: values.mean(steps)
                for name, values in logged.items()
                if name not in _NO_LOSSES
            },
            'seconds': round(self._pace.seconds - self._added[1], 3),
            'images_per_second': _rounded(self._pace.images_per_second(steps)),
            'metrics': None,
        }
        self._record.content['epochs'].append(plain(entry))
        self._added = (self._pace.steps, self._pace.seconds)

    def _end(self, runner: Any, status: str, reason: str | None) -> None:
        if self._record:
            content = self._record.content
            for each in (content, content['sessions'][-1]):
                each.update(status=status, reason=reason)
            self._write(runner)

    def _write(self, runner: Any) -> None:
        if self._record is None:
            return
        content = self._record.content
        seconds = time.perf_counter() - self._begun
        content['updated'] = _now()
        content['wall_seconds'] = round(self._earlier + seconds, 1)
        content['sessions'][-1]['seconds'] = round(seconds, 1)
        rate = self._pace.images_per_second()
        if rate is not None:  # A resumed run may have nothing left to do.
            content['speed']['images_per_second'] = _rounded(rate)
            content['speed']['data_share'] = _rounded(self._pace.data_share)
        content['checkpoints'] = _checkpoints(runner)
        # A test may have been added meanwhile.
        with suppress(UserError):
            content['tests'] = read_run(self._record.folder, whole=True).content[
                'tests'
            ]
        write_or_warn(self._record, runner.logger)


@HOOKS.register_module()
class RecordTestHook(Hook):  # type: ignore[misc]
    """Add a test's metrics to the record beside the checkpoint, if there is one."""

    priority = 'LOWEST'

    def before_test_epoch(self, runner: Any) -> None:
        """Start the clock."""
        self._begun = time.perf_counter()

    def after_test_epoch(
        self, runner: Any, metrics: dict[str, Any] | None = None
    ) -> None:
        """Add the metrics."""
        if runner.rank == 0 and runner.loaded_checkpoint:
            record_test(
                runner.loaded_checkpoint,
                bare_model(runner),
                runner.test_dataloader.dataset,
                metrics or {},
                time.perf_counter() - self._begun,
                runner.logger,
            )


def record_test(
    checkpoint: str,
    model: Any,
    dataset: Any,
    metrics: Mapping[str, Any],
    seconds: float,
    logger: logging.Logger,
) -> None:
    """Add a test to the record beside its checkpoint, if there is one."""
    folder = os.path.dirname(os.path.abspath(checkpoint))
    if not has_run(folder):
        return
    try:
        record = read_run(folder, whole=True)
    except UserError as error:
        logger.warning(f'the test is not recorded: {error}')
        return
    test = {
        'checkpoint': os.path.basename(checkpoint),
        'when': _now(),
        'seconds': round(seconds, 1),
        'command': command(sys.argv),
        'model': type(model).__name__,
        'data': fingerprint(dataset),
        'metrics': plain(dict(metrics)),
    }
    record.content['tests'] = [*record.content['tests'], test]
    write_or_warn(record, logger)


def _begin(runner: Any) -> Content:
    filename = runner.cfg.filename
    sets = {'train': runner.train_dataloader.dataset}
    if runner.val_loop:
        sets['val'] = runner.val_dataloader.dataset
    data: Content = {'train': None, 'val': None}
    data.update({name: fingerprint(each) for name, each in sets.items()})
    facts = training_facts(runner)
    sample = sets.get('val', sets['train'])[0]
    facts['model'].update(count_macs(bare_model(runner), sample))
    session = _session(runner, data)
    past = _past(runner)
    return {
        'format': FORMAT,
        'status': 'running',
        'reason': None,
        'started': session['started'],
        'updated': session['started'],
        'wall_seconds': 0.0,
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
        'speed': dict.fromkeys(
            ('images_per_second', 'data_share', 'peak_memory_mb', 'memory_of')
        ),
        'best': None,
        'validation': None,
        'epochs': [],
        'checkpoints': [],
        'tests': [],
        **past,
        'sessions': [*past.get('sessions', ()), session],
    }


def _past(runner: Any) -> Content:
    """Return what a resumed run takes from the record beside its checkpoint.

    What came after that checkpoint is left out, since it is done again. Any other
    record in the work directory is moved into the run's log folder.
    """
    past: Content = {}
    folder = os.path.dirname(os.path.abspath(runner.resumed_from or ''))
    if runner.resumed_from and has_run(folder):
        try:
            past = _until(read_run(folder, whole=True).content, runner.iter)
        except UserError as error:
            runner.logger.warning(f'a new record begins: {error}')
        except (AttributeError, KeyError, TypeError) as error:
            runner.logger.warning(
                f'a new record begins: that in {folder} is damaged '
                f'({type(error).__name__}: {error})'
            )
    try:
        if not past or not os.path.samefile(folder, runner.work_dir):
            set_aside(runner.work_dir, runner.log_dir)
            past['tests'] = []
    except OSError as error:
        runner.logger.warning(f'an earlier record cannot be moved: {error}')
    return past


def _until(content: Content, iteration: int) -> Content:
    done = [entry for entry in content['epochs'] if entry['iteration'] <= iteration]
    validated = [entry for entry in done if entry['metrics']]
    best = content['best']
    return {
        'started': content['started'],
        'wall_seconds': content['wall_seconds'],
        'speed': content['speed'],
        'best': best and best_of(validated, best['metric'], best['rule']),
        'validation': validated[-1]['metrics'] if validated else None,
        'epochs': done,
        'tests': content['tests'],
        'sessions': [_closed(session) for session in content['sessions']],
    }


def _closed(session: Content) -> Content:
    if session['status'] != 'running':
        return session
    return {**session, 'status': 'stopped', 'reason': 'ended without notice'}


def _session(runner: Any, data: Content) -> Content:
    folder = os.path.dirname(runner.cfg.filename or '') or os.getcwd()
    return {
        'log': runner.timestamp,
        'started': _now(),
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


def _kept_checkpoint(runner: Any, metric: str) -> str | None:
    info = runner.message_hub.runtime_info
    path = info.get('best_ckpt') or info.get(f'best_ckpt_{metric}')
    return os.path.basename(path) if path else None


def _checkpoints(runner: Any) -> list[str]:
    hook = checkpoint_hook(runner)
    folder = (hook and hook.out_dir) or runner.work_dir
    if not os.path.isdir(folder):
        return []
    names = [name for name in os.listdir(folder) if name.endswith('.pth')]
    return sorted(names, key=lambda name: (len(name), name))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f'{value:.4g}')
