"""Where a report's numbers are from, and what to know before trusting them."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mmengine.config import Config

from custom_datasets import __version__
from custom_datasets.checking.environment import TESTED, installed_version
from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import ClassificationResults, Results
from custom_datasets.run_report.predicting import CheckpointFacts
from custom_datasets.runs.record import has_run, read_run


def about_run(
    cfg: Config,
    config: str,
    checkpoint: str | None,
    given: Mapping[str, str],
    options: Mapping[str, Any] | None,
    facts: CheckpointFacts | None,
) -> dict[str, Any]:
    """Say what was run, when and with what.

    Args:
        cfg: The config, with all overrides.
        config: Its path.
        checkpoint: The weights.
        given: Files of predictions, by the part of the data.
        options: What ``--cfg-options`` set.
        facts: What the checkpoint says of itself.
    """
    versions = {'python': platform.python_version(), 'custom_datasets': __version__}
    for package in TESTED:
        version = installed_version(package)
        if version:
            versions[package] = version
    return {
        'config': config,
        'options': {name: str(value) for name, value in (options or {}).items()},
        'checkpoint': checkpoint,
        'epoch': facts.epoch if facts else None,
        'iteration': facts.iteration if facts else None,
        'predictions': dict(given),
        'dataset': str(_innermost(cfg.test_dataloader.dataset).get('type', '')),
        'date': datetime.now().astimezone().isoformat(timespec='seconds'),
        'versions': versions,
    }


def record_note(checkpoint: str) -> list[str]:
    """Say it where a test is not added to the record beside its checkpoint."""
    folder = os.path.dirname(os.path.abspath(checkpoint))
    try:
        if has_run(folder):
            read_run(folder, whole=True)
    except UserError as error:
        return [f'This test is not added to the record of the run: {error}.']
    return []


def _innermost(dataset: Any) -> Any:
    while True:
        inner = dataset.get('dataset') or dataset.get('datasets')
        if not inner:
            return dataset
        dataset = inner[0] if isinstance(inner, Sequence) else inner


def caveats(
    test: Results,
    validation: Results | None,
    shared: int,
    facts: CheckpointFacts | None,
) -> list[str]:
    """Say what a reader must know before they trust a number.

    Args:
        test: Of the test set.
        validation: Of the validation set, if there are any.
        shared: How many images are in both.
        facts: What the checkpoint says of itself.
    """
    notes = []
    if validation is None:
        notes.append(f'There are no predictions of a validation set: {_chosen(test)}')
    elif shared == len(test.images):
        notes.append(
            'All images of the test set are in the validation set too: '
            f'{_chosen(test)} tools/dataset_converters/split.py splits off a test set '
            'of its own.'
        )
    elif shared:
        notes.append(
            f'{shared} images of the test set are in the validation set too: what is '
            'measured on them is too good.'
        )
    trained = facts.classes if facts else None
    if trained and list(trained) != list(test.classes):
        notes.append(
            f'The checkpoint calls its classes {", ".join(trained)}; the names here '
            "are the config's."
        )
    return notes


def _chosen(test: Results) -> str:
    """Say what becomes of the choices that are made on validation."""
    if isinstance(test, ClassificationResults):
        return 'so no temperature and no threshold is chosen.'
    return (
        'so the thresholds are chosen on the test set itself, and are worth a little '
        'less on new images.'
    )
