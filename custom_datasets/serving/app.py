"""The HTTP application: its routes, around an engine."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

import custom_datasets
from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting.outputs import Answer
from custom_datasets.serving.access import REQUEST_ID, Access
from custom_datasets.serving.answers import (
    About,
    Prediction,
    Status,
    TagDictionary,
    TagList,
    image_answer,
    model_content,
    tag_dictionary,
    tag_list,
    threshold_content,
)
from custom_datasets.serving.bodies import FIELD, FORM, JSON, Upload, read_uploads
from custom_datasets.serving.engine import Engine, Facts
from custom_datasets.serving.limits import Service
from custom_datasets.serving.log import log
from custom_datasets.serving.metrics import Metrics
from custom_datasets.serving.problems import (
    Problem,
    not_ready,
    queue_full,
    responses,
)
from custom_datasets.serving.signals import attach_signals

PREDICTING = ('/tag', '/predict')
GUARDED = (*PREDICTING, '/metrics')
"""Routes that ask for the key, where there is one."""

Score = Annotated[
    float,
    Query(ge=0, le=1, description='Lowest score that counts; else that of GET /'),
]
_EXAMPLE = '/example'
_PREDICTIONS: list[str | Enum] = ['Predict']
_LINKS = ('tag', 'predict', 'health', 'ready', 'metrics', 'example', 'docs')
_ABOUT: list[str | Enum] = ['About the server']


def create_app(
    service: Service,
    engine: Engine,
    metrics: Metrics,
    on_fault: Callable[[], None] | None = None,
) -> FastAPI:
    """Build the application around an engine.

    Args:
        service: What is served and to whom.
        engine: What predicts.
        metrics: What the engine counts in, too.
        on_fault: Called where the first checkpoint cannot be loaded, which only a
            server can end.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        attach_signals(engine)
        starting = asyncio.create_task(_start(engine, on_fault))
        if service.load_first:
            await starting
        yield
        starting.cancel()
        await engine.stop()

    app = FastAPIOffline(
        title=service.name,
        version=custom_datasets.__version__,
        description='The model behind this server. Images are turned as EXIF says, as '
        f'in training. Nothing is stored. [An example picture]({_EXAMPLE}).',
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.engine = engine
    app.add_middleware(Access, service=service, metrics=metrics, guarded=GUARDED)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=service.origins,
        allow_methods=['GET', 'POST'],
        allow_headers=['Authorization', 'Content-Type', REQUEST_ID],
    )
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_unknown_query)
    app.add_exception_handler(HTTPException, _on_http_error)
    _add_predictions(app, service, engine)
    _add_facts(app, service, engine, metrics)
    app.openapi = lambda: _openapi(app, service, engine)  # type: ignore[method-assign]
    return app


async def _start(engine: Engine, on_fault: Callable[[], None] | None) -> None:
    try:
        await engine.start()
    except UserError as error:
        log('error', str(error))
        if on_fault is None:
            raise
        on_fault()
        return
    assert engine.facts is not None
    log('info', f'{engine.facts.version} answers; {engine.facts.decision}')


def _add_predictions(app: FastAPI, service: Service, engine: Engine) -> None:
    limits = service.limits
    arriving = 0

    async def read(request: Request) -> list[Upload]:
        nonlocal arriving
        # What cannot be accepted is told before its body is read.
        with engine.places(1):
            pass
        if arriving >= limits.uploads:
            raise queue_full(1)
        arriving += 1
        try:
            return await read_uploads(request, limits)
        finally:
            arriving -= 1

    async def one(request: Request, threshold: float | None) -> Answer:
        uploads = await read(request)
        if len(uploads) != 1:
            raise Problem(400, f'there are {len(uploads)} images; send one')
        try:
            with engine.places(1):
                return await engine.predict(uploads[0], threshold)
        except ImageError as error:
            raise Problem(422, str(error)) from None

    @app.post(
        '/tag',
        tags=_PREDICTIONS,
        summary='The classes on an image',
        response_model=TagList | TagDictionary,
        responses=responses(400, 401, 408, 413, 415, 422, 429, 503, 504),
        openapi_extra=_body(several=False),
    )
    async def tag(
        request: Request,
        form: Annotated[
            Literal['list', 'dict'],
            Query(alias='as', description='Names, or the score and the boxes of each'),
        ] = 'list',
        threshold: Score | None = None,
        top: Annotated[
            int, Query(ge=1, le=1000, description="A classifier's classes, at most")
        ] = 1,
    ) -> Response:
        """Say which classes are on an image."""
        answer = await one(request, threshold)
        content = tag_list if form == 'list' else tag_dictionary
        return JSONResponse(content(answer, top))

    @app.post(
        '/predict',
        tags=_PREDICTIONS,
        summary='Boxes or probabilities of one or several images',
        response_model=Prediction,
        responses={
            **responses(400, 401, 408, 413, 415, 422, 429, 503, 504),
            200: {'content': {'image/jpeg': {}}},
        },
        openapi_extra=_body(several=True),
    )
    async def predict(
        request: Request,
        threshold: Score | None = None,
        annotated: Annotated[
            bool, Query(description='Return the painted image of one, as JPEG')
        ] = False,
    ) -> Response:
        """Return boxes or probabilities of one or several images."""
        if annotated:
            answer = await one(request, threshold)
            return Response(await engine.paint(answer), media_type='image/jpeg')
        uploads = await read(request)
        with engine.places(len(uploads)):
            answers = await asyncio.gather(
                *(engine.predict(upload, threshold) for upload in uploads),
                return_exceptions=True,
            )
        facts = _facts(engine)
        return JSONResponse(_prediction(service, facts, uploads, answers, threshold))


def _prediction(
    service: Service,
    facts: Facts,
    uploads: list[Upload],
    answers: list[Any],
    threshold: float | None,
) -> dict[str, Any]:
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, ImageError):
            raise answer
    if len(answers) == 1 and isinstance(answers[0], ImageError):
        raise Problem(422, str(answers[0]))
    usual = threshold_content(facts.decision, facts.classes)
    return {
        'model': model_content(service.name, facts),
        'threshold': usual if threshold is None else threshold,
        'images': [
            {'name': upload.name, 'error': answer.problem}
            if isinstance(answer, ImageError)
            else image_answer(answer)
            for upload, answer in zip(uploads, answers, strict=True)
        ],
    }


def _add_facts(
    app: FastAPI, service: Service, engine: Engine, metrics: Metrics
) -> None:
    @app.get(
        '/',
        tags=_ABOUT,
        summary='What runs here',
        response_model=About,
        responses=responses(503),
    )
    async def about() -> dict[str, Any]:
        """Say what runs here."""
        facts = _facts(engine)
        return {
            'model': model_content(service.name, facts),
            'classes': list(facts.classes),
            'threshold': threshold_content(facts.decision, facts.classes),
            'loaded': time.strftime(
                '%Y-%m-%dT%H:%M:%S%z', time.localtime(facts.loaded)
            ),
            'problem': engine.fault,
            'limits': vars(service.limits),
            'links': {name: f'/{name}' for name in _LINKS},
        }

    @app.get(
        '/health', tags=_ABOUT, summary='Does the server live?', response_model=Status
    )
    async def health() -> dict[str, str]:
        """Say that the server lives, whether or not it can answer."""
        return {'status': 'alive'}

    @app.get(
        '/ready',
        tags=_ABOUT,
        summary='Can it answer?',
        response_model=Status,
        responses=responses(503),
    )
    async def ready() -> dict[str, str]:
        """Say whether it can answer: the model is loaded and has predicted once."""
        with engine.places(0):
            return {'status': 'ready'}

    @app.get(
        '/metrics',
        tags=_ABOUT,
        summary='Counts for Prometheus',
        response_class=Response,
        responses={**responses(401), 200: {'content': {'text/plain': {}}}},
    )
    async def prometheus() -> Response:
        """Return the counts as Prometheus reads them."""
        return Response(metrics.text(), media_type='text/plain; version=0.0.4')

    @app.get(
        _EXAMPLE,
        tags=_ABOUT,
        summary='A picture to try the model on',
        response_class=Response,
        responses={**responses(503), 200: {'content': {'image/jpeg': {}}}},
    )
    async def example() -> Response:
        """Return a picture to try the model on."""
        return Response(_facts(engine).example.data, media_type='image/jpeg')


def _facts(engine: Engine) -> Facts:
    if engine.facts is None:
        with engine.places(0):  # Says why not.
            pass
        raise not_ready('the model is not loaded yet')
    return engine.facts


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response(request.state.request_id)


async def _on_unknown_query(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    detail = f'{first["loc"][-1]}: {first["msg"]}'
    return Problem(400, detail).response(request.state.request_id)


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Answer for no such route, or no such method of one."""
    assert isinstance(error, HTTPException)
    path, method = request.url.path, request.method
    allowed = (error.headers or {}).get('Allow')
    details = {
        404: f'{path}: no such route; GET / lists them',
        405: f'{path}: {method} is not allowed; use {allowed}',
    }
    detail = details.get(error.status_code, str(error.detail))
    problem = Problem(error.status_code, detail, error.headers)
    return problem.response(request.state.request_id)


def _body(several: bool) -> dict[str, Any]:
    """Describe in OpenAPI what may be sent."""
    file = {'type': 'string', 'format': 'binary'}
    text = {'type': 'string', 'format': 'byte'}
    files = {'type': 'array', 'items': file, 'minItems': 1} if several else file
    field = {'images': {'type': 'array', 'items': text, 'minItems': 1}}
    one = {'type': 'object', 'properties': {'image': text}, 'required': ['image']}
    many = {'type': 'object', 'properties': field, 'required': ['images']}
    return {
        'requestBody': {
            'required': True,
            'content': {
                FORM: {
                    'schema': {
                        'type': 'object',
                        'properties': {FIELD: files},
                        'required': [FIELD],
                    }
                },
                JSON: {'schema': {'anyOf': [one, many]} if several else one},
                'image/*': {'schema': file},
                'application/octet-stream': {'schema': file},
            },
        }
    }


def _openapi(app: FastAPI, service: Service, engine: Engine) -> dict[str, Any]:
    """Describe the routes, with real answers on the example once there are some."""
    content: dict[str, Any] = json.loads(json.dumps(FastAPI.openapi(app)))
    if service.key:
        schemes = content['components'].setdefault('securitySchemes', {})
        schemes['key'] = {'type': 'http', 'scheme': 'bearer'}
        for path in GUARDED:
            for operation in content['paths'][path].values():
                operation['security'] = [{'key': []}]
    if engine.facts is None:
        return content
    facts = engine.facts
    usual = threshold_content(facts.decision, facts.classes)
    examples = {
        '/tag': {
            'list': tag_list(facts.answer, 1),
            'dict': tag_dictionary(facts.answer, 1),
        },
        '/predict': {
            'one image': {
                'model': model_content(service.name, facts),
                'threshold': usual,
                'images': [image_answer(facts.answer)],
            }
        },
    }
    image = base64.b64encode(facts.example.data).decode('ascii')
    for path, answers in examples.items():
        operation = content['paths'][path]['post']
        operation['requestBody']['content'][JSON]['example'] = {'image': image}
        operation['responses']['200']['content'][JSON]['examples'] = {
            name: {'value': answer} for name, answer in answers.items()
        }
    return content
