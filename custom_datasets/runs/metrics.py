"""Metrics of a run's epochs, and which epoch is best."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.hooks import CheckpointHook

Entry = dict[str, Any]
"""What a record says about an epoch."""


def plain(value: Any) -> Any:
    """Return numbers, texts, lists and dictionaries that JSON can hold.

    What is no finite number becomes None.
    """
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def main_metric(runner: Any, metrics: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the metric that tells the best epoch, and ``greater`` or ``less``.

    It is the one that checkpoints are kept by (``save_best``), else the first.
    """
    hook = checkpoint_hook(runner)
    if hook is not None and hook.save_best:
        return str(hook.key_indicators[0]), str(hook.rules[0])
    for key, value in metrics.items():
        if isinstance(value, (int, float)):
            less = any(word in key.lower() for word in ('loss', 'error'))
            return key, 'less' if less else 'greater'
    return None


def checkpoint_hook(runner: Any) -> CheckpointHook | None:
    """Return the hook that saves checkpoints."""
    hooks = (hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
    return next(hooks, None)


def best_entry(entries: Sequence[Entry], key: str, rule: str) -> Entry | None:
    """Return the first of the epochs in which a metric is at its best."""
    sign = 1 if rule == 'greater' else -1
    known = [each for each in entries if _value(each, key) is not None]
    return max(known, key=lambda each: sign * each['metrics'][key], default=None)


def _value(entry: Entry, key: str) -> Any:
    return (entry['metrics'] or {}).get(key)
