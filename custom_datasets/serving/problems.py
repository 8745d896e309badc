"""Errors as RFC 9457 has them: a problem document with one sentence."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

MEDIA_TYPE = 'application/problem+json'


class Problem(Exception):
    """A request that gets no answer, and why.

    Args:
        status: Of HTTP.
        detail: One sentence: what is wrong, and what to do.
        headers: To send along, such as ``Retry-After``.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep what the response says."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self, request_id: str) -> JSONResponse:
        """Return the problem document."""
        return JSONResponse(
            self.content(request_id),
            self.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )

    def content(self, request_id: str) -> dict[str, Any]:
        """Return the members of the document."""
        return ProblemDocument(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            request_id=request_id,
        ).model_dump()


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = 'about:blank'
    title: str = Field(description="The status's phrase.")
    status: int
    detail: str = Field(description='What is wrong, in one sentence.')
    request_id: str = Field(description='As in the log and in X-Request-ID.')


_MEANINGS = {
    400: 'the request is not understood',
    401: 'the key is missing or wrong',
    408: 'the body arrived too slowly',
    413: 'the body is too large, or has too many images',
    415: 'the body is of another kind than those listed',
    422: 'the image cannot be decoded',
    429: 'the queue is full',
    503: 'the model is not loaded yet, or the server ends',
    504: 'the answer took too long',
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe in OpenAPI which problems a route has."""
    schema = ProblemDocument.model_json_schema()
    return {
        status: {
            'description': _MEANINGS[status].capitalize(),
            'content': {
                MEDIA_TYPE: {
                    'schema': schema,
                    'example': Problem(status, _MEANINGS[status]).content('1f0e9c'),
                }
            },
        }
        for status in statuses
    }


def too_large(bytes_: int) -> Problem:
    """Return the problem of a body over the limit; the rest of it is not read."""
    return Problem(
        413, f'the body is too large: at most {bytes_:,} bytes', {'Connection': 'close'}
    )


def not_ready(reason: str) -> Problem:
    """Return the problem of a server that cannot answer now, but may soon."""
    return Problem(503, reason, {'Retry-After': '5'})


def queue_full(seconds: float) -> Problem:
    """Return the problem of a full queue, which may have room in some seconds."""
    wait = str(max(1, round(seconds)))
    return Problem(
        429, f'the queue is full; try again in {wait} s', {'Retry-After': wait}
    )
