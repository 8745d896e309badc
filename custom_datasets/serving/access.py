"""What happens around each request: its id, the key, its time, its log line."""

import asyncio
import hmac
import re
import time
import traceback
import uuid
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from custom_datasets.serving.limits import Service
from custom_datasets.serving.log import log
from custom_datasets.serving.metrics import Metrics
from custom_datasets.serving.problems import Problem

REQUEST_ID = 'x-request-id'
_SOUND_ID = re.compile(r'[\w.:-]{1,64}', re.ASCII)
_LONGEST_PATH = 100
_ASKED_ALWAYS = ('/health', '/ready', '/metrics')
"""What a supervisor asks every few seconds is not worth a line where it is well."""


class Access:
    """An ASGI application around another.

    It gives each request an id, or takes the visitor's; asks for the key on
    ``guarded`` routes; ends what takes too long; turns what fails into a problem
    document; counts and logs.
    """

    def __init__(
        self, app: ASGIApp, service: Service, metrics: Metrics, guarded: Collection[str]
    ) -> None:
        """Keep what is inside, and the rules."""
        self.app = app
        self.service = service
        self.metrics = metrics
        self.guarded = guarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        given = Headers(scope=scope).get(REQUEST_ID, '')
        request_id = given if _SOUND_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault('state', {})['request_id'] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message['type'] == 'http.response.start':
                status = message['status']
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self._answer(scope, receive, send_with_id, request_id)
        except Exception as error:
            problem = _as_problem(error, request_id)
            if status:
                raise  # Half of an answer is out.
            await problem.response(request_id)(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get('route'), 'path', 'other')
            seconds = time.perf_counter() - start
            self.metrics.requests.labels(route, status).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            if status != 200 or scope['path'] not in _ASKED_ALWAYS:
                log(
                    'info',
                    f'{scope["method"]} {ascii(scope["path"])[1:-1][:_LONGEST_PATH]}',
                    status=status,
                    ms=round(seconds * 1000, 1),
                    request_id=request_id,
                )

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, request_id: str
    ) -> None:
        self._require_key(scope)
        seconds = self.service.limits.seconds
        if scope['path'] not in self.guarded:
            await self.app(scope, receive, send)
            return
        try:
            await asyncio.wait_for(self.app(scope, receive, send), seconds)
        except asyncio.TimeoutError:
            raise Problem(
                504, f'the answer took longer than {seconds:g} s', {'Retry-After': '5'}
            ) from None

    def _require_key(self, scope: Scope) -> None:
        if not self.service.key or scope['path'] not in self.guarded:
            return
        given = Headers(scope=scope).get('authorization', '')
        expected = f'Bearer {self.service.key}'
        # Headers are bytes, which Starlette reads as Latin-1.
        if not hmac.compare_digest(given.encode('latin-1'), expected.encode()):
            raise Problem(
                401,
                'the key is missing or wrong: send Authorization: Bearer <key>',
                {'WWW-Authenticate': 'Bearer'},
            )


def _as_problem(error: Exception, request_id: str) -> Problem:
    if isinstance(error, Problem):
        return error
    log('error', traceback.format_exc(), request_id=request_id)
    kind = type(error).__name__
    return Problem(500, f'the server failed ({kind}); its log says more')
