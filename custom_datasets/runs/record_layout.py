"""What must be in a run's record, so that its readers can rely on it."""

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, NamedTuple

_TEXT = (str,)
_COUNT = (int,)
_NUMBER = (int, float)
_MAYBE_TEXT = (str, NoneType)
_MAYBE_COUNT = (int, NoneType)
_MAYBE_NUMBER = (int, float, NoneType)
_FLAG = (bool,)


class _Maybe(NamedTuple):
    """Something of a shape, or None."""

    shape: Any


class _Each(NamedTuple):
    """A dictionary of whatever keys, whose values have a shape."""

    shape: Any


class _Known(NamedTuple):
    """A dictionary of which some may be unknown, and then ``why`` says so.

    Attributes:
        key: What is None where they are.
        parts: Those that may be unknown together, if they are not.
        always: The others.
    """

    key: str
    parts: dict[str, Any]
    always: dict[str, Any]


_ANYTHING = _Each(None)
_GIT = _Known(
    'commit',
    {'commit': _TEXT, 'dirty': _FLAG, 'changes': _COUNT, 'changed': [_TEXT]},
    {},
)
_DATA = _Known(
    'sha256',
    {
        'list': _MAYBE_TEXT,
        'images': _COUNT,
        'samples': _COUNT,
        'objects': _Each(_COUNT),
        'sha256': _TEXT,
    },
    {'dataset': _TEXT, 'classes': _Maybe([_TEXT])},
)
_MODEL = _Known(
    'macs',
    {'macs': _NUMBER, 'input_shape': [_COUNT]},
    {'type': _TEXT, 'parameters': _COUNT, 'trainable': _COUNT},
)
_CORE = {
    'status': _TEXT,
    'config': {'dumped': _TEXT},
    'data': {'train': {'classes': _Maybe([_TEXT])}},
    'epochs': [{'iteration': _COUNT}],
}
_WHOLE = {
    'status': _TEXT,
    'reason': _MAYBE_TEXT,
    'started': _TEXT,
    'updated': _TEXT,
    'wall_seconds': _NUMBER,
    'command': [_TEXT],
    'git': _GIT,
    'config': {'path': _MAYBE_TEXT, 'dumped': _TEXT, 'overrides': _ANYTHING},
    'data': {'train': _DATA, 'val': _Maybe(_DATA)},
    'versions': _Each(_MAYBE_TEXT),
    'hardware': {
        'cpu': _TEXT,
        'cores': _COUNT,
        'ram_gb': _MAYBE_NUMBER,
        'gpus': [_TEXT],
    },
    'seed': _MAYBE_COUNT,
    'batch': {
        'images': _MAYBE_COUNT,
        'ranks': _COUNT,
        'accumulated': _COUNT,
        'total': _MAYBE_COUNT,
        'sampler': _TEXT,
    },
    'optimizer': {
        'type': _TEXT,
        'lr': _MAYBE_NUMBER,
        'weight_decay': _MAYBE_NUMBER,
        'wrapper': _TEXT,
    },
    'losses': _Each(_TEXT),
    'schedule': {'epochs': _MAYBE_COUNT, 'iterations': _COUNT, 'schedulers': [_TEXT]},
    'augmentations': [_TEXT],
    'model': _MODEL,
    'speed': {
        'images_per_second': _MAYBE_NUMBER,
        'data_share': _MAYBE_NUMBER,
        'peak_memory_mb': _MAYBE_NUMBER,
        'memory_of': _MAYBE_TEXT,
    },
    'best': _Maybe(
        {
            'metric': _TEXT,
            'rule': _TEXT,
            'value': _NUMBER,
            'epoch': _MAYBE_COUNT,
            'iteration': _COUNT,
            'checkpoint': _MAYBE_TEXT,
        }
    ),
    'validation': _Maybe(_ANYTHING),
    'epochs': [
        {
            'epoch': _MAYBE_COUNT,
            'iteration': _COUNT,
            'lr': _MAYBE_NUMBER,
            'losses': _Each(_MAYBE_NUMBER),
            'seconds': _NUMBER,
            'metrics': _Maybe(_ANYTHING),
        }
    ],
    'checkpoints': [_TEXT],
    'sessions': [
        {
            'started': _TEXT,
            'seconds': _NUMBER,
            'status': _TEXT,
            'reason': _MAYBE_TEXT,
            'from_iteration': _COUNT,
            'resumed_from': _MAYBE_TEXT,
            'git': _GIT,
        }
    ],
    'tests': [
        {
            'checkpoint': _TEXT,
            'when': _TEXT,
            'seconds': _NUMBER,
            'command': [_TEXT],
            'data': _DATA,
            'metrics': _ANYTHING,
        }
    ],
}


def find_fault(content: Any, whole: bool) -> str | None:
    """Say what a record lacks, or where something else stands than should.

    Args:
        content: Of ``run.json``.
        whole: Ask for all that ``run.md`` shows, and not only for what nobody
            can do without.

    Returns:
        The first such place and what is wrong there; None where all is well.
    """
    return _fault(content, _WHOLE if whole else _CORE, '')


def _fault(value: Any, shape: Any, name: str) -> str | None:
    """Compare a value with a shape: types, a list of one shape, or a dictionary."""
    shape = _settled(shape, value)
    if shape is None:
        return None
    kinds = {dict: Mapping, _Each: Mapping, list: list}
    if not isinstance(value, kinds.get(type(shape), shape)):
        return f'{name or "the whole"} is {type(value).__name__}'
    parts: Iterable[tuple[Any, Any, Any]] = ()
    if isinstance(shape, dict):
        lacking = next((key for key in shape if key not in value), None)
        if lacking is not None:
            return f'{_join(name, lacking)} is missing'
        parts = ((key, value[key], each) for key, each in shape.items())
    elif isinstance(shape, _Each):
        parts = ((key, each, shape.shape) for key, each in value.items())
    elif isinstance(shape, list):
        parts = ((key, each, shape[0]) for key, each in enumerate(value))
    found = (_fault(each, inner, _join(name, key)) for key, each, inner in parts)
    return next(filter(None, found), None)


def _settled(shape: Any, value: Any) -> Any:
    """Return the shape that is asked of a value; None where anything will do."""
    if isinstance(shape, _Maybe):
        return None if value is None else _settled(shape.shape, value)
    if isinstance(shape, _Known):
        unknown = isinstance(value, Mapping) and value.get(shape.key, '') is None
        return {**shape.always, **({'why': _TEXT} if unknown else shape.parts)}
    return shape


def _join(name: str, key: object) -> str:
    return f'{name}.{key}' if name else str(key)
