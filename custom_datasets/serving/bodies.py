"""The images in a request's body: a form, raw bytes, or base64 in JSON."""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from custom_datasets.data.decode import guess_kind
from custom_datasets.data.image_kinds import STARTS
from custom_datasets.errors import ImageError
from custom_datasets.serving.limits import Limits
from custom_datasets.serving.problems import Problem, too_large

FORM, JSON = 'multipart/form-data', 'application/json'
FIELD = 'image'
"""The field of a form that holds an image."""

_RAW = 'application/octet-stream'
_LONGEST_NAME = 200
_MANY_BYTES = 65_536
_AVIF = b'ftypavif', b'ftypavis'


class Upload(NamedTuple):
    """An image as it came; ``name`` is the visitor's, for the answer only."""

    name: str
    data: bytes


def require_kind(upload: Upload) -> None:
    """Let images of common kinds pass, by how they begin.

    Pillow and OpenCV know dozens of others, some of which run programs, write files, or
    do not say how large they are before they are decoded.

    Raises:
        ImageError: It is another kind.
    """
    data = upload.data
    if data and not data.startswith((*STARTS,)) and data[4:12] not in _AVIF:
        raise ImageError(upload.name, guess_kind(data))


async def read_uploads(request: Request, limits: Limits) -> list[Upload]:
    """Read the images of a request into memory; nothing is written to a disk.

    Raises:
        Problem: The body is of another kind, too large, too slow, or has no image.
    """
    kind = request.headers.get('content-type', '').partition(';')[0].strip().lower()
    if not (kind in (FORM, JSON, _RAW) or kind.startswith('image/')):
        raise Problem(
            415,
            f'Content-Type is {kind or "missing"}; send {FORM} with a field '
            f'{FIELD}, an image as it is (image/jpeg, {_RAW}), or {JSON} with base64',
        )
    packing = request.headers.get('content-encoding', 'identity')
    if packing.lower() != 'identity':
        raise Problem(415, f'the body is packed ({packing[:40]}); send it as it is')
    body = await _read_body(request, limits)
    if kind == FORM:
        read = partial(_from_form, request.headers, body, limits)
    elif kind == JSON:
        read = partial(_from_json, body, limits)
    else:
        return [Upload('image', body)]
    # What takes more than a moment would keep all others waiting.
    return await asyncio.to_thread(read) if len(body) > _MANY_BYTES else read()


async def _read_body(request: Request, limits: Limits) -> bytes:
    try:
        size = int(request.headers.get('content-length', '0'))
    except ValueError:
        raise Problem(400, 'Content-Length is no number') from None
    if size > limits.bytes:
        raise too_large(limits.bytes)
    body = bytearray()
    try:
        async for chunk in _before(request.stream(), limits.upload_seconds):
            body += chunk
            if len(body) > limits.bytes:
                raise too_large(limits.bytes)
    except asyncio.TimeoutError:
        raise Problem(
            408,
            f'the body took longer than {limits.upload_seconds:g} s',
            {'Connection': 'close'},
        ) from None
    except ClientDisconnect:
        raise Problem(400, 'the body ended too early') from None
    return bytes(body)


async def _before(chunks: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    """Pass on chunks until the time is over; raise asyncio's TimeoutError then."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            yield await asyncio.wait_for(anext(chunks), end - loop.time())
        except StopAsyncIteration:
            return


class _InMemory(MultiPartParser):
    """Starlette's parser without its files on the disk."""

    spool_max_size = 1 << 62


def _from_form(headers: Headers, body: bytes, limits: Limits) -> list[Upload]:
    reading = _read_form(headers, body, limits)
    try:
        reading.send(None)
    except StopIteration as end:
        uploads: list[Upload] = end.value
        return uploads
    raise AssertionError('reading from memory waits for nothing')


async def _read_form(headers: Headers, body: bytes, limits: Limits) -> list[Upload]:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = _InMemory(headers, whole(), max_files=limits.images, max_fields=8)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith('Too many files'):
            raise _too_many(limits) from None
        raise Problem(400, f'the form cannot be read: {error.message}') from None
    uploads = []
    try:
        for field in form.getlist(FIELD):
            if not isinstance(field, UploadFile):
                raise Problem(
                    400, f'the field {FIELD} is text; send it as a file, with a name'
                )
            name = (field.filename or 'image')[:_LONGEST_NAME]
            uploads.append(Upload(name, await field.read()))
    finally:
        await form.close()
    if not uploads:
        names = ', '.join(sorted({str(name)[:40] for name in form})) or 'nothing'
        raise Problem(400, f'the form has no field {FIELD}, but {names}')
    return uploads


def _from_json(body: bytes, limits: Limits) -> list[Upload]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f'the body is not JSON ({error})') from None
    images = None
    if isinstance(content, dict):
        images = content.get('image', content.get('images'))
    if isinstance(images, str):
        images = [images]
    if not (isinstance(images, list) and images):
        raise Problem(400, 'the JSON has no images: send {"image": "<base64>"}')
    if len(images) > limits.images:
        raise _too_many(limits)
    names = _names(len(images))
    return [
        Upload(name, _from_base64(image, name))
        for name, image in zip(names, images, strict=True)
    ]


def _from_base64(text: Any, name: str) -> bytes:
    if not isinstance(text, str):
        raise Problem(400, f'{name} is not base64 text, but {type(text).__name__}')
    if text.startswith('data:'):
        text = text.partition(',')[2]
    try:
        return base64.b64decode(''.join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Problem(400, f'{name} is not base64') from None


def _names(count: int) -> Sequence[str]:
    return ['image'] if count == 1 else [f'image {k + 1}' for k in range(count)]


def _too_many(limits: Limits) -> Problem:
    return Problem(413, f'there are too many images: at most {limits.images} a request')
