"""Many requests, one network: a bounded queue and small batches."""

import asyncio
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from custom_datasets.predicting.outputs import Answer
from custom_datasets.predicting.predictor import Predictor, Prepared
from custom_datasets.serving.bodies import Upload
from custom_datasets.serving.limits import Limits
from custom_datasets.serving.metrics import Metrics
from custom_datasets.serving.problems import queue_full

_MOST_DECODING = 4
_SMOOTHING = 0.1


@dataclass(frozen=True, eq=False)
class _Job:
    """An image that waits for the network, and whoever waits for its answer."""

    predictor: Predictor
    image: Prepared
    answer: asyncio.Future[Answer]

    def fits(self, other: '_Job') -> bool:
        """Tell whether both can share a run of the network."""
        return (
            self.predictor is other.predictor and self.image.shape == other.image.shape
        )


class Batcher:
    """Decodes images in threads, and predicts on those that wait in one run.

    It belongs to the event loop in which :meth:`start` was awaited. Batches have
    images of one size, first come, first served; a lone image never waits for others.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        """Keep what is allowed and where to count."""
        self.limits = limits
        self.metrics = metrics
        self._preparing = 0
        self._jobs: deque[_Job] = deque()
        self._seconds_per_image = 0.1
        threads = min(_MOST_DECODING, os.cpu_count() or 1)
        self._decoders = ThreadPoolExecutor(threads, 'decoding')
        self._network = ThreadPoolExecutor(1, 'network')

    async def start(self) -> None:
        """Begin to take jobs."""
        self._arrived = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, when nothing is accepted any more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._decoders.shutdown(cancel_futures=True)
        self._network.shutdown(cancel_futures=True)

    @contextmanager
    def places(self, images: int) -> Iterator[None]:
        """Hold places in the queue; raises a Problem where it has too few."""
        if self.metrics.accepted + images > self.limits.queue:
            raise queue_full(self.metrics.accepted * self._seconds_per_image)
        with self.metrics.waiting(images):
            yield

    async def predict(
        self, predictor: Predictor, upload: Upload, threshold: float | None
    ) -> Answer:
        """Return the answer on an image for which a place is held.

        Raises:
            ImageError: It cannot be decoded.
        """
        loop = asyncio.get_running_loop()
        prepare = partial(_prepare, predictor, upload, threshold, self.limits.pixels)
        self._preparing += 1
        try:
            image = await loop.run_in_executor(self._decoders, prepare)
        finally:
            self._preparing -= 1
            self._arrived.set()
        job = _Job(predictor, image, loop.create_future())
        self._jobs.append(job)
        return await job.answer

    async def paint(self, answer: Answer) -> bytes:
        """Return an answer's painted image as a JPEG file."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._decoders, answer.to_jpeg)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wait_for_jobs()
            batch = self._next_batch()
            if not batch:
                continue
            self.metrics.batches.observe(len(batch))
            start = loop.time()
            await loop.run_in_executor(self._network, self._predict, batch, loop)
            pace = (loop.time() - start) / len(batch)
            self._seconds_per_image += _SMOOTHING * (pace - self._seconds_per_image)

    async def _wait_for_jobs(self) -> None:
        """Wait for a job, and a moment for those that are nearly ready."""
        loop = asyncio.get_running_loop()
        while not self._jobs:
            self._arrived.clear()
            await self._arrived.wait()
        end = loop.time() + self.limits.batch_wait
        while self._preparing and len(self._jobs) < self.limits.batch:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), end - loop.time())
            except asyncio.TimeoutError:
                return

    def _next_batch(self) -> list[_Job]:
        """Take the oldest job that somebody waits for, and those that fit to it."""
        jobs = [job for job in self._jobs if not job.answer.done()]
        batch = [job for job in jobs if job.fits(jobs[0])][: self.limits.batch]
        self._jobs = deque(job for job in jobs if job not in batch)
        return batch

    def _predict(self, batch: list[_Job], loop: asyncio.AbstractEventLoop) -> None:
        """Predict in the network's thread; a job's error is its own."""
        try:
            answers = batch[0].predictor.predict([job.image for job in batch])
        except Exception as error:
            if len(batch) > 1:
                for job in batch:
                    self._predict([job], loop)
                return
            loop.call_soon_threadsafe(_fail, batch[0], error)
            return
        for job, answer in zip(batch, answers, strict=True):
            loop.call_soon_threadsafe(_answer, job, answer)


def _prepare(
    predictor: Predictor, upload: Upload, threshold: float | None, max_pixels: int
) -> Prepared:
    """Make the network's input of an upload, without the pixels that it came from."""
    image = predictor.prepare(
        upload.data, upload.name, threshold=threshold, max_pixels=max_pixels
    )
    return image._replace(pixels=None)


def _answer(job: _Job, answer: Answer) -> None:
    if not job.answer.done():
        job.answer.set_result(answer)


def _fail(job: _Job, error: Exception) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)
