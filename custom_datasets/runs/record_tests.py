"""The hook that adds tests to a run's record."""

import os
import sys
import time
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from custom_datasets.errors import UserError
from custom_datasets.runs.fingerprint import fingerprint
from custom_datasets.runs.metrics import plain
from custom_datasets.runs.record import has_run, read_run, write_or_warn
from custom_datasets.runs.record_start import now
from custom_datasets.runs.surroundings import command
from custom_datasets.runs.training_facts import bare_model


@HOOKS.register_module()
class RecordTestHook(Hook):  # type: ignore[misc]
    """Add the metrics of a test to the record that lies beside the checkpoint.

    Without one, nothing is written.
    """

    priority = 'LOWEST'

    def before_test_epoch(self, runner: Any) -> None:
        """Start the clock."""
        self._begun = time.perf_counter()

    def after_test_epoch(
        self, runner: Any, metrics: dict[str, Any] | None = None
    ) -> None:
        """Add the metrics."""
        path = runner.loaded_checkpoint
        folder = path and os.path.dirname(os.path.abspath(path))
        if runner.rank != 0 or not path or not has_run(folder):
            return
        try:
            record = read_run(folder, whole=True)
        except UserError as error:
            runner.logger.warning(f'the test is not recorded: {error}')
            return
        record.content['tests'].append(
            {
                'checkpoint': os.path.basename(path),
                'when': now(),
                'seconds': round(time.perf_counter() - self._begun, 1),
                'command': command(sys.argv),
                'model': type(bare_model(runner)).__name__,
                'data': fingerprint(runner.test_dataloader.dataset),
                'metrics': plain(metrics or {}),
            }
        )
        write_or_warn(record, runner.logger)
