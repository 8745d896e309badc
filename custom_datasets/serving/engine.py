"""The model behind a server: loaded, warmed up, replaced without losing a request."""

import asyncio
import gc
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from custom_datasets.errors import UserError
from custom_datasets.files import file_digest
from custom_datasets.predicting.config import quiet
from custom_datasets.predicting.outputs import Answer
from custom_datasets.predicting.predictor import Predictor
from custom_datasets.predicting.run_folder import Decision
from custom_datasets.serving.batching import Batcher
from custom_datasets.serving.bodies import Upload, require_kind
from custom_datasets.serving.examples import (
    Example,
    drawn_examples,
    read_example,
    shrink_example,
)
from custom_datasets.serving.limits import Service
from custom_datasets.serving.log import log
from custom_datasets.serving.metrics import Metrics
from custom_datasets.serving.problems import not_ready

_LONGEST_EXAMPLE = 320


@dataclass(frozen=True)
class Facts:
    """What answers.

    Attributes:
        task: ``detection`` or ``classification``.
        classes: Their names, in the order of the labels.
        decision: The threshold that counts where a request says none.
        version: Of the checkpoint: its name, and the first digits of its SHA-256.
        checkpoint: The name of its file.
        loaded: When, in seconds since 1970.
        example: A small picture.
        answer: What the model said of it.
    """

    task: str
    classes: tuple[str, ...]
    decision: Decision
    version: str
    checkpoint: str
    loaded: float
    example: Example
    answer: Answer


class Engine(Protocol):
    """What the routes need of whatever runs the model.

    ``facts`` are None until it can answer.
    """

    facts: Facts | None
    fault: str
    """Why the last attempt to load a checkpoint failed; empty after a success."""

    async def start(self) -> None:
        """Begin to load; called in the event loop that serves."""

    async def reload(self) -> None:
        """Load the checkpoint again, and keep the old one where that fails."""

    async def stop(self) -> None:
        """End, when nothing is accepted any more."""

    def refuse_new(self) -> None:
        """Answer what was accepted, and no more."""

    def places(self, images: int) -> AbstractContextManager[None]:
        """Hold places in the queue; raise a Problem where there are too few."""

    async def predict(self, upload: Upload, threshold: float | None) -> Answer:
        """Return the answer on an image; raise an ImageError or a Problem."""

    async def paint(self, answer: Answer) -> bytes:
        """Return an answer's painted image as a JPEG file."""


class LocalEngine:
    """A predictor in this process."""

    def __init__(self, service: Service, metrics: Metrics) -> None:
        """Keep what to load."""
        self.service = service
        self.metrics = metrics
        self.facts: Facts | None = None
        self.fault = ''
        self._batcher = Batcher(service.limits, metrics)
        self._loading = ThreadPoolExecutor(1, 'loading')
        self._predictor: Predictor | None = None
        self._ending = False
        self._again = False

    async def start(self) -> None:
        """Load, and return when it can answer.

        Raises:
            UserError: It cannot be loaded.
        """
        await self._batcher.start()
        await self._load()
        if self._again:
            await self.reload()

    async def reload(self) -> None:
        """Load the run's checkpoint again, and keep the old one where that fails."""
        if self.facts is None:  # The first is still loading, maybe an older file.
            self._again = True
            return
        try:
            await self._load()
        except UserError as error:
            log('error', f'{error}; {self.facts.version} goes on')
        else:
            log('info', f'{self.facts.version} answers now')

    async def _load(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            predictor, facts = await loop.run_in_executor(
                self._loading, load_model, self.service
            )
        except UserError as error:
            self.fault = str(error)
            raise
        if self.facts is not None and self.facts.version != facts.version:
            self.metrics.models.remove(self.facts.version)
        self._predictor, self.facts, self.fault = predictor, facts, ''
        await loop.run_in_executor(self._loading, _settle)
        self.metrics.models.labels(facts.version).set(1)
        self.metrics.ready.set(0 if self._ending else 1)

    def refuse_new(self) -> None:
        """Answer what was accepted, and no more."""
        self._ending = True
        self.metrics.ready.set(0)

    async def stop(self) -> None:
        """End, when nothing is accepted any more."""
        await self._batcher.stop()
        self._loading.shutdown(cancel_futures=True)

    @contextmanager
    def places(self, images: int) -> Iterator[None]:
        """Hold places in the queue; raise a Problem where there are too few."""
        if self._ending:
            raise not_ready('the server ends; ask again later')
        if self._predictor is None:
            raise not_ready('the model is not loaded yet')
        with self._batcher.places(images):
            yield

    async def predict(self, upload: Upload, threshold: float | None) -> Answer:
        """Return the answer on an image; raise an ImageError."""
        assert self._predictor is not None  # A place is held.
        require_kind(upload)
        return await self._batcher.predict(self._predictor, upload, threshold)

    async def paint(self, answer: Answer) -> bytes:
        """Return an answer's painted image as a JPEG file."""
        return await self._batcher.paint(answer)


def _settle() -> None:
    """Exempt what a model brought from garbage collection.

    Looking through its 500,000 objects would stop all requests for half a second, at
    any time.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def load_model(service: Service) -> tuple[Predictor, Facts]:
    """Load what is to be served, and let it predict once.

    Raises:
        UserError: Something is missing, damaged, or does not fit together.
    """
    with quiet():
        predictor = _read_predictor(service)
    example = _example(service)
    answer = predictor(example.data)
    name = os.path.basename(predictor.checkpoint)
    facts = Facts(
        predictor.task,
        predictor.classes,
        predictor.decision,
        f'{os.path.splitext(name)[0]}-{_digest(predictor.checkpoint)[:12]}',
        name,
        time.time(),
        example,
        answer,
    )
    return predictor, facts


def _read_predictor(service: Service) -> Predictor:
    settings = {
        'threshold': service.threshold,
        'device': service.device,
        'options': service.options,
        'trust': service.trust,
    }
    return Predictor.open(service.model, service.checkpoint, **settings)


def _digest(path: str) -> str:
    try:
        return file_digest(path)
    except OSError as error:  # Gone, or from an address.
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error


def _example(service: Service) -> Example:
    """Return the example, small enough to stand in the documentation."""
    path = service.example
    example = drawn_examples()[0] if path is None else read_example(path)
    return shrink_example(example, _LONGEST_EXAMPLE)
