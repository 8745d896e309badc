"""The application of the demo: its page, alone or beside the API."""

import asyncio
import math
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import gradio as gr
from fastapi import FastAPI, Response
from gradio.route_utils import API_PREFIX
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from custom_datasets.data.advice import Advice, read_advice
from custom_datasets.errors import UserError
from custom_datasets.predicting.config import read_settings
from custom_datasets.predicting.exported import is_export
from custom_datasets.predicting.run_folder import find_config
from custom_datasets.serving.app import create_app
from custom_datasets.serving.demo import Demo, build_page
from custom_datasets.serving.demo_texts import translations
from custom_datasets.serving.demo_uploads import delete_uploads
from custom_datasets.serving.engine import LocalEngine
from custom_datasets.serving.examples import Example, tested_examples
from custom_datasets.serving.limits import Service
from custom_datasets.serving.log import log
from custom_datasets.serving.metrics import Metrics
from custom_datasets.serving.server import OnFault, run_server
from custom_datasets.serving.signals import at_the_end

PAGE = '/demo'
"""Where the page is beside the API; alone it is at the root."""

_ASKED = (
    'app_id',
    'cancel',
    'file=',
    'heartbeat/',
    'info',
    'queue/',
    'reset',
    'startup-events',
    'stream/',
    'upload',
)
"""How paths begin that the page asks of Gradio."""

_KEPT_SECONDS = 10
_SWEEP_SECONDS = 2

_CSS = """
.dark { --color-accent: var(--primary-400) }
.painted figure { margin: 0 0 8px }
.painted img { max-width: 100%; max-height: 60vh; border-radius: 6px; margin: 0 }
.painted .small img { max-height: 36vh }
.painted a.download { display: inline-block; padding: 6px 14px; border-radius: 6px;
  border: 1px solid var(--color-accent); color: var(--color-accent);
  text-decoration: none }
.examples .choices { display: flex; flex-wrap: wrap; gap: 8px }
.examples button { padding: 0; border: 0; margin: 0 !important; line-height: 0;
  background: none; cursor: pointer }
.examples button img { height: 72px; border-radius: 6px; margin: 0 !important }
.examples button:focus-visible, .painted a:focus-visible {
  outline: 3px solid var(--primary-600); outline-offset: 2px }
.advice section { border-left: 4px solid var(--primary-500); padding: 0 12px;
  margin: 12px 0 }
.advice dt { font-weight: 600; margin-top: 8px }
.advice dd { margin: 0 }
"""


@dataclass(frozen=True)
class Content:
    """What a page has beside the model; without a title it has the model's name."""

    advice: dict[str, Advice] = field(default_factory=dict)
    examples: Sequence[Example] = ()
    title: str = ''


def read_content(
    service: Service, advice: str | None, examples: int, title: str = ''
) -> Content:
    """Read advice and examples.

    Args:
        service: What is served.
        advice: A file; None is the one that the config names, if any.
        examples: How many of the test set.
        title: What the page is called; empty is the model's name.

    Raises:
        UserError: Something is missing or damaged.
    """
    config = service.model
    if is_export(config):
        if examples:
            raise UserError(f'{config}: is an exported model, without its test set')
        return Content(read_advice(advice) if advice else {}, title=title)
    if os.path.isdir(config):
        config = find_config(config)
    cfg = read_settings(config, service.options)
    path = advice or cfg.get('advice')
    return Content(
        read_advice(path) if path else {},
        tested_examples(cfg, examples) if examples else (),
        title,
    )


def run_demo(
    service: Service, content: Content, host: str, port: int, with_api: bool
) -> int:
    """Serve the page until a signal ends it, and return the exit status."""
    with tempfile.TemporaryDirectory(prefix='demo-') as folder:
        make = partial(create_demo, content=content, folder=folder, with_api=with_api)
        return run_server(service, host, port, make=make)


def create_demo(
    service: Service,
    on_fault: OnFault | None,
    *,
    content: Content,
    folder: str,
    with_api: bool,
) -> FastAPI:
    """Build the application.

    Args:
        service: What is served; it must load before a connection is accepted.
        on_fault: As :func:`create_app` takes it.
        content: What the page has beside the model.
        folder: Where uploads arrive; they are deleted within seconds.
        with_api: Whether the API is at the root, and the page at :data:`PAGE`.
    """
    metrics = Metrics()
    engine = LocalEngine(service, metrics)
    api = create_app(service, engine, metrics, on_fault)
    # Components read this as they are made.
    os.environ['GRADIO_TEMP_DIR'] = folder
    title = content.title or service.name
    page = build_page(
        Demo(service, engine, folder, content.advice, content.examples, title)
    )

    def end_pages() -> None:
        pages.stop_event.set()
        for event in page._queue.event_ids_to_events.values():
            if event.streaming:  # As the page's Stop does.
                event.run_time = math.inf
                event.closed = True
                event.signal.set()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with api.router.lifespan_context(api):
            loop = asyncio.get_running_loop()
            # The server waits for pages that are open.
            at_the_end(lambda: loop.call_soon_threadsafe(end_pages))
            deleting = asyncio.create_task(_keep_deleting(folder))
            yield
            deleting.cancel()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_middleware(_PageOnly)
    app.add_middleware(_BodyLimit, size=2 * service.limits.bytes)
    gr.mount_gradio_app(
        app,
        page,
        PAGE if with_api else '/',
        server_name='127.0.0.1',
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=service.limits.bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        i18n=gr.I18n(**translations()),
        theme=_theme(),
        css=_CSS,
    )
    pages = app.routes[-1].app  # type: ignore[attr-defined]
    if with_api:
        app.add_route(PAGE, lambda request: RedirectResponse(f'{PAGE}/'))
        app.mount('/', api)
        log('info', f'the page is at {PAGE}, the API described at /docs')
    return app


class _PageOnly:
    """An ASGI application around Gradio, which serves more than its page asks.

    Its video editor and others leave what they are sent in the system's folder for
    temporary files, and its links keep what a visitor sees.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, gradio, rest = scope.get('path', '').partition(f'{API_PREFIX}/')
        if gradio and not rest.startswith(_ASKED):
            await Response(status_code=404)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class _BodyLimit:
    """An ASGI application around another, which reads bodies of any size."""

    def __init__(self, app: ASGIApp, size: int) -> None:
        self.app = app
        self.size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rest = self.size

        async def receive_some() -> Message:
            nonlocal rest
            message = await receive()
            rest -= len(message.get('body', b''))
            return message if rest >= 0 else {'type': 'http.disconnect'}

        await self.app(scope, receive_some, send)


def _theme() -> gr.themes.Base:
    """Return Gradio's theme with the system's fonts, and easier to read."""
    theme = gr.themes.Default(
        primary_hue='teal', font=['system-ui', 'sans-serif'], font_mono=['monospace']
    )
    return theme.set(
        color_accent='*primary_700',
        block_info_text_color='*neutral_600',
        block_label_text_color='*neutral_700',
        block_title_text_color='*neutral_800',
    )


async def _keep_deleting(folder: str) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        await asyncio.to_thread(delete_uploads, folder, _KEPT_SECONDS)
