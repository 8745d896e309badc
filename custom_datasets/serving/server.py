"""Run the application: in this process, or in several that one watches."""

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from custom_datasets.errors import UserError
from custom_datasets.serving.connections import Connection
from custom_datasets.serving.limits import Service
from custom_datasets.serving.log import log, use_json

OnFault = Callable[[], None]
"""Called where the first checkpoint cannot be loaded."""

Make = Callable[[Service, OnFault | None], Any]
"""Builds an application, of which uvicorn is the server."""

_STARTING_SECONDS = 60
_GRACE_SECONDS = 5


def run_server(
    service: Service,
    host: str = '127.0.0.1',
    port: int = 8000,
    workers: int = 1,
    json_log: bool = False,
    make: Make | None = None,
) -> int:
    """Serve until a signal ends it, and return the exit status.

    Args:
        service: What is served.
        host: Address to listen on.
        port: Of TCP; 0 takes a free one.
        workers: Processes.
        json_log: Whether the log has lines of JSON.
        make: Builds the application; None is the API alone.

    Raises:
        UserError: The address cannot be taken.
    """
    limit_opencv(service.limits.pixels)
    if hasattr(signal, 'SIGHUP'):  # It would end a server that only starts.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with listening(host, port) as listener:
        announce(host, listener.getsockname()[1])
        build = partial(_build, make or make_app, service, json_log)
        if workers == 1:
            return _run_one(build, service, listener)
        return _run_several(build, service, listener, workers, json_log)


def limit_opencv(pixels: int) -> None:
    """Let OpenCV refuse larger images, if it has not been imported yet."""
    os.environ.update(opencv_variables(pixels))


def _run_one(
    build: Callable[..., Any], service: Service, listener: socket.socket
) -> int:
    failed = False

    def end() -> None:
        nonlocal failed
        failed = True
        server.should_exit = True

    config = _config(partial(build, end), service)
    server = uvicorn.Server(config)
    # uvicorn raises the signal that ended it once more, when all is answered.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server.run([listener])
    return int(failed)


def _run_several(
    build: Callable[..., Any],
    service: Service,
    listener: socket.socket,
    workers: int,
    json_log: bool,
) -> int:
    with tempfile.TemporaryDirectory() as counts:
        os.environ['PROMETHEUS_MULTIPROC_DIR'] = counts
        threads = max(1, (os.cpu_count() or 1) // workers)
        os.environ.setdefault('OMP_NUM_THREADS', str(threads))
        use_json(json_log)
        _pass_on_uvicorns_log()
        config = _config(build, service, workers)
        supervisor = _Supervisor(config, [listener])
        supervisor.run()
    return int(supervisor.failed)


def make_app(service: Service, on_fault: OnFault | None) -> Any:
    """Build the API."""
    # With torch, which the process that only watches does without.
    from custom_datasets.serving.app import create_app
    from custom_datasets.serving.engine import LocalEngine
    from custom_datasets.serving.metrics import Metrics

    metrics = Metrics()
    return create_app(service, LocalEngine(service, metrics), metrics, on_fault)


def _build(
    make: Make, service: Service, json_log: bool, on_fault: OnFault | None = None
) -> Any:
    """Build an application in the process that serves it."""
    use_json(json_log)
    _pass_on_uvicorns_log()
    return make(service, on_fault)


class _Supervisor(Multiprocess):
    """uvicorn's, whose SIGHUP loads the checkpoint instead of starting anew."""

    failed = False
    reloading: Sequence[Process] = ()
    """Workers that are to load the checkpoint once they have started."""

    def terminate_all(self) -> None:
        """End all workers, at once those that would first load their model.

        Until the last has closed the address, clients wait there and then lose their
        requests.
        """
        for process in self.processes:
            if process.ping(timeout=1) and not process.is_ready():
                process.kill()
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def handle_hup(self) -> None:
        """Let each worker load the checkpoint; it keeps its own if that fails."""
        self.reloading = list(self.processes)

    def keep_subprocess_alive(self) -> None:
        """Replace workers that died, and forget what they counted of the present."""
        # One that starts would be killed by the signal, but may have read the old file.
        starting = [process for process in self.reloading if not process.is_ready()]
        for process in set(self.reloading) - set(starting):
            assert process.pid is not None  # It has started.
            os.kill(process.pid, signal.SIGHUP)
        self.reloading = [process for process in starting if process in self.processes]
        before = {process.pid for process in self.processes}
        ending = self.should_exit.is_set()
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            if pid is not None:
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        self.failed = self.failed or (self.should_exit.is_set() and not ending)


class _UvicornsLog(logging.Handler):
    """Passes uvicorn's lines on to the server's log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, but for the traceback of an error that is logged already."""
        message = record.getMessage().strip()
        if not message.startswith('Traceback'):
            log(record.levelname.lower(), message)


def _pass_on_uvicorns_log() -> None:
    logger = logging.getLogger('uvicorn.error')
    logger.handlers = [_UvicornsLog()]
    logger.propagate = False
    logger.setLevel(logging.WARNING)


def _config(app: Any, service: Service, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=True,
        http=partial(Connection, limits=service.limits),  # type: ignore[arg-type]
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan='on',
        ws='none',
        timeout_graceful_shutdown=int(service.limits.seconds) + _GRACE_SECONDS,
        timeout_worker_healthcheck=_STARTING_SECONDS,
    )


def listening(host: str, port: int) -> socket.socket:
    """Take an address, so that what is wrong with it is told at once.

    Raises:
        UserError: It cannot be taken.
    """
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    # Where no protocol is named, asyncio leaves Nagle's algorithm on: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, 'strerror', None) or error
        raise UserError(
            f'{host}:{port}: cannot be listened on ({reason}); choose another --port '
            'or --host'
        ) from error
    listener.set_inheritable(True)
    return listener


def announce(host: str, port: int) -> None:
    """Say where requests will be taken."""
    shown = f'[{host}]' if ':' in host else host
    log(
        'info',
        f'http://{shown}:{port} takes requests once the model is loaded; process '
        f'{os.getpid()}',
    )


def opencv_variables(pixels: int) -> dict[str, str]:
    """Return what OpenCV reads of the environment when it is imported."""
    return {
        # Where Pillow reads no header, OpenCV's own limit counts.
        'OPENCV_IO_MAX_IMAGE_PIXELS': str(pixels),
        # Its lines would be in the log.
        'OPENCV_LOG_LEVEL': os.environ.get('OPENCV_LOG_LEVEL', 'OFF'),
    }
