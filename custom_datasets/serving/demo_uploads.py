"""Visitors' pictures: from the browser, back to it, and off the server."""

import base64
import mimetypes
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from custom_datasets.serving.bodies import Upload


class BrowserImage(TypedDict, total=False):
    """An image as Gradio's page sends and takes it.

    ``path`` is a file on the server, in which an upload arrived; ``url`` may contain
    the image itself.
    """

    path: str | None
    url: str | None
    orig_name: str | None


def read_picture(image: BrowserImage, folder: str) -> Upload | None:
    """Return a visitor's picture; None where its file is not among the uploads.

    Args:
        image: As the page sent it, so nothing of it can be believed.
        folder: Where uploads are.
    """
    name = image.get('orig_name') or 'picture'
    url = image.get('url') or ''
    if url.startswith('data:'):
        try:
            return Upload(name, base64.b64decode(url.partition(',')[2], validate=True))
        except ValueError:
            return Upload(name, b'')
    try:
        path = Path(image.get('path') or '').resolve()
        if not path.is_relative_to(Path(folder).resolve()):
            return None
        return Upload(name, path.read_bytes())
    except (OSError, ValueError):
        return None


def browser_image(picture: Upload) -> BrowserImage:
    """Return a picture for a page that keeps it, so that the server need not."""
    kind = mimetypes.guess_type(picture.name)[0] or ''
    if not kind.startswith('image/'):
        kind = 'image/jpeg'
    return {'url': data_url(picture.data, kind), 'orig_name': picture.name}


def data_url(data: bytes, kind: str) -> str:
    """Return an address that contains a file."""
    return f'data:{kind};base64,{base64.b64encode(data).decode("ascii")}'


def delete_uploads(folder: str, seconds: float) -> None:
    """Delete what nobody has written to for some time, and folders without a file."""
    oldest = time.time() - seconds
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = os.path.join(parent, name)
            # Whoever uploads the same picture meanwhile may have moved it.
            with suppress(FileNotFoundError):
                if os.path.getmtime(path) <= oldest:
                    os.remove(path)
        if parent != folder:
            with suppress(OSError):  # It is not empty.
                os.rmdir(parent)
