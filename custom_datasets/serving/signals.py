"""What a server does on SIGTERM and SIGHUP, beside what uvicorn does."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from custom_datasets.serving.engine import Engine

_ENDING = (signal.SIGINT, signal.SIGTERM)
_reloads: set[asyncio.Task[None]] = set()
"""Tasks that nobody else holds: asyncio would drop them half-way."""


def attach_signals(engine: Engine) -> None:
    """Refuse requests once the server ends, and load the checkpoint on SIGHUP.

    Called inside a running event loop, once uvicorn has set its own handlers, which are
    called as well. Does nothing outside the main thread.
    """
    at_the_end(engine.refuse_new)
    if _in_main_thread() and hasattr(signal, 'SIGHUP'):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, _reload, engine)


def at_the_end(action: Callable[[], object]) -> None:
    """Do something when a signal ends the server, before what was set already.

    Does nothing outside the main thread, which has no signals.
    """
    if not _in_main_thread():
        return

    def first(handler: Any) -> Any:
        def handle(number: int, frame: FrameType | None) -> None:
            action()
            if callable(handler):
                handler(number, frame)

        return handle

    for number in _ENDING:
        signal.signal(number, first(signal.getsignal(number)))


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _reload(engine: Engine) -> None:
    task = asyncio.get_running_loop().create_task(engine.reload())
    _reloads.add(task)
    task.add_done_callback(_reloads.discard)
