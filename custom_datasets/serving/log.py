"""A server's log: a line for each request and event on stderr, also as JSON.

It does not go through ``logging``, which loading a model silences for the process.
"""

import json
import sys
import time
from typing import Any

_settings = {'json': False}


def use_json(wanted: bool) -> None:
    """Choose the form of all lines that follow."""
    _settings['json'] = wanted


def log(level: str, message: str, **fields: Any) -> None:
    """Write a line.

    Args:
        level: ``info``, ``warning`` or ``error``.
        message: What happened; line breaks in it are escaped.
        fields: Such as ``request_id``.
    """
    moment = time.strftime('%Y-%m-%dT%H:%M:%S%z')
    if _settings['json']:
        record = {'time': moment, 'level': level, 'message': message, **fields}
        line = json.dumps(record, ensure_ascii=False)
    else:
        shown = ' '.join(f'{name}={value}' for name, value in fields.items())
        line = f'{moment} {level:<7} {message}{" " * bool(shown)}{shown}'
    # A visitor's text must not begin a line of its own.
    print(line.replace('\r', '\\r').replace('\n', '\\n'), file=sys.stderr, flush=True)
