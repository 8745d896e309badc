"""Addresses of streams and of images: what they are called, and what is at them."""

import base64
import http.client
import re
import urllib.parse
import urllib.request

from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting.clips import STALL_SECONDS
from custom_datasets.predicting.images import MAX_BYTES

_ADDRESS = re.compile(r'(?:https?|rtsps?|rtmps?|udp|tcp|srt)://', re.IGNORECASE)


def is_address(text: str) -> bool:
    """Say whether a text is an address, of whatever is there."""
    return bool(_ADDRESS.match(text))


def public_text(text: str) -> str:
    """Return an address without user, password and query, any other text unchanged."""
    scheme = _ADDRESS.match(text)
    if not scheme:
        return text
    try:
        parts = _parse(text)
        place = f'{_host(parts)}{parts.path}'
    except ValueError:
        # Probably for a password with a slash or the like: it ends at the last @.
        place = re.split('[?#]', text[scheme.end() :].rpartition('@')[2])[0]
    return f'{scheme[0]}{place}'


def name_address(address: str) -> str:
    """Return what results are called, from host and path.

    Raises:
        UserError: It is not a valid address.
    """
    try:
        parts = _parse(address)
    except ValueError as error:
        hint = '; in a password, write / ? # [ ] as %2F %3F %23 %5B %5D'
        raise UserError(
            f'{public_text(address)}: is not a valid address'
            f'{hint if "@" in address else ""}'
        ) from error
    place = f'{_host(parts)}{parts.path}'
    return re.sub(r'[^\w.]+', '-', place).strip('-.') or 'stream'


def fetch_image(address: str) -> bytes:
    """Return the content of an image at an address; raises an ImageError."""
    place, parts = public_text(address), _parse(address)
    login, _, host = parts.netloc.rpartition('@')
    try:
        # Escaped as it must be; else the error, which is stored, has the query in it.
        path, query = (
            urllib.parse.quote(part, safe="%/:=&?~+!$,;'@()*[]")
            for part in (parts.path, parts.query)
        )
        bare = parts._replace(netloc=host, path=path, query=query)
        request = urllib.request.Request(bare.geturl())
        if login:
            packed = base64.b64encode(urllib.parse.unquote(login).encode()).decode()
            request.add_unredirected_header('Authorization', f'Basic {packed}')
        with urllib.request.urlopen(request, timeout=STALL_SECONDS) as answer:
            kind = answer.headers.get_content_type()
            if kind.startswith(('text/', 'multipart/')):
                raise ImageError(place, f'is {kind} and not an image')
            data: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, 'reason', None) or error
        raise ImageError(place, f'cannot be fetched ({reason})') from error
    if len(data) > MAX_BYTES:
        raise ImageError(
            place, f'has more than {MAX_BYTES:,} bytes, which is too large'
        )
    return data


def _parse(address: str) -> urllib.parse.SplitResult:
    """Take an address apart; raises a ValueError, also for a port that is none."""
    parts = urllib.parse.urlsplit(address)
    _ = parts.port
    return parts


def _host(parts: urllib.parse.SplitResult) -> str:
    return parts.netloc.rpartition('@')[2]  # Neither user nor password.
