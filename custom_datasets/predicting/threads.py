"""Work in threads beside the network, whose results keep their order.

Decoding, painting and writing spend their time in libraries that let other threads run.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

WORKERS = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Threads for one kind of work; the network has threads of its own."""

_END = object()


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Map as ``map`` does; a few items are taken and worked at before they are due."""
    pool = ThreadPoolExecutor(WORKERS)
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > WORKERS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items, while a thread asks the iterator for the next."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = pool.submit(next, items, _END)
            yield item  # type: ignore[misc]


class Backlog:
    """Work that may be done later, in threads, each piece followed by a step in order.

    A step is called once its work is done and all earlier steps were; after an error
    there are none. They run in one thread, so that Ctrl-C cannot come between. The end
    of a ``with`` block waits until all is done, and raises what went wrong.
    """

    def __init__(self, most: int) -> None:
        """Let callers wait where more than ``most`` of the work's size is left.

        A piece for each thread may always be left, however large.
        """
        self._most, self._size, self._failed = most, 0, False
        self._workers, self._order = ThreadPoolExecutor(WORKERS), ThreadPoolExecutor(1)
        self._pending: deque[tuple[int, Future[None]]] = deque()

    def __enter__(self) -> 'Backlog':
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for all; a second Ctrl-C leaves out what is not begun."""
        try:
            while self._pending:
                self._settle()
        finally:
            self._workers.shutdown(cancel_futures=True)
            self._order.shutdown()

    def submit(
        self, work: Callable[[], Result], step: Callable[[Result], None], size: int
    ) -> None:
        """Do the work soon, and then the step with its result.

        An error of an earlier piece is raised here.
        """
        result = self._workers.submit(work)
        done = self._order.submit(self._step, result, step)
        self._pending.append((size, done))
        self._size += size
        while self._size > self._most and len(self._pending) > WORKERS:
            self._settle()

    def _settle(self) -> None:
        size, done = self._pending[0]
        done.result()
        self._pending.popleft()
        self._size -= size

    def _step(self, result: Future[Result], step: Callable[[Result], None]) -> None:
        if self._failed:
            return
        try:
            step(result.result())
        except BaseException:
            self._failed = True
            raise
