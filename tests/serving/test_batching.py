"""The queue and its batches, around a predictor that can be held."""

import asyncio
import threading
from typing import Any, NamedTuple

import pytest

from custom_datasets.errors import ImageError
from custom_datasets.serving.batching import Batcher
from custom_datasets.serving.bodies import Upload
from custom_datasets.serving.limits import Limits
from custom_datasets.serving.metrics import Metrics
from custom_datasets.serving.problems import Problem


class Image(NamedTuple):
    data: bytes
    shape: tuple[int, ...]
    pixels: Any = None


class Held:
    """Predicts by upper case, when it may, and notes the batches."""

    def __init__(self):
        self.may = threading.Event()
        self.may.set()
        self.batches = []
        self.calls = 0

    def prepare(self, data, name, *, threshold, max_pixels):
        if data == b'damaged':
            raise ImageError(name, 'is damaged')
        shape = (len(data),) if data.startswith(b'sized') else ()
        return Image(data, shape)

    def predict(self, images):
        self.calls += 1
        self.may.wait(10)
        self.batches.append([image.data for image in images])
        if any(image.data == b'poison' for image in images):
            raise RuntimeError('poison')
        return [image.data.upper() for image in images]


def serve(test, **limits):
    """Run an async test with a batcher and a held predictor."""

    async def run():
        batcher = Batcher(Limits(**limits), Metrics())
        await batcher.start()
        try:
            return await asyncio.wait_for(test(batcher, Held()), 20)
        finally:
            await batcher.stop()

    return asyncio.run(run())


def ask(batcher, predictor, data):
    return asyncio.create_task(batcher.predict(predictor, Upload('image', data), None))


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_what_waits_meanwhile_shares_a_run():
    async def test(batcher, predictor):
        predictor.may.clear()
        first = ask(batcher, predictor, b'a')
        await until(lambda: predictor.calls)
        rest = [ask(batcher, predictor, text) for text in (b'b', b'c', b'd', b'e')]
        await until(lambda: len(batcher._jobs) == 4)
        predictor.may.set()
        assert await asyncio.gather(first, *rest) == [b'A', b'B', b'C', b'D', b'E']
        return predictor.batches

    assert serve(test, batch=3) == [[b'a'], [b'b', b'c', b'd'], [b'e']]


def test_images_of_another_size_or_for_another_model_have_a_run_of_their_own():
    async def test(batcher, predictor):
        other = Held()
        predictor.may.clear()
        first = ask(batcher, predictor, b'a')
        await until(lambda: predictor.calls)
        rest = []
        for owner, text in [
            (predictor, b'b'),
            (predictor, b'sized'),
            (other, b'c'),
            (predictor, b'd'),
        ]:
            rest.append(ask(batcher, owner, text))
            await until(lambda: len(batcher._jobs) == len(rest))
        predictor.may.set()
        await asyncio.gather(first, *rest)
        return predictor.batches, other.batches

    batches, others = serve(test)
    assert batches == [[b'a'], [b'b', b'd'], [b'sized']]
    assert others == [[b'c']]


def test_a_bad_image_in_a_batch_answers_for_itself_alone():
    async def test(batcher, predictor):
        predictor.may.clear()
        first = ask(batcher, predictor, b'a')
        await until(lambda: predictor.calls)
        texts = (b'b', b'poison', b'damaged', b'c')
        rest = [ask(batcher, predictor, text) for text in texts]
        await until(lambda: len(batcher._jobs) == 3)
        predictor.may.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    answers = serve(test)
    assert (answers[0], answers[1], answers[4]) == (b'A', b'B', b'C')
    assert isinstance(answers[2], RuntimeError)
    assert isinstance(answers[3], ImageError)


def test_nobody_predicts_for_who_has_gone():
    async def test(batcher, predictor):
        predictor.may.clear()
        first = ask(batcher, predictor, b'a')
        await until(lambda: predictor.calls)
        gone, stays = ask(batcher, predictor, b'b'), ask(batcher, predictor, b'c')
        await until(lambda: len(batcher._jobs) == 2)
        gone.cancel()
        await asyncio.sleep(0)
        predictor.may.set()
        await asyncio.gather(first, stays)
        return predictor.batches

    assert serve(test) == [[b'a'], [b'c']]


def test_a_full_queue_says_when_to_come_back():
    async def test(batcher, predictor):
        with batcher.places(3):
            with pytest.raises(Problem, match='full') as raised, batcher.places(2):
                pass
            assert batcher.metrics.accepted == 3
            with batcher.places(1):
                assert batcher.metrics.accepted == 4
        assert batcher.metrics.accepted == 0
        return raised.value

    problem = serve(test, queue=4)
    assert problem.status == 429
    assert int(problem.headers['Retry-After']) >= 1


def test_a_lone_image_waits_for_nobody():
    async def test(batcher, predictor):
        return await batcher.predict(predictor, Upload('image', b'a'), None)

    assert serve(test, batch_wait=1e6) == b'A'


def test_a_batch_waits_for_images_in_preparation_but_not_for_long():
    async def test(batcher, predictor):
        slow = threading.Event()
        prepare = predictor.prepare

        def prepare_slowly(data, name, **settings):
            if data == b'slow':
                slow.wait(10)
            return prepare(data, name, **settings)

        predictor.prepare = prepare_slowly
        late = ask(batcher, predictor, b'slow')
        await asyncio.sleep(0.02)
        early = await ask(batcher, predictor, b'a')
        slow.set()
        assert (early, await late) == (b'A', b'SLOW')
        return predictor.batches

    assert serve(test, batch_wait=0.01) == [[b'a'], [b'slow']]
