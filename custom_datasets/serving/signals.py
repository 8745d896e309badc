"""What a server does on SIGTERM and SIGHUP, beside what uvicorn does."""

import asyncio
import signal
import threading
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
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _ENDING:
        signal.signal(number, _refusing(engine, signal.getsignal(number)))
    if hasattr(signal, 'SIGHUP'):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, _reload, engine)


def _refusing(engine: Engine, handler: Any) -> Any:
    def refuse(number: int, frame: FrameType | None) -> None:
        engine.refuse_new()
        if callable(handler):
            handler(number, frame)

    return refuse


def _reload(engine: Engine) -> None:
    task = asyncio.get_running_loop().create_task(engine.reload())
    _reloads.add(task)
    task.add_done_callback(_reloads.discard)
