"""Connections that must not keep a server waiting, nor learn nothing of a refusal."""

import asyncio
import math
import uuid
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from custom_datasets.serving.limits import Limits
from custom_datasets.serving.problems import Problem

_LINGER_SECONDS = 2.0
_WRITE_SECONDS = 30.0


class Connection(H11Protocol):
    """uvicorn's, which by itself waits for a request's head for ever.

    It ends where a head takes too long, where nobody reads an answer, and where there
    are too many connections and no other waits longer. Whoever is refused in the middle
    of a body may go on sending for a moment: at a closed door the answer would be lost.
    """

    def __init__(self, *args: Any, limits: Limits, **settings: Any) -> None:
        """Take what uvicorn gives, and what is allowed."""
        super().__init__(*args, **settings)
        self.limits = limits
        self.discards = False
        """Whether what arrives is thrown away."""
        self._unwanted = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for a request, in place of another where there are too many."""
        super().connection_made(_Transport(transport, self))  # type: ignore[arg-type]
        if len(self.connections) > self.limits.connections:
            self._longest_waiting().transport.abort()
        self._end_in(self.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and wait for the rest of a head."""
        sent_on = self.discards or self._sends_unwanted()
        self._unwanted = self._unwanted + len(data) if sent_on else 0
        if self._unwanted > self.limits.bytes:
            self.transport.abort()
        if self.discards or self.transport.is_closing():
            return
        super().data_received(data)
        if not self._is_idle():
            self._stop_timer()
        elif self._timer is None or (sent_on and not self._sends_unwanted()):
            self._end_in(self.limits.header_seconds)

    def on_response_complete(self) -> None:
        """Wait for the next request, and less for a body that nobody reads."""
        super().on_response_complete()
        if self._is_idle() and not self.transport.is_closing():
            unwanted = self._sends_unwanted()
            self._end_in(_LINGER_SECONDS if unwanted else self.limits.header_seconds)

    def pause_writing(self) -> None:
        """Wait for the answer to be read."""
        super().pause_writing()
        self._end_in(_WRITE_SECONDS)

    def resume_writing(self) -> None:
        """Wait for the next request, if all is written."""
        super().resume_writing()
        self._stop_timer()
        if self._is_idle():
            self._end_in(self.limits.header_seconds)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP with a problem document, where that is possible."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        response = Problem(400, 'the request is not HTTP').response(uuid.uuid4().hex)
        headers = [*response.raw_headers, (b'connection', b'close')]
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b'')
        self.transport.close()

    def lingers(self) -> bool:
        """Begin to discard what is still sent, and tell whether anything may be."""
        if self.discards or self.conn.their_state not in (h11.SEND_BODY, h11.ERROR):
            return False
        self.discards = True
        self.flow.resume_reading()
        self._end_in(_LINGER_SECONDS)
        return True

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _sends_unwanted(self) -> bool:
        return self._is_idle() and self.conn.their_state is h11.SEND_BODY

    def _longest_waiting(self) -> 'Connection':
        """Return the connection whose time is over first, or this where none waits."""

        def end(connection: Connection) -> float:
            if connection._timer is None or not connection._is_idle():
                return math.inf
            return connection._timer.when()

        others = [c for c in self.connections if isinstance(c, Connection)]
        first = min(others, key=end)
        return first if end(first) < math.inf else self

    def _end_in(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Transport:
    """asyncio's, whose ``close`` ends only the writing while the other side sends."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        if self._transport.is_closing() or not self._connection.lingers():
            self._transport.close()
        elif self._transport.can_write_eof():
            self._transport.write_eof()

    def is_closing(self) -> bool:
        return self._connection.discards or self._transport.is_closing()
