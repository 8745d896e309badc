"""The model in processes of Ray Serve, and the application that calls them.

Ray makes, watches and replaces the processes: :class:`Replica` has a predictor, and
:class:`Entry` the application, whose engine is :class:`RayEngine`.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from fastapi import FastAPI

from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting.images import Pixels, read_pixels
from custom_datasets.predicting.outputs import Answer
from custom_datasets.predicting.predictor import Predictor, Prepared
from custom_datasets.serving.app import create_app
from custom_datasets.serving.bodies import Upload
from custom_datasets.serving.engine import Facts, load_model
from custom_datasets.serving.limits import Service
from custom_datasets.serving.log import log, use_json
from custom_datasets.serving.metrics import Metrics
from custom_datasets.serving.problems import Problem, not_ready, queue_full

REPLICA = 'model'
"""What the deployment of the model is called."""

_DECODING = 2
_LOOK_SECONDS = 1.0
_AGREE_SECONDS = 60.0
_RETRY = {'Retry-After': '1'}


class Reply(NamedTuple):
    """What a replica answers.

    Attributes:
        answer: On the image, without a way to read it again; or what is wrong with it.
        version: Of the checkpoint that answered.
        batch: Images that shared the run of the network, told with one of them; else 0.
    """

    answer: Answer | ImageError
    version: str
    batch: int


class Replica:
    """A predictor in a process of its own."""

    def __init__(self, service: Service, json_log: bool) -> None:
        """Load what is served, and let it predict once.

        Raises:
            UserError: It cannot be loaded.
        """
        from ray import serve

        use_json(json_log)
        self.service = service
        self.predictor, self.facts = load_model(service)
        self.fault = ''
        self._doubtful = False
        self._loading = ThreadPoolExecutor(1, 'loading')
        self._decoders = ThreadPoolExecutor(_DECODING, 'decoding')
        self._network = ThreadPoolExecutor(1, 'network')
        self._run = serve.batch(
            self._run_batch,
            max_batch_size=service.limits.batch,
            batch_wait_timeout_s=service.limits.batch_wait,
        )

    async def load(self) -> tuple[Facts, str]:
        """Load the checkpoint again, and keep the old one where that fails.

        Returns what answers now, and why it is not the newer one, or an empty text.
        """
        loop = asyncio.get_running_loop()
        try:
            self.predictor, self.facts = await loop.run_in_executor(
                self._loading, load_model, self.service
            )
        except UserError as error:
            self.fault = str(error)
        else:
            self.fault = ''
        return await self.about()

    async def about(self) -> tuple[Facts, str]:
        """Return what answers, and why nothing newer does."""
        return self.facts, self.fault

    async def predict(self, upload: Upload, threshold: float | None) -> Reply:
        """Return the answer on an image, or the error of one that cannot be used."""
        predictor, version = self.predictor, self.facts.version
        loop = asyncio.get_running_loop()
        prepare = partial(
            predictor.prepare,
            upload.data,
            upload.name,
            threshold=threshold,
            max_pixels=self.service.limits.pixels,
        )
        try:
            image = await loop.run_in_executor(self._decoders, prepare)
        except ImageError as error:
            return Reply(error, version, 0)
        # The picture need not travel back.
        image = image._replace(read=_elsewhere)
        answer, batch = await self._run((predictor, image))
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer, version, batch)

    async def check_health(self) -> None:
        """Raise once the network fails on what it could do: Ray replaces this process.

        A failure on one image is no proof; the example then has to be predicted on.
        """
        if self._doubtful:
            loop = asyncio.get_running_loop()
            example = self.facts.example.data
            await loop.run_in_executor(self._network, self.predictor, example)
            self._doubtful = False

    async def _run_batch(
        self, jobs: list[tuple[Predictor, Prepared]]
    ) -> list[tuple[Answer | Exception, int]]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._network, self._answer, jobs)

    def _answer(
        self, jobs: Sequence[tuple[Predictor, Prepared]]
    ) -> list[tuple[Answer | Exception, int]]:
        """Predict on images of one size at once; an image's error is its own."""
        groups: dict[Any, list[int]] = {}
        for number, (predictor, image) in enumerate(jobs):
            groups.setdefault((predictor, image.shape), []).append(number)
        answers: dict[int, tuple[Answer | Exception, int]] = {}
        for (predictor, _), numbers in groups.items():
            try:
                together = predictor.predict([jobs[n][1] for n in numbers])
            except Exception as error:
                self._doubtful = True
                if len(jobs) == 1:
                    return [(error, 0)]
                for n in numbers:
                    (answers[n],) = self._answer([jobs[n]])
                continue
            counts = [len(numbers)] + [0] * (len(numbers) - 1)
            answers |= zip(numbers, zip(together, counts, strict=True), strict=True)
        return [answers[n] for n in range(len(jobs))]


class RayEngine:
    """What the routes need, of replicas that Ray keeps."""

    def __init__(self, service: Service, metrics: Metrics, replicas: Any) -> None:
        """Keep Ray's handle of the replicas."""
        self.service = service
        self.metrics = metrics
        self.facts: Facts | None = None
        self.fault = ''
        self._replicas = replicas
        self._running = 0
        self._next_agreement = 0.0
        self._ending = False
        self._painters = ThreadPoolExecutor(_DECODING, 'painting')

    async def start(self) -> None:
        """Return when a replica can answer; from then on, look how many can."""
        while not await self._count_running():
            await asyncio.sleep(_LOOK_SECONDS)
        self._take(*await self._replicas.about.remote())
        self._looking = asyncio.create_task(self._look())

    async def reload(self) -> None:
        """Let all replicas load the checkpoint; one keeps its own where that fails."""
        if self.facts is None:
            return  # They are loading, and that is the newest.
        replies = await self._replicas.broadcast('load').results_async(
            return_exceptions=True
        )
        for reply in replies:  # What ended meanwhile loads when it is back.
            if not isinstance(reply, Exception):
                self._take(*reply)
        if self.fault:
            log('error', f'{self.fault}; {self.facts.version} goes on')
        else:
            log('info', f'{self.facts.version} answers now')

    def _take(self, facts: Facts, fault: str) -> None:
        if self.facts is not None and self.facts.version != facts.version:
            self.metrics.models.remove(self.facts.version)
        self.facts, self.fault = facts, fault
        self.metrics.models.labels(facts.version).set(1)

    def _agree(self) -> None:
        """Let all load: one that Ray has started later has found a newer checkpoint."""
        now = time.monotonic()
        if now > self._next_agreement:
            self._next_agreement = now + _AGREE_SECONDS
            self._agreeing = asyncio.create_task(self.reload())

    async def stop(self) -> None:
        """End, when nothing is accepted any more."""
        if self.facts is not None:
            self._looking.cancel()
        self._painters.shutdown(cancel_futures=True)

    def refuse_new(self) -> None:
        """Answer what was accepted, and no more."""
        self._ending = True
        self.metrics.ready.set(0)

    @contextmanager
    def places(self, images: int) -> Iterator[None]:
        """Count images; raise a Problem where no replica is. The queue is Ray's."""
        if self._ending:
            raise not_ready('the server ends; ask again later')
        if self.facts is None:
            raise not_ready('the model is not loaded yet')
        if not self._running:
            raise not_ready('no process has the model now')
        with self.metrics.waiting(images):
            yield

    async def predict(self, upload: Upload, threshold: float | None) -> Answer:
        """Return the answer on an image; raise an ImageError or a Problem."""
        from ray.exceptions import RayError, RayTaskError
        from ray.serve.exceptions import BackPressureError, RayServeException

        try:
            reply = await self._replicas.predict.remote(upload, threshold)
        except BackPressureError:
            raise queue_full(1) from None
        except RayTaskError:
            raise
        except (RayError, RayServeException) as error:
            log('error', f'a process ended: {type(error).__name__}')
            raise Problem(
                503, 'the process that had the image has ended; send it again', _RETRY
            ) from None
        if reply.batch:
            self.metrics.batches.observe(reply.batch)
        if self.facts is not None and reply.version != self.facts.version:
            self._agree()
        if isinstance(reply.answer, ImageError):
            raise reply.answer
        read = partial(
            read_pixels, upload.data, upload.name, self.service.limits.pixels
        )
        answer: Answer = replace(reply.answer, read=read)
        return answer

    async def paint(self, answer: Answer) -> bytes:
        """Return an answer's painted image as a JPEG file."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._painters, answer.to_jpeg)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._count_running()

    async def _count_running(self) -> int:
        """Ask Ray how many replicas run; those that load a newer checkpoint do."""
        from ray import serve
        from ray.exceptions import RayError

        loop = asyncio.get_running_loop()
        try:
            status = await loop.run_in_executor(None, serve.status)
        except RayError:
            return self._running  # Ray's controller restarts; the replicas go on.
        for app in status.applications.values():
            if REPLICA in app.deployments:
                states = app.deployments[REPLICA].replica_states
                self._running = sum(states.get(name, 0) for name in _ANSWERING)
        self.metrics.ready.set(0 if self._ending else self._running)
        return self._running


_ANSWERING = ('RUNNING', 'UPDATING')


class Entry:
    """The application, in a process of its own; Ray sends it all requests."""

    def __init__(self, service: Service, json_log: bool, replicas: Any) -> None:
        """Make the engine."""
        use_json(json_log)
        self.service = service
        self.metrics = Metrics()
        self.engine = RayEngine(service, self.metrics, replicas)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application, as Ray asks for it."""
        return create_app(self.service, self.engine, self.metrics)

    async def drain(self) -> None:
        """Accept nothing more, and return when what was accepted is answered."""
        self.engine.refuse_new()
        while self.engine.metrics.accepted:
            await asyncio.sleep(0.05)

    async def reload(self) -> None:
        """Let all replicas load the checkpoint."""
        await self.engine.reload()


def _elsewhere() -> Pixels:
    raise AssertionError('a replica does not keep pictures')
