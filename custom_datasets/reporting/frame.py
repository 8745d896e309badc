"""What every page is: one HTML file that needs no other and runs nothing."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from errno import EISDIR
from typing import NamedTuple

from custom_datasets.errors import UserError
from custom_datasets.reporting.colours import Colour
from custom_datasets.reporting.markup import Content, Html, element, fragment
from custom_datasets.reporting.style import style_sheet


class Section(NamedTuple):
    """A part of a page.

    Attributes:
        name: Its anchor.
        title: What the page's navigation calls it.
        body: What :func:`custom_datasets.reporting.layout.section` wrote.
    """

    name: str
    title: str
    body: Html


def frame_page(
    heading: str,
    kind: str,
    header: Content,
    sections: Sequence[Section],
    colours: Sequence[Colour],
    frame: float,
    style: str = '',
) -> str:
    """Return a whole page.

    Args:
        heading: What it is about.
        kind: What sort of report it is, for the browser's tab.
        header: What stands between the heading and the navigation.
        sections: Its parts, in order.
        colours: One for each class ``c0``, ``c1``, ... of the style sheet.
        frame: Width over height of most pictures.
        style: What its sections need beyond the common style sheet.
    """
    links = [element('a', part.title, href=f'#{part.name}') for part in sections]
    head = element(
        'head',
        element('meta', charset='utf-8'),
        element('meta', name='viewport', content='width=device-width,initial-scale=1'),
        element('title', f'{heading}: {kind}'),
        element('style', Html(style_sheet(colours) + style)),
    )
    body = element(
        'body',
        element(
            'header',
            element('h1', heading),
            header,
            element('nav', links, aria_label='Sections'),
        ),
        element('main', [part.body for part in sections]),
        style=f'--frame: {frame:.2f}',
    )
    return fragment(Html('<!DOCTYPE html>'), element('html', head, body, lang='en'))


def encode_page(text: str, most_bytes: int) -> bytes:
    """Return a page's bytes; what is not text in a file name is escaped."""
    data = text.encode('utf-8', 'backslashreplace')
    assert len(data) < most_bytes
    return data


def write_files(folder: str, files: Mapping[str, bytes]) -> None:
    """Write files, all of them or none, and the folders that lead to them.

    Args:
        folder: Where.
        files: What is in each, by name. One of that name is replaced.

    Raises:
        UserError: They can't be written.
    """
    path = folder
    with ExitStack() as stack:
        try:
            os.makedirs(folder, exist_ok=True)
            ready = {}
            for name, data in files.items():
                path = os.path.join(folder, name)
                if os.path.isdir(path):
                    raise IsADirectoryError(EISDIR, 'a folder of that name is there')
                with tempfile.NamedTemporaryFile(
                    dir=folder, prefix='.', delete=False
                ) as file:
                    stack.callback(_remove, file.name)
                    file.write(data)
                os.chmod(file.name, 0o644)
                ready[path] = file.name
            # Nothing can run out of room any more.
            for path, work in ready.items():
                os.replace(work, path)
        except OSError as error:
            raise UserError(f'{path}: cannot be written ({error.strerror})') from error


def _remove(path: str) -> None:
    with suppress(OSError):
        os.remove(path)
