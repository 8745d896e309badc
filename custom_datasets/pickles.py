"""Reading pickles, PyTorch's among them, without running what they ask for.

A pickle names the functions that rebuild it, and may name any. Here it gets those that
checkpoints of mmengine and predictions of its test loop need; with anything else it is
refused, unless the user trusts it. PyTorch's own ``weights_only`` is no substitute:
these checkpoints name ``getattr``, PyTorch 2.1 takes no further functions, and
predictions are plain pickles.
"""

import collections
import importlib
import io
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import SimpleNamespace
from typing import Any, BinaryIO

from custom_datasets.errors import UserError

_trusts: ContextVar[bool] = ContextVar('trusts', default=False)


@contextmanager
def trusting(trust: bool = True) -> Iterator[None]:
    """Let files be read in full, whatever they run; for code that takes no argument."""
    token = _trusts.set(trust or _trusts.get())
    try:
        yield
    finally:
        _trusts.reset(token)


class RefusedError(pickle.UnpicklingError):
    """A pickle asks for something that may run any code; the message names it."""


def read_pickle(path: str) -> Any:
    """Read a plain pickle.

    Raises:
        OSError: It cannot be read.
        UserError: It asks for more than predictions need, and is not trusted.
        Exception: It is no complete pickle: unpickling raises whatever is in a file.
    """
    with open(path, 'rb') as file:
        if _trusts.get():
            return pickle.load(file)
        try:
            return load(file)
        except RefusedError as error:
            raise _refused(path, error) from error


def read_torch(path: str, map_location: Any = 'cpu') -> Any:
    """Read what ``torch.save`` wrote, of any version since 1.0 or so.

    Raises:
        OSError: It cannot be read.
        UserError: It asks for more than checkpoints need, and is not trusted.
        Exception: It is damaged or something else.
    """
    if _trusts.get():
        import torch

        return torch.load(path, map_location=map_location, weights_only=False)
    try:
        with open(path, 'rb') as file:
            return _load_torch(file, map_location)
    except RefusedError as error:
        raise _refused(path, error) from error


def load(file: BinaryIO, **options: Any) -> Any:
    """Do what ``pickle.load`` does."""
    return Unpickler(file, **options).load()


class Unpickler(pickle.Unpickler):
    """Hands out what is listed here, and never an original that could be changed."""

    records: Any = None
    """PyTorch's reader of the zip that the pickle is in, where it is in one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what ``pickle.Unpickler`` takes."""
        super().__init__(*args, **kwargs)
        self._histories: list[Any] = []

    def __setattr__(self, name: str, value: Any) -> None:
        """Check the references that PyTorch resolves to tensors' memory."""
        if name == 'persistent_load':
            value = _storages_only(value, self.records)
        super().__setattr__(name, value)

    def find_class(self, module: str, name: str) -> Any:
        """Return what a global stands for: a type of C, or something made just now.

        A pickle may set attributes of what it gets.
        """
        path = f'{module}.{name}'.replace('__builtin__.', 'builtins.')
        path = path.replace('numpy.core.', 'numpy._core.')
        if path in _TYPES:
            return _TYPES[path]
        if path in _FUNCTIONS:
            return partial(_FUNCTIONS[path])
        if path == _HISTORY:
            return _history_class(self._histories)
        if path == _ONE_CYCLE:
            return _ONE_CYCLE
        if path in _IMPORTED:
            return partial(getattr(importlib.import_module(module), name))
        if module == 'torch':
            torch = importlib.import_module(module)
            if isinstance(value := getattr(torch, name, None), torch.dtype):
                return value
        raise RefusedError(path)

    def load(self) -> Any:
        """Read one pickle."""
        content = super().load()
        for history in self._histories:
            history.__class__ = type(history).__mro__[1]
        self._histories.clear()
        return content


_HISTORY = 'mmengine.logging.history_buffer.HistoryBuffer'
_ONE_CYCLE = 'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler'
_STATISTICS = ('min', 'max', 'current', 'mean')


def _history_class(histories: list[Any]) -> type:
    """Return a HistoryBuffer that takes its numbers from a pickle, and no more.

    The original also takes functions for all of its kind. Each new one is noted, to
    become an original when the whole pickle is read.
    """
    from mmengine.logging import HistoryBuffer

    class History(HistoryBuffer):  # type: ignore[misc]
        def __new__(cls) -> 'History':
            history: History = super().__new__(cls)
            histories.append(history)
            return history

        def __setstate__(self, state: dict[str, Any]) -> None:
            self._set_default_statistics()
            for name in ('max_length', '_log_history', '_count_history'):
                self.__dict__[name] = state[name]

    return History


class _Fixed:
    """Stands in a pickle for something that it may use, but neither see nor change."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def __setstate__(self, state: Any) -> None:
        raise RefusedError('a change of what it gets')


class _Annealing(_Fixed):
    """A function of mmengine's one-cycle scheduler, and saved again as that."""

    def __call__(self, *args: float, **kwargs: float) -> Any:
        return self.content(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

        return getattr, (OneCycleParamScheduler, self.content.__name__)


def _method(owner: Any, name: Any) -> Any:
    """Do ``getattr`` for the two classes whose functions mmengine saves.

    For a statistic of a HistoryBuffer, which it has anyway, a name stands.
    """
    from mmengine.logging import HistoryBuffer

    if owner is _ONE_CYCLE and name in ('_annealing_cos', '_annealing_linear'):
        from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

        return _Annealing(getattr(OneCycleParamScheduler, name))
    of_history = isinstance(owner, type) and issubclass(owner, HistoryBuffer)
    if not of_history or name not in _STATISTICS:
        raise RefusedError('builtins.getattr')
    return name


def _encode(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise RefusedError(f'_codecs.encode to {encoding}')
    return text.encode('latin1')


def _load_tensor(content: bytes) -> Any:
    return _load_torch(io.BytesIO(content), 'cpu')


def _storages_only(load: Callable[[Any], Any], records: Any) -> Callable[[Any], Any]:
    """Return PyTorch's function for references, for what tensors need.

    Its reader of old files also takes classes with their source, and may be made to
    write that to a file; and parts of a storage, which lose their memory where a tensor
    makes the whole larger. PyTorch 2.1 believes what a reference into a zip says of a
    size.
    """
    sizes: dict[str, int] = {}

    def persistent_load(reference: Any) -> Any:
        if not isinstance(reference, tuple) or reference[:1] != ('storage',):
            raise RefusedError('a class with its source')
        _, kind, key, _, count, *part = reference
        if part not in ([], [None]):
            raise RefusedError('a part of a storage')
        if records is not None:
            if type(key) is not str or type(count) is not int:
                raise pickle.UnpicklingError('a storage without a name or a size')
            if key not in sizes:
                sizes[key] = len(records.get_record(f'data/{key}'))
            if sizes[key] != count * _bytes_each(kind.dtype):
                raise pickle.UnpicklingError(f'storage {key} is not of {count} numbers')
        return _Fixed(load(reference))

    return persistent_load


def _bytes_each(dtype: Any) -> int:
    import torch

    return torch.empty(0, dtype=dtype).element_size()


def _rebuild_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, *more: Any
) -> Any:
    """Do PyTorch's own two of this name, which make a short storage larger."""
    if any(type(n) is not int or n < 0 for n in (offset, *size, *stride)):
        raise pickle.UnpicklingError('a tensor whose shape is no numbers')
    if type(storage) is not _Fixed:
        raise pickle.UnpicklingError('a tensor without a storage')
    typed = storage.content
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    needed = (last + 1) * _bytes_each(typed.dtype)
    if all(size) and needed > typed._untyped_storage.nbytes():
        raise pickle.UnpicklingError('a tensor outside of its storage')
    own = importlib.import_module('torch._utils')
    rebuild = own._rebuild_tensor_v2 if more else own._rebuild_tensor
    return rebuild(typed, offset, size, stride, *more)


def _load_torch(file: BinaryIO, map_location: Any) -> Any:
    import torch

    class Bound(Unpickler):
        records = _records(file)

    file.seek(0)
    return torch.load(
        file,
        map_location=map_location,
        pickle_module=SimpleNamespace(__name__='', Unpickler=Bound, load=load),
        weights_only=False,
    )


def _records(file: BinaryIO) -> Any:
    """Return PyTorch's reader of a zip, None for a pickle with the bytes behind it.

    Refuses the two formats whose readers take no unpickler, or unpack archives.
    """
    import tarfile

    import torch

    if file.read(4) == b'PK\x03\x04':
        file.seek(0)
        # PyTorch's own reader: another might see other names in the same file.
        records = torch._C.PyTorchFileReader(file)
        if 'constants.pkl' in records.get_all_records():
            raise RefusedError('TorchScript')
        return records
    file.seek(0)
    try:
        # As PyTorch tries it: old archives are no different from other files at a look.
        with tarfile.open(fileobj=file, mode='r:') as archive:
            if archive.next():
                raise RefusedError('an archive of PyTorch before 0.2')
    except tarfile.TarError:
        pass
    return None


def _dtype(code: str, *_: Any) -> Any:
    """Return a type of numbers in this machine's order of bytes.

    These pass over what a pickle sets of them. Others it could turn into one of
    pointers, and so bytes of the file into any address.
    """
    import numpy as np

    if not re.fullmatch('[biufc][0-9]+', code):
        raise RefusedError(f'numpy.dtype {code}')
    return np.dtype(code)


def _array(*_: Any) -> Any:
    """Return an array that gets shape, type and content from the next instruction."""
    import numpy as np

    return np.empty(0)


def _scalar(dtype: Any, content: bytes) -> Any:
    import numpy as np

    return np.frombuffer(content, dtype)[0]


_TYPES = {
    'numpy.ndarray': object,  # It stands before _array's arguments only.
    **{
        f'builtins.{kind.__name__}': kind
        for kind in (bytes, dict, float, frozenset, int, list, set)
    },
}
"""Types that no code can change: they are handed out as they are."""

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    '_codecs.encode': _encode,
    'builtins.getattr': _method,
    'collections.Counter': collections.Counter,
    'collections.OrderedDict': collections.OrderedDict,
    'collections.defaultdict': collections.defaultdict,
    'numpy.dtype': _dtype,
    'numpy._core.multiarray._reconstruct': _array,
    'numpy._core.multiarray.scalar': _scalar,
    'torch.storage._load_from_bytes': _load_tensor,
    'torch._utils._rebuild_tensor': _rebuild_tensor,
    'torch._utils._rebuild_tensor_v2': _rebuild_tensor,
}

_IMPORTED = {
    'torch.Size',
    'torch.device',
    'torch._utils._rebuild_parameter',
}


def _refused(path: str, error: RefusedError) -> UserError:
    return UserError(
        f'{path}: asks for {error}, and a file may run any code that way; if you trust '
        'whoever made it, add --trust (in Python: trust=True)'
    )
