"""Judging a generator: its pictures beside real ones that it was not trained on."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.registry import DATASETS

from custom_datasets.errors import UserError
from custom_datasets.evaluation.judgement import (
    FEWEST,
    Copying,
    Numbers,
    Pictures,
    Sets,
    judge,
)
from custom_datasets.files import write_files
from custom_datasets.generation.features import FeatureNetwork
from custom_datasets.generation.sampling import MAX_SEED, Generator, RealPictures
from custom_datasets.pages.generator_page import PAGE, ShownPictures, render_judgement
from custom_datasets.pages.generator_summary import judgement_summary
from custom_datasets.pages.run_report import used_versions
from custom_datasets.predicting.config import describe_dataset, quiet
from custom_datasets.predicting.outputs import Classification
from custom_datasets.predicting.predictor import Predictor
from custom_datasets.predicting.scopes import use_scope
from custom_datasets.text import counted

JSON_NAME = 'judge.json'

_PLACES = 16
"""Pixels are compared on a square of so many places a side."""

_SHOWN = 8
"""Pictures of a class on the page, made and real."""

_STEP = 64
"""Pictures between two reports of progress."""

Bar = Callable[[str, str], AbstractContextManager[Callable[[int, int | None], None]]]
"""As :func:`custom_datasets.cli.progress_bar`."""


class _Namer(NamedTuple):
    """A classifier, and the digests of its training pictures where they are known."""

    predictor: Predictor
    trained_on: frozenset[str] | None
    facts: dict[str, Any]


def judge_generator(
    run: str,
    checkpoint: str | None = None,
    *,
    bar: Bar,
    count: int = 50,
    seed: int = 0,
    classifier: str | None = None,
    out: str | None = None,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> str:
    """Make pictures, measure them, and write ``judge.html`` and ``judge.json``.

    Args:
        run: A generator's work directory.
        checkpoint: Another one than the run's best.
        bar: Shows progress.
        count: Pictures of each class.
        seed: Of the first of each class; the next has the next.
        classifier: The work directory of a classifier's run.
        out: The folder; None is the run's.
        device: As :class:`Generator` has it.
        options: Likewise, of the generator.
        trust: Likewise.

    Returns:
        A few lines for the user.

    Raises:
        UserError: The run is no generator's, the other no classifier's of its classes,
            no real picture was held out, or something can't be read or written.
    """
    if seed + count - 1 > MAX_SEED:
        raise UserError(f'seed {seed}: with {count} pictures ends above {MAX_SEED}')
    generator = Generator.from_run(
        run, checkpoint, device=device, options=options, trust=trust
    )
    namer = None
    if classifier is not None:
        namer = _read_classifier(classifier, generator.classes, device, trust)
    training = _each_once(generator.pictures('train'))
    test = _each_once(generator.pictures('test'))
    held_out = _without_copies(test, training)
    if not held_out.paths:
        raise UserError(
            f'{run}: each picture of the test set is in the training set too, so '
            'nothing real is left to compare with; split the data with '
            'tools/dataset_converters/split.py, and train again'
        )
    seeds = list(range(seed, seed + count)) * len(generator.classes)
    names = [name for name in generator.classes for _ in range(count)]
    with bar('making pictures', 'steps') as show:
        pixels = generator.generate(names, seeds, show)
    labels = torch.arange(len(generator.classes)).repeat_interleave(count)
    made = RealPictures(pixels, labels, ())

    notes = _notes(generator, training, held_out, len(test.paths), checkpoint)
    unmeasured = []
    try:
        network = FeatureNetwork.load()
    except UserError as error:
        network = None
        unmeasured.append(f'Kernel distance, precision, recall and spread: {error}')
    told, known = None, None
    if namer is None:
        unmeasured.append(
            'Class agreement: it takes a classifier of these classes, best one that '
            'was trained on other pictures; run: python '
            f'tools/analysis_tools/judge_generator.py {run} --classifier RUN'
        )
    else:
        digests = _digests(held_out.paths)
        seen = np.isin(digests, list(namer.trained_on or ()))
        namer.facts['held_out_too'] = int(seen.sum())
        generators = set(_digests(training.paths)) if namer.trained_on else set()
        namer.facts['training_too'] = len(generators & set(namer.trained_on or ()))
        told = _names(namer.predictor, made, bar)
        known = _names(namer.predictor, held_out, bar, seen)
    if len(held_out.paths) < FEWEST:
        unmeasured.append(
            f'Copies: only {counted(len(held_out.paths), "pictures")} held out'
        )
    mirrored = training._replace(pixels=training.pixels.flip(3))
    sets = Sets(
        _measure(made, network, bar, 'made', told),
        _measure(held_out, network, bar, 'held-out', known),
        _measure(training, network, bar, 'training'),
        _measure(mirrored, network, bar, 'mirrored training'),
    )
    numbers = judge(sets, generator.classes, seed)
    content: dict[str, Any] = {
        'run': {
            'folder': run,
            'checkpoint': generator.checkpoint,
            'kind': generator.kind,
            'options': {name: str(value) for name, value in (options or {}).items()},
            'size': generator.size,
            'count': count,
            'seed': seed,
            'date': datetime.now().astimezone().isoformat(timespec='seconds'),
            'versions': used_versions(),
        },
        'classes': list(generator.classes),
        'pictures': {
            'made': len(labels),
            'held_out': len(held_out.paths),
            'held_out_copies': len(test.paths) - len(held_out.paths),
            'training': len(training.paths),
        },
        'classifier': namer and namer.facts,
        'notes': notes,
        'unmeasured': unmeasured,
        **numbers,
    }
    content['copying'] = [
        _named_pairs(part, names, seeds, training.paths) for part in numbers['copying']
    ]
    content['summary'] = judgement_summary(content)
    folder = out or run
    shown = _shown(numbers, made, held_out, training, len(generator.classes))
    text = json.dumps(content, indent=1, allow_nan=False)
    page = render_judgement(json.loads(text), shown, folder)
    write_files(folder, {PAGE: page, JSON_NAME: text.encode()})
    path = os.path.join(folder, PAGE)
    lines = [*notes, *unmeasured, *content['summary']]
    return '\n'.join([*lines, f'{path}: {len(page) / 1e6:.1f} MB'])


def _read_classifier(
    run: str, classes: Sequence[str], device: str | None, trust: bool
) -> _Namer:
    predictor = Predictor.from_run(run, device=device, trust=trust)
    if predictor.task != 'classification':
        raise UserError(
            f"{run}: is a detector's run; --classifier takes that of a classifier"
        )
    unknown = [name for name in classes if name not in predictor.classes]
    if len(unknown) == len(classes):
        raise UserError(
            f'{run}: knows none of the classes {", ".join(classes)}; it tells '
            f'{", ".join(predictor.classes)}'
        )
    facts: dict[str, Any] = {
        'folder': run,
        'checkpoint': predictor.checkpoint,
        'unknown_classes': unknown,
        'training_pictures': None,
        'why': None,
    }
    network: Any = predictor.network
    try:
        with quiet(), use_scope(network.cfg.default_scope):
            dataset = DATASETS.build(network.cfg.train_dataloader.dataset)
        trained_on = frozenset(_digests(describe_dataset(dataset).paths))
    except UserError as error:
        facts['why'] = str(error)
        return _Namer(predictor, None, facts)
    facts['training_pictures'] = len(trained_on)
    return _Namer(predictor, trained_on, facts)


def _notes(
    generator: Generator,
    training: RealPictures,
    held_out: RealPictures,
    before: int,
    checkpoint: str | None,
) -> list[str]:
    notes = []
    copies = before - len(held_out.paths)
    if copies:
        notes.append(
            f'{counted(copies, "pictures")} of the test set left out: the training '
            'set has the same, if only mirrored.'
        )
    for pictures, where in ((training, 'training'), (held_out, 'test')):
        present = set(pictures.labels.tolist())
        lacking = [n for k, n in enumerate(generator.classes) if k not in present]
        if lacking:
            notes.append(f'The {where} set has no picture of {", ".join(lacking)}.')
    if generator.kind == 'best' and checkpoint is None:
        chosen_on = set(generator.pictures('val').paths)
        shared = sum(path in chosen_on for path in held_out.paths)
        if shared:
            notes.append(
                f'The checkpoint was chosen on {counted(shared, "pictures")} of the '
                f'{len(held_out.paths)} that were held out: it may look a little too '
                'good.'
            )
    return notes


def _each_once(pictures: RealPictures) -> RealPictures:
    """Leave out the repetitions of a set that shows some pictures more often."""
    rows = list({path: row for row, path in enumerate(pictures.paths)}.values())
    return _rows(pictures, rows)


def _without_copies(test: RealPictures, training: RealPictures) -> RealPictures:
    """Leave out what the generator was trained on, to the last pixel, or mirrored."""
    known = {picture.numpy().tobytes() for picture in training.pixels}
    known |= {picture.numpy().tobytes() for picture in training.pixels.flip(3)}
    rows = [
        row
        for row, picture in enumerate(test.pixels)
        if picture.numpy().tobytes() not in known
    ]
    return _rows(test, rows)


def _rows(pictures: RealPictures, rows: list[int]) -> RealPictures:
    paths = tuple(pictures.paths[row] for row in rows)
    return RealPictures(pictures.pixels[rows], pictures.labels[rows], paths)


def _names(
    predictor: Predictor, pictures: RealPictures, bar: Bar, seen: Any = None
) -> list[str | None]:
    """Return what a classifier calls pictures; None for those that it has ``seen``."""
    images = pictures.pixels.flip(1).permute(0, 2, 3, 1).contiguous().numpy()
    names: list[str | None] = []
    with bar('naming', 'pictures') as show:
        for answer in predictor.stream(images, batch_size=_STEP):
            if not isinstance(answer, Classification):
                raise UserError(f'the classifier refuses a picture: {answer}')
            names.append(answer.name)
            show(len(names), len(images))
    if seen is not None:
        names = [None if s else n for n, s in zip(names, seen, strict=True)]
    return names


def _measure(
    pictures: RealPictures,
    network: FeatureNetwork | None,
    bar: Bar,
    which: str,
    names: Sequence[str | None] | None = None,
) -> Pictures:
    small = F.interpolate(
        pictures.pixels.float(), (_PLACES, _PLACES), mode='bilinear', antialias=True
    )
    features = None
    if network:
        parts = []
        with bar(f'features of {which} pictures', 'pictures') as show:
            for start in range(0, len(pictures.pixels), _STEP):
                parts.append(network.features(pictures.pixels[start : start + _STEP]))
                show(min(start + _STEP, len(pictures.pixels)), len(pictures.pixels))
        features = np.concatenate(parts)
    return Pictures(
        pictures.labels.numpy(), small.flatten(1).numpy(), features, names or ()
    )


def _digests(paths: Sequence[str]) -> list[str]:
    digests = []
    for path in paths:
        try:
            with open(path, 'rb') as file:
                digests.append(hashlib.sha256(file.read()).hexdigest())
        except OSError as error:
            raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    return digests


def _named_pairs(
    part: Copying, names: Sequence[str], seeds: Sequence[int], paths: Sequence[str]
) -> dict[str, Any]:
    """Say what a pair is by class, seed and path, which last longer than numbers."""
    pairs = [
        {
            **pair,
            'made': {'class': names[pair['made']], 'seed': seeds[pair['made']]},
            'training': paths[pair['training']],
        }
        for pair in part['pairs']
    ]
    return {**part, 'pairs': pairs}


def _shown(
    numbers: Numbers,
    made: RealPictures,
    held_out: RealPictures,
    training: RealPictures,
    classes: int,
) -> ShownPictures:
    def of_class(pictures: RealPictures, label: int) -> Any:
        return _pixels(pictures.pixels[pictures.labels == label][:_SHOWN])

    def pair(each: Any) -> Any:
        known = training.pixels[each['training']]
        known = known.flip(2) if each['mirrored'] else known
        return _pixels(torch.stack([made.pixels[each['made']], known]))

    return ShownPictures(
        [(of_class(made, k), of_class(held_out, k)) for k in range(classes)],
        [[pair(each) for each in part['pairs']] for part in numbers['copying']],
    )


def _pixels(pictures: torch.Tensor) -> Any:
    """Return (N, height, width, 3), BGR."""
    return pictures.flip(1).permute(0, 2, 3, 1).contiguous().numpy()
