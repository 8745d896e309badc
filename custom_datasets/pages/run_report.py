"""Everything a report says, as one dictionary: the content of ``report.json``."""

import logging
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from mmengine.config import Config

from custom_datasets import __version__
from custom_datasets.checkpoints import CheckpointFacts
from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification import (
    attribute_report,
    usable_attributes,
)
from custom_datasets.evaluation.classification_report import classification_report
from custom_datasets.evaluation.detection import detection_report
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Results,
    Samples,
    classification_results,
    detection_results,
    read_samples,
)
from custom_datasets.evaluation.results import is_detection as has_boxes
from custom_datasets.evaluation.sets import compare_sets
from custom_datasets.pages.summaries import sets_note
from custom_datasets.predicting.config import (
    SPLITS,
    DataSet,
    has_split,
    is_detection,
    read_dataset,
    read_settings,
)
from custom_datasets.predicting.predict import Progress, predict
from custom_datasets.text import counted
from custom_datasets.training.record import has_run, plain, read_curves, read_run
from custom_datasets.training.record_hooks import record_test
from custom_datasets.versions import TESTED, installed_version

_LOG = logging.getLogger(__name__)


@dataclass
class RunReport:
    """What is known of a run; ``content`` is that of ``report.json``.

    ``samples`` are predictions that were made here, by the part of the data.
    ``checkpoint`` is None where predictions were given.
    """

    cfg: Config
    checkpoint: str | None
    palette: Any
    content: dict[str, Any]
    samples: dict[str, Samples]


def gather(
    config: str,
    checkpoint: str | None,
    predictions: Mapping[str, str],
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    device: str | None = None,
) -> RunReport:
    """Predict what is missing, and evaluate; see :func:`.run_page.write_run_report`.

    Raises a UserError where something can't be read, or does not belong together.
    """
    cfg = read_settings(config, options)
    if checkpoint is None and 'test' not in predictions:
        raise UserError('give a checkpoint, or predictions of the test set')
    inputs = _collect(cfg, checkpoint, predictions, progress, device)
    results = {split: _results(split, inputs, predictions) for split in inputs.samples}
    test, validation = results['test'], results.get('validation')
    shared = _shared_images(test, validation)
    notes = caveats(test, validation, shared, inputs.facts)
    curves, note = _curves(checkpoint)
    if inputs.facts:
        notes += note
    # What was chosen on the test set must not be called validated.
    chosen_on = None if shared == len(test.images) else validation
    sets = compare_sets({'validation': chosen_on, 'test': test})
    return RunReport(
        cfg,
        checkpoint,
        inputs.data['test'].palette,
        {
            'run': {
                'config': config,
                'options': {
                    name: str(value) for name, value in (options or {}).items()
                },
                'checkpoint': checkpoint,
                'epoch': inputs.facts.epoch if inputs.facts else None,
                'iteration': inputs.facts.iteration if inputs.facts else None,
                'predictions': dict(predictions),
                'dataset': _dataset_type(cfg.test_dataloader.dataset),
                'date': datetime.now().astimezone().isoformat(timespec='seconds'),
                'versions': used_versions(),
            },
            'notes': notes + sets_note(sets),
            'stock_metrics': inputs.metrics,
            'training': curves,
            **_evaluate(test, chosen_on, inputs.data['test']),
            'sets': sets,
        },
        {
            split: samples
            for split, samples in inputs.samples.items()
            if split not in predictions
        },
    )


def caveats(
    test: Results,
    validation: Results | None,
    shared: int,
    facts: CheckpointFacts | None,
) -> list[str]:
    """Say what a reader must know before trusting a number.

    ``shared`` counts the images that are in both test and validation set.
    """
    notes = []
    if isinstance(test, ClassificationResults):
        chosen = 'so no temperature and no threshold is chosen.'
    else:
        chosen = (
            'so the thresholds are chosen on the test set itself, and are worth a '
            'little less on new images.'
        )
    if validation is None:
        notes.append(f'There are no predictions on a validation set, {chosen}')
    elif shared == len(test.images):
        notes.append(
            'All images of the test set are in the validation set too, '
            f'{chosen} tools/dataset_converters/split.py splits off a test set of its '
            'own.'
        )
    elif shared:
        notes.append(
            f'{counted(shared, "images")} of the test set in the validation set too: '
            'what is measured on them is too good.'
        )
    trained = facts.classes if facts else None
    if trained and list(trained) != list(test.classes):
        notes.append(
            f'The checkpoint calls its classes {", ".join(trained)}; the names here '
            "are the config's."
        )
    return notes


@dataclass
class _Inputs:
    data: dict[str, DataSet] = field(default_factory=dict)
    samples: dict[str, Samples] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: CheckpointFacts | None = None


def _collect(
    cfg: Config,
    checkpoint: str | None,
    predictions: Mapping[str, str],
    progress: Progress | None,
    device: str | None,
) -> _Inputs:
    inputs = _Inputs()
    for split, path in predictions.items():
        inputs.samples[split] = read_samples(path)
        if has_boxes(inputs.samples[split]) != is_detection(cfg):
            kinds = 'a classifier', 'a detector'
            raise UserError(
                f'{path}: is from {kinds[not is_detection(cfg)]}, but the config is '
                f'for {kinds[is_detection(cfg)]}'
            )
        if not has_split(cfg, split):
            raise UserError(f'{path}: the config has no {split} set')
        inputs.data[split] = read_dataset(cfg, split)
    missing = [s for s in SPLITS if s not in predictions and has_split(cfg, s)]
    if checkpoint is not None and missing:
        predicted, inputs.facts = predict(cfg, checkpoint, missing, progress, device)
        for part in {id(part): part for part in predicted.values()}.values():
            record_test(
                checkpoint, part.model, part.dataset, part.metrics, part.seconds, _LOG
            )
        for split, part in predicted.items():
            inputs.samples[split], inputs.data[split] = part.samples, part.data
            inputs.metrics[split] = {k: plain(v) for k, v in part.metrics.items()}
    return inputs


def _results(split: str, inputs: _Inputs, predictions: Mapping[str, str]) -> Results:
    data, samples = inputs.data[split], inputs.samples[split]
    results: Results
    try:
        if has_boxes(samples):
            results = detection_results(samples, data.classes)
        else:
            results = classification_results(samples, data.classes)
        _check_images(split, {image.key for image in results.images}, set(data.keys))
        if isinstance(results, DetectionResults) and not len(results.truth.label):
            raise UserError(
                f'nothing is annotated in the {split} set, so there is nothing to '
                'report; tools/cross_validate.py measures on all that is annotated'
            )
    except UserError as error:
        path = predictions.get(split)
        raise UserError(f'{path}: {error}' if path else error) from error
    return results


def _check_images(split: str, predicted: set[str], listed: set[str]) -> None:
    if predicted != listed:
        example = min(predicted ^ listed)
        raise UserError(
            f"these are not predictions of the config's {split} set: "
            f'{counted(len(predicted - listed), "images are", "image is")} not in it, '
            f'and {len(listed - predicted)} of it are missing (for example {example}); '
            'give the same --cfg-options as to tools/test.py'
        )


def _evaluate(
    test: Results, validation: Results | None, data: DataSet
) -> dict[str, Any]:
    if isinstance(test, ClassificationResults):
        assert not isinstance(validation, DetectionResults)
        names = test.classes
        used = usable_attributes(data.attributes, names)
        return {
            **classification_report(test, validation),
            'attributes': attribute_report(used, names, test.truth, test.scores),
        }
    assert not isinstance(validation, ClassificationResults)
    return {**detection_report(test, validation)}


def _shared_images(test: Results, validation: Results | None) -> int:
    if validation is None:
        return 0
    paths = {image.path for image in validation.images}
    return sum(image.path in paths for image in test.images)


def _curves(checkpoint: str | None) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what the run of a checkpoint logged, and what is wrong with its record."""
    folder = os.path.dirname(os.path.abspath(checkpoint or ''))
    if checkpoint is None or not has_run(folder):
        return None, []
    note = []
    try:
        read_run(folder, whole=True)
    except UserError as error:
        note.append(f'This test is not added to the record of the run: {error}.')
    try:
        return asdict(read_curves(folder)), note
    except UserError:
        return None, note


def used_versions() -> dict[str, str]:
    """Return the versions of Python, of this package, and of what it builds upon."""
    versions = {'python': platform.python_version(), 'custom_datasets': __version__}
    installed = {package: installed_version(package) for package in TESTED}
    return versions | {name: version for name, version in installed.items() if version}


def _dataset_type(dataset: Any) -> str:
    while inner := dataset.get('dataset') or dataset.get('datasets'):
        dataset = inner[0] if isinstance(inner, Sequence) else inner
    return str(dataset.get('type', ''))
