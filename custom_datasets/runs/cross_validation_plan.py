"""What a cross-validation has done, so that it goes on and never mixes two."""

import json
import os

from custom_datasets.errors import UserError
from custom_datasets.overrides import fold_folder, fold_numbers
from custom_datasets.reporting.frame import write_files
from custom_datasets.runs.compare_settings import Settings
from custom_datasets.runs.jobs import last_checkpoint
from custom_datasets.runs.resuming import listed_changes, setting_changes

PLAN = 'cross_validation.plan.json'


class Plan:
    """A work directory's own note on the folds in it.

    Args:
        work_dir: The folder of all folds.
        settings: Everything in the config that matters for the result.
        folds: How many folds there are.
        digest: Of their lists.

    Raises:
        UserError: The folder holds another cross-validation, or folds that
            were trained by hand.
    """

    def __init__(
        self, work_dir: str, settings: Settings, folds: int, digest: str
    ) -> None:
        """Read the note, or make the first one."""
        self.path = os.path.join(work_dir, PLAN)
        self.done: dict[int, str] = {}
        self.predicted: dict[int, str] = {}
        self._settings = settings
        self._lists = {'folds': folds, 'digest': digest}
        folders = [fold_folder(fold) for fold in fold_numbers(work_dir)]
        trained = any(last_checkpoint(os.path.join(work_dir, f)) for f in folders)
        if os.path.isfile(self.path):
            self._read(work_dir, trained)
            return
        if folders:
            raise UserError(
                f'{work_dir}: has {", ".join(folders)}, which this command did not '
                'train; give another --work-dir'
            )
        self._write()

    def finish(self, fold: int, checkpoint: str, test_set: str | None = None) -> None:
        """Note that a fold is trained and tested.

        Args:
            fold: Its number.
            checkpoint: Which was tested.
            test_set: The digest of the test list, if that was predicted.
        """
        self.done[fold] = checkpoint
        self.predicted.pop(fold, None)
        if test_set is not None:
            self.predicted[fold] = test_set
        self._write()

    def _read(self, work_dir: str, trained: bool) -> None:
        try:
            with open(self.path, encoding='utf-8') as file:
                saved = json.load(file)
            self.done = {int(fold): path for fold, path in saved['done'].items()}
            predicted = saved.get('predicted', {})
            self.predicted = {int(fold): digest for fold, digest in predicted.items()}
            changes = setting_changes(saved['settings'], self._settings)
            old = saved['lists']
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f'{self.path}: cannot be read ({error}); give another --work-dir'
            ) from error
        if old != self._lists:
            was, now = old['folds'], self._lists['folds']
            text = 'the lists of its folds have changed'
            if was != now:
                text = f'there were {was} folds and are {now}'
            changes.insert(0, text)
        if changes and not trained:
            # Nothing came of it: a setting may have been misspelt.
            self.done, self.predicted = {}, {}
            self._write()
        elif changes:
            raise UserError(
                f'{work_dir}: holds a cross-validation of other settings: '
                f'{listed_changes(changes)}; give another --work-dir, '
                'or the settings that it has'
            )

    def _write(self) -> None:
        done = {str(fold): path for fold, path in sorted(self.done.items())}
        predicted = {str(fold): text for fold, text in sorted(self.predicted.items())}
        content = {
            'lists': self._lists,
            'settings': self._settings,
            'done': done,
            'predicted': predicted,
        }
        text = json.dumps(content, indent=1, ensure_ascii=False)
        write_files(os.path.dirname(self.path), {PLAN: f'{text}\n'.encode()})
