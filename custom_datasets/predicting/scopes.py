"""mmengine's default scope, for several threads.

It says in whose registries a name without a package is looked up, and it is the whole
process's. mmengine's own context puts back what it found: of two threads, one undoes
what the other did, or leaves its scope behind for good.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from mmengine.registry import DefaultScope


class _Scope:
    """Which scope is set, by how many threads, and how it ends."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.name = ''
        self.users = 0
        self.context: AbstractContextManager[None] | None = None

    def enter(self, name: str) -> None:
        with self.changed:
            while self.users and self.name != name:
                self.changed.wait()
            if not self.users:
                self.name = name
                self.context = DefaultScope.overwrite_default_scope(name)
                self.context.__enter__()
            self.users += 1

    def leave(self) -> None:
        with self.changed:
            self.users -= 1
            if not self.users and self.context is not None:
                self.context.__exit__(None, None, None)
                self.changed.notify_all()


_scope = _Scope()
_own = threading.local()


@contextmanager
def use_scope(name: str) -> Iterator[None]:
    """Look names up in the registries of a package; threads with another one wait."""
    if getattr(_own, 'name', name) != name:
        # Its own outer scope would be waited for.
        with DefaultScope.overwrite_default_scope(name):
            yield
        return
    outermost = not hasattr(_own, 'name')
    _scope.enter(name)
    _own.name = name
    try:
        yield
    finally:
        if outermost:
            del _own.name
        _scope.leave()
