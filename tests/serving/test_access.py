"""Who may ask, for how long, and how much: around an engine that is under control."""

import asyncio
import contextlib
import json
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from custom_datasets.serving.app import create_app
from custom_datasets.serving.engine import LocalEngine
from custom_datasets.serving.limits import Limits, Service
from custom_datasets.serving.log import log, use_json
from custom_datasets.serving.metrics import Metrics
from custom_datasets.serving.problems import Problem
from tests.serving.test_app import form, problem


@pytest.fixture
def image(photo):
    return Path(photo).read_bytes()


class Controlled(LocalEngine):
    """The real one, whose answers take as long as a test wants, or fail."""

    seconds = 0.0
    error = None

    async def predict(self, upload, threshold):
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return await super().predict(upload, threshold)


@contextlib.contextmanager
def serving(service, **changes):
    """Serve with some settings changed; loads the model, which takes a second."""
    settings = {**vars(service), **changes}
    service, metrics = Service(**settings), Metrics()
    engine = Controlled(service, metrics)
    with TestClient(create_app(service, engine, metrics)) as client:
        yield client, engine


def test_the_key_opens_what_predicts_and_what_counts(service, image):
    with serving(service, key='s3cret é') as (client, _):
        for path in ('/', '/health', '/ready', '/docs', '/openapi.json', '/example'):
            assert client.get(path).status_code == 200
        right = {'authorization': 'Bearer s3cret é'.encode()}
        for headers in ({}, {'authorization': 'Bearer s3cret'}, {'authorization': ''}):
            for path in ('/tag', '/predict'):
                answer = client.post(path, files=form(image), headers=headers)
                assert 'Authorization: Bearer' in problem(answer, 401)
                assert answer.headers['www-authenticate'] == 'Bearer'
            problem(client.get('/metrics', headers=headers), 401)
        assert client.post('/tag', files=form(image), headers=right).json()['tags']
        assert client.get('/metrics', headers=right).status_code == 200
        described = client.get('/openapi.json').json()
        assert described['paths']['/tag']['post']['security'] == [{'key': []}]
        assert described['components']['securitySchemes']['key']['scheme'] == 'bearer'


def test_pages_of_other_origins_may_ask_only_where_they_are_named(
    service, client, image
):
    asked = {'origin': 'https://app.example', 'access-control-request-method': 'POST'}
    allowed = 'access-control-allow-origin'
    assert allowed not in client.options('/tag', headers=asked).headers
    assert allowed not in client.get('/health', headers=asked).headers
    with serving(service, origins=('https://app.example',), key='k') as (named, _):
        assert named.options('/tag', headers=asked).headers[allowed] == asked['origin']
        answer = named.post('/tag', files=form(image), headers=asked)
        problem(answer, 401)
        # Or the page could not read why.
        assert answer.headers[allowed] == asked['origin']
        other = {**asked, 'origin': 'https://evil.example'}
        assert allowed not in named.options('/tag', headers=other).headers


def test_what_takes_too_long_or_fails_has_a_sentence(service, image, capfd):
    with serving(service, limits=Limits(seconds=0.3)) as (client, engine):
        engine.seconds = 9
        answer = client.post('/tag', files=form(image))
        assert 'longer than 0.3 s' in problem(answer, 504)
        assert answer.headers['retry-after']
        engine.seconds = 0
        assert client.post('/tag', files=form(image)).status_code == 200
        engine.error = RuntimeError('a secret of the server')
        answer = client.post('/tag', files=form(image))
        assert 'the server failed (RuntimeError)' in problem(answer, 500)
        assert 'secret' not in answer.text
        err = capfd.readouterr().err
        assert 'a secret of the server' in err
        assert f'request_id={answer.headers["x-request-id"]}' in err


def test_a_full_queue_and_an_ending_server_take_nothing(service, image):
    with serving(service, limits=Limits(queue=2, images=2)) as (client, engine):
        with engine.places(2):
            answer = client.post('/tag', files=form(image))
            assert 'the queue is full' in problem(answer, 429)
            assert int(answer.headers['retry-after']) >= 1
            assert client.get('/health').status_code == 200
            assert client.get('/ready').status_code == 200
        with engine.places(1):
            problem(client.post('/predict', files=form(image, image)), 429)
            assert client.post('/predict', files=form(image)).status_code == 200
        engine.refuse_new()
        answer = client.post('/tag', files=form(image))
        assert 'the server ends' in problem(answer, 503)
        assert answer.headers['retry-after']
        problem(client.get('/ready'), 503)
        assert client.get('/health').status_code == 200


def test_more_uploads_than_allowed_wait_outside(service, image):
    service, metrics = (
        Service(**{**vars(service), 'limits': Limits(uploads=1)}),
        Metrics(),
    )
    engine = LocalEngine(service, metrics)
    transport = httpx.ASGITransport(create_app(service, engine, metrics))

    async def test():
        await engine.start()
        async with httpx.AsyncClient(transport=transport, base_url='http://me') as me:
            refused = []

            async def body():
                yield image[:10]
                # Meanwhile another one comes.
                refused.append(await me.post('/tag', files=form(image)))
                yield image[10:]

            kind = {'content-type': 'image/png'}
            answer = await me.post('/tag', content=body(), headers=kind)
        await engine.stop()
        return answer, refused

    answer, refused = asyncio.run(test())
    assert answer.status_code == 200
    assert 'the queue is full' in problem(refused[0], 429)


def test_pixels_are_limited(service, image):
    with serving(service, limits=Limits(pixels=90 * 60 - 1)) as (client, _):
        answer = client.post('/tag', files=form(image))
        assert 'is too large: 90 x 60 pixels' in problem(answer, 422)


def test_the_log_is_one_line_of_json_on_request(capfd):
    use_json(True)
    try:
        log('info', 'two\nlines', status=200)
    finally:
        use_json(False)
    line = capfd.readouterr().err
    assert line.count('\n') == 1
    record = json.loads(line)
    assert record['message'] == 'two\nlines' and record['status'] == 200
    assert record['level'] == 'info' and record['time']


def test_a_service_keeps_its_key_to_itself():
    assert 'secret' not in repr(Service('run', key='secret'))


@pytest.mark.parametrize(
    ('model', 'name'),
    [('work_dirs/sample/', 'sample'), ('configs/bccd/a_b.py', 'a_b')],
)
def test_a_service_is_called_by_its_run_or_config(model, name):
    assert Service(model).name == name


def test_a_problem_keeps_its_sentence():
    assert str(Problem(400, 'why')) == 'why'
