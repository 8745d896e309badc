"""The one way in which anything here runs a trained model on pictures.

predictor = Predictor.from_run('work_dirs/sample')
result = predictor('image.jpg')
print(result.names)
result.save('painted.jpg')
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, cast, overload

import numpy as np
from PIL import Image

from custom_datasets.data.image_kinds import MAX_PIXELS
from custom_datasets.errors import ImageError, UserError
from custom_datasets.evaluation.calibration import log_probabilities, with_temperature
from custom_datasets.predicting.exported import ABOUT, ExportedNetwork, is_export
from custom_datasets.predicting.images import (
    Picture,
    Pixels,
    picture_name,
    read_pixels,
)
from custom_datasets.predicting.outputs import (
    Answer,
    BoxArrays,
    Classification,
    Detections,
    RawAnswer,
)
from custom_datasets.predicting.run_folder import (
    Decision,
    Threshold,
    decide,
    find_checkpoint,
    find_config,
)
from custom_datasets.predicting.threads import map_in_threads, one_ahead

if TYPE_CHECKING:
    from custom_datasets.predicting.model import Network

_MOST_PIXELS = 32 << 20
"""A batch with more takes no further image, so that large ones fit into memory."""


class Predictor:
    """A trained detector or classifier, ready for images.

    It may be called from several threads, which take turns on the network.

    Attributes:
        task: ``detection`` or ``classification``.
        classes: The names of the classes, in the order of the labels.
        decision: The threshold and the temperature in use, and why these.
        checkpoint: Its path; of an exported model that of its ``model.json``.
        kind: ``best`` or ``last`` of a run, ``given``, or ``exported``.
    """

    def __init__(
        self,
        config: str | os.PathLike[str],
        checkpoint: str | os.PathLike[str],
        *,
        threshold: Threshold | None = None,
        device: str | None = None,
        options: Mapping[str, Any] | None = None,
        trust: bool = False,
        calibrate: bool = True,
    ) -> None:
        """Load a config and a checkpoint.

        Args:
            config: The leaf that it was trained with, or what training left of it.
            checkpoint: What training left. A ``report.json`` beside it that is about
                this checkpoint says threshold and temperature.
            threshold: Lowest score that counts, or ``'per-class'`` for the report's;
                None takes the report's overall one, else 0.3 for a detector and 0
                for a classifier.
            device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; None is the first GPU, if
                there is one.
            options: What ``--cfg-options`` sets, by dotted name.
            trust: Whether to run whatever code the checkpoint brings.
            calibrate: Whether the temperature of a report applies.

        Raises:
            UserError: Something is missing, damaged, or does not fit together.
        """
        self.config, self.checkpoint = os.fspath(config), os.fspath(checkpoint)
        self.kind = 'given'
        # With torch, which whoever only imports this does without.
        from custom_datasets.predicting.model import read_network

        network = read_network(
            self.config, self.checkpoint, options, device=device, trust=trust
        )
        self.network: Network | ExportedNetwork = network
        self.task = self.network.task
        self.classes = self.network.classes
        self.decision = decide(
            os.path.dirname(self.checkpoint),
            self.checkpoint,
            network.facts,
            self.classes,
            self.task,
            threshold,
        )
        if not calibrate:
            self.decision = replace(self.decision, temperature=None)

    @classmethod
    def from_run(
        cls,
        folder: str | os.PathLike[str],
        *,
        threshold: Threshold | None = None,
        device: str | None = None,
        options: Mapping[str, Any] | None = None,
        trust: bool = False,
        calibrate: bool = True,
    ) -> 'Predictor':
        """Load the best checkpoint in a run's work directory, else the last.

        See :meth:`__init__` for the rest.
        """
        path = os.fspath(folder)
        config = find_config(path)
        checkpoint, kind = find_checkpoint(path)
        predictor = cls(
            config,
            checkpoint,
            threshold=threshold,
            device=device,
            options=options,
            trust=trust,
            calibrate=calibrate,
        )
        predictor.kind = kind
        return predictor

    @classmethod
    def from_export(
        cls,
        folder: str | os.PathLike[str],
        *,
        threshold: Threshold | None = None,
        calibrate: bool = True,
        runtime: str | None = None,
    ) -> 'Predictor':
        """Load what ``tools/export.py`` wrote, without PyTorch and mmdet.

        Args:
            folder: It.
            threshold: As in :meth:`__init__`; None is what counted when the model was
                exported.
            calibrate: Whether the temperature of that time applies.
            runtime: ``openvino`` or ``onnx``; None is the first that is in the folder
                and installed.

        Raises:
            UserError: It is incomplete or damaged, or nothing here can run it.
        """
        path = os.fspath(folder)
        predictor = cls.__new__(cls)
        predictor.config = predictor.checkpoint = os.path.join(path, ABOUT)
        predictor.kind = 'exported'
        predictor.network = network = ExportedNetwork(path, runtime)
        predictor.task, predictor.classes = network.task, network.classes
        predictor.decision = network.decide(threshold)
        if not calibrate:
            predictor.decision = replace(predictor.decision, temperature=None)
        return predictor

    @classmethod
    def open(
        cls,
        model: str | os.PathLike[str],
        checkpoint: str | os.PathLike[str] | None = None,
        *,
        threshold: Threshold | None = None,
        device: str | None = None,
        options: Mapping[str, Any] | None = None,
        trust: bool = False,
        calibrate: bool = True,
    ) -> 'Predictor':
        """Load an exported model, a run, or a config and a checkpoint.

        Args:
            model: A folder or a config; with ``checkpoint`` also a run's folder, whose
                config is taken.
            checkpoint: As in :meth:`__init__`.
            threshold: As there.
            device: As there.
            options: As there.
            trust: As there.
            calibrate: As there.

        Raises:
            UserError: Something is missing, damaged, or does not fit together.
        """
        path = os.fspath(model)
        if is_export(path):
            faults = {
                'takes no checkpoint': checkpoint is not None,
                'runs on the CPU only': device not in (None, 'cpu'),
                'has no settings left to change': bool(options),
            }
            if any(faults.values()):
                fault = next(text for text, is_one in faults.items() if is_one)
                raise UserError(f'{path}: is an exported model, which {fault}')
            return cls.from_export(path, threshold=threshold, calibrate=calibrate)
        settings: dict[str, Any] = {
            'threshold': threshold,
            'device': device,
            'options': options,
            'trust': trust,
            'calibrate': calibrate,
        }
        if checkpoint is None:
            return cls.from_run(path, **settings)
        config = find_config(path) if os.path.isdir(path) else path
        return cls(config, checkpoint, **settings)

    def __repr__(self) -> str:
        """Show what predicts at a prompt."""
        return f'<Predictor: {self}>'

    def __str__(self) -> str:
        """Say what predicts, and which answers it believes."""
        kind = '' if self.kind == 'given' else f' ({self.kind})'
        return f'{self.checkpoint}{kind}; {self.decision}'

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, images: Picture, *, batch_size: int = 1
    ) -> Answer: ...

    @overload
    def __call__(
        self, images: Sequence[Picture], *, batch_size: int = 1
    ) -> list[Answer | ImageError]: ...

    def __call__(
        self, images: Picture | Sequence[Picture], *, batch_size: int = 1
    ) -> Answer | list[Answer | ImageError]:
        """Predict on an image, or on several.

        Args:
            images: Paths, contents of files, pixels in BGR or images of Pillow; one
                or a sequence. A four-dimensional array is a sequence.
            batch_size: Images per run of the network, at most: only those that have
                one size there share a run, since a padded image has other answers.

        Returns:
            The answer; of several, a list of one for each, in which an image that
            cannot be used has its :class:`ImageError` in its place.

        Raises:
            ImageError: The single image cannot be used.
        """
        if _is_one(images):
            (answer,) = self.stream([images])
            if isinstance(answer, ImageError):
                raise answer
            return answer
        several = cast(Sequence[Picture], images)
        return list(self.stream(several, batch_size=batch_size))

    def stream(
        self,
        images: Iterable[Picture | Callable[[], Picture]],
        *,
        batch_size: int = 1,
        names: Iterable[str] | None = None,
    ) -> Iterator[Answer | ImageError]:
        """Predict on images one after the other, without keeping them.

        As :meth:`__call__` with several. An image can also be a function that returns
        one, or raises an ImageError; ``names`` are for results and messages.
        """
        for answer, _ in self.stream_pixels(images, batch_size, names):
            yield answer

    def stream_pixels(
        self,
        images: Iterable[Picture | Callable[[], Picture]],
        batch_size: int = 1,
        names: Iterable[str] | None = None,
        ahead: bool = False,
    ) -> Iterator[tuple[Answer | ImageError, Pixels | None]]:
        """Predict as :meth:`stream`, and hand on the pixels, BGR, for who paints.

        With ``ahead``, threads take and prepare the images of the next batch while the
        network is at one, so the images must not depend on the answers.
        """
        if _is_one(images):
            images = [images]
        if batch_size < 1:
            raise ValueError(f'batch_size={batch_size}: must be at least 1')
        called: Iterable[str | None] = repeat(None) if names is None else names
        mapped = map_in_threads if ahead else map
        rows = mapped(self._try_to_prepare, zip(images, called, strict=False))
        batches = _batches(rows, batch_size)
        for batch in one_ahead(batches) if ahead else batches:
            groups: dict[Any, list[Prepared]] = {}
            for row in batch:
                if isinstance(row, Prepared):
                    groups.setdefault(row.shape, []).append(row)
            answers = {
                shape: iter(self.predict(rows)) for shape, rows in groups.items()
            }
            for row in batch:
                if isinstance(row, Prepared):
                    yield next(answers[row.shape]), row.pixels
                else:
                    yield row, None

    def prepare(
        self,
        image: Picture,
        name: str | None = None,
        *,
        threshold: float | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> 'Prepared':
        """Read an image and make the network's input of it, in any thread.

        Args:
            image: As in :meth:`__call__`.
            name: For the answer and for messages.
            threshold: Lowest score that counts on this image; None is the decided one.
            max_pixels: Larger images are refused before they are decoded.

        Raises:
            ImageError: The image cannot be used.
        """
        name = name or picture_name(image)
        pixels = read_pixels(image, name, max_pixels)
        packed = self.network.pipeline(pixels, name)
        decision = self.decision
        if threshold is not None:
            decision = replace(decision, threshold=threshold, why='as given')
        read = partial(read_pixels, image, name)
        size = pixels.shape[1], pixels.shape[0]
        return Prepared(name, size, pixels, read, packed, decision)

    def predict(self, images: Sequence['Prepared']) -> list[Answer]:
        """Predict on prepared images in one run; all must have one ``shape``."""
        answers = self.network.answers([row.packed for row in images])
        return [self._answer(*pair) for pair in zip(images, answers, strict=True)]

    def _try_to_prepare(
        self, named: tuple[Picture | Callable[[], Picture], str | None]
    ) -> 'Prepared | ImageError':
        image, name = named
        try:
            return self.prepare(image() if callable(image) else image, name)
        except ImageError as error:
            return error

    def _answer(self, row: 'Prepared', raw: RawAnswer) -> Answer:
        about = (
            row.name,
            row.size,
            self.classes,
            row.decision,
            row.read,
            self.network.palette,
        )
        if not isinstance(raw, BoxArrays):
            shares = raw
            if (temperature := row.decision.temperature) is not None:
                logs = with_temperature(log_probabilities(raw[None]), temperature)
                shares = np.exp(logs[0])
            return Classification(*about, shares)
        thresholds = np.array([row.decision.threshold_of(k) for k in raw.labels])
        order = np.argsort(-raw.scores, kind='stable')
        order = order[(raw.scores >= thresholds)[order]]
        return Detections(
            *about, raw.boxes[order], raw.scores[order], raw.labels[order]
        )


def _batches(
    rows: Iterable['Prepared | ImageError'], size: int
) -> Iterator[list['Prepared | ImageError']]:
    """Yield ``size`` rows together, or fewer where they have too many pixels.

    A batch ends at each multiple of ``size``, whatever came before: whoever goes on
    there has the same batches, and so the same answers, as who never stopped.
    """
    batch: list[Prepared | ImageError] = []
    pixels = 0
    for count, row in enumerate(rows, 1):
        batch.append(row)
        pixels += row.size[0] * row.size[1] if isinstance(row, Prepared) else 0
        if count % size == 0 or pixels > _MOST_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _is_one(images: Any) -> TypeGuard[Picture]:
    """Tell a single image from several; raise a TypeError for neither."""
    if isinstance(images, (str, bytes, os.PathLike, Image.Image)):
        return True
    if isinstance(images, np.ndarray):
        return images.ndim < 4
    if not isinstance(images, Iterable):
        raise TypeError(
            'an image is a path, bytes, an array or an image of Pillow, not '
            f'{type(images).__name__}'
        )
    return False


class Prepared(NamedTuple):
    """An image for the network, as :meth:`Predictor.prepare` returns it.

    ``size`` is width and height; ``read`` gives the pixels again, so that who waits may
    drop them; ``packed`` is what the test pipeline made of them.
    """

    name: str
    size: tuple[int, int]
    pixels: Pixels | None
    read: Callable[[], Pixels]
    packed: dict[str, Any]
    decision: Decision

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the network's input."""
        return tuple(self.packed['inputs'].shape)
