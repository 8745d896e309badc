"""Whether a report is what its type says, down to the last key."""

from types import UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints, is_typeddict


def assert_typed(value, kind, where='report'):
    """Compare a value as JSON holds it with a ``TypedDict``, or what one is made of."""
    origin, args = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        assert kind.__required_keys__ <= set(value) <= set(hints), where
        for key, part in value.items():
            assert_typed(part, hints[key], f'{where}.{key}')
    elif origin is list:
        assert isinstance(value, list), where
        for part in value:
            assert_typed(part, args[0], f'{where}[]')
    elif origin is dict:
        for key, part in value.items():
            assert isinstance(key, args[0]), where
            assert_typed(part, args[1], f'{where}.{key}')
    elif origin is Literal:
        assert value in args, where
    elif origin in (Union, UnionType):
        if value is not None or type(None) not in args:
            (other,) = (arg for arg in args if arg is not type(None))
            assert_typed(value, other, where)
    else:
        assert isinstance(value, (int, float) if kind is float else kind), where
