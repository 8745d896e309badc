"""In which numbers a model is trained: ``precision``, and what ``--amp`` is on a CPU.

Weights, their averages, validation and tests are float32 whatever is set here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from custom_datasets.checkpoints import checkpoint_precision
from custom_datasets.data.config_sources import type_name
from custom_datasets.errors import ConfigError

PRECISIONS = ('auto', 'bfloat16', 'float32')


def read_precision(cfg: Mapping[str, Any]) -> str | None:
    """Return what a config sets; raises a ConfigError where that can't be."""
    asked = cfg.get('precision')
    if asked == 'float32' and _kind_of_wrapper(cfg) == 'AmpOptimWrapper':
        raise ConfigError(
            '--amp (AmpOptimWrapper) and precision=float32: leave one out'
        )
    if asked is None or (isinstance(asked, str) and asked in PRECISIONS):
        return asked
    hint = '; float16 needs a GPU, and --amp' if asked == 'float16' else ''
    raise ConfigError(
        f'precision={asked}: no such precision; it can be {", ".join(PRECISIONS)}{hint}'
    )


def settle_precision(cfg: Config, device: str, resumed: str | None) -> list[str]:
    """Put the precision of a training into its config, in place of what was asked.

    ``auto`` becomes what suits the processor, ``--amp`` on a CPU bfloat16; on a GPU
    ``--amp`` stays mmengine's. A resumed training keeps its checkpoint's precision.

    Args:
        cfg: Of a training: it has an ``optim_wrapper``.
        device: ``cpu``, ``cuda``, or another name of mmengine's.
        resumed: The checkpoint that the training continues.

    Returns:
        What the user should know, a sentence each.

    Raises:
        ConfigError: What is asked for can't be, or not on this device.
    """
    asked = read_precision(cfg)
    kind = _kind_of_wrapper(cfg)
    amp = kind == 'AmpOptimWrapper'
    if amp:
        precision = _precision_of_amp(cfg.optim_wrapper.get('dtype'), asked, device)
    elif kind == 'OptimWrapper':
        precision = _precision_of(asked, device)
    elif asked != 'bfloat16':
        return []
    else:
        raise ConfigError(
            f'precision=bfloat16: optim_wrapper.type is {kind}, which has a precision '
            'of its own'
        )
    notes = []
    kept = checkpoint_precision(resumed) if resumed else None
    if kept in ('float32', 'bfloat16', 'float16') and kept != precision:
        text = f'{resumed}: was trained in {kept}, '
        if device == 'cuda' or kept != 'float16':
            notes.append(f'{text}and continues in it, not in {precision}')
            precision = kept
        else:
            notes.append(f'{text}which needs a GPU; it continues in {precision}')
    if precision == 'bfloat16' and device not in ('cpu', 'cuda'):
        raise ConfigError(f'bfloat16 is not trained on {device}; --device cpu does')
    if precision == 'bfloat16' and device == 'cpu' and not has_fast_bfloat16():
        notes.append(
            'this processor has neither AVX512-BF16 nor AMX: training in bfloat16 '
            'works, but is not faster than in float32, and may be much slower'
        )
    _place(cfg, precision, amp, device)
    return notes


def has_fast_bfloat16(cpuinfo: Path = Path('/proc/cpuinfo')) -> bool:
    """Tell whether this processor multiplies bfloat16 itself, as far as Linux says."""
    try:
        lines = cpuinfo.read_text(errors='replace').splitlines()
    except OSError:
        return False
    flags = next((line.split() for line in lines if line.startswith('flags')), [])
    return not {'avx512_bf16', 'amx_bf16'}.isdisjoint(flags)


def _kind_of_wrapper(cfg: Mapping[str, Any]) -> str:
    wrapper = cfg.get('optim_wrapper') or {}
    return type_name(wrapper.get('type') or 'OptimWrapper').rpartition('.')[2]


def _precision_of(asked: str | None, device: str) -> str:
    if asked == 'auto':
        return 'bfloat16' if device == 'cpu' and has_fast_bfloat16() else 'float32'
    return asked or 'float32'


def _precision_of_amp(dtype: str | None, asked: str | None, device: str) -> str:
    if asked == 'float32':
        raise ConfigError(
            '--amp (AmpOptimWrapper) and precision=float32: leave one out'
        )
    if device == 'cuda':
        return 'bfloat16' if asked == 'bfloat16' else dtype or 'float16'
    if device != 'cpu':
        raise ConfigError(f'--amp is not for {device}; --device cpu trains in bfloat16')
    if dtype not in (None, 'bfloat16'):
        raise ConfigError(
            f'optim_wrapper.dtype={dtype}: --amp on a CPU is bfloat16; leave it out'
        )
    return 'bfloat16'


def _place(cfg: Config, precision: str, amp: bool, device: str) -> None:
    wrapper = cfg.optim_wrapper
    if amp and device == 'cuda' and precision == (wrapper.get('dtype') or 'float16'):
        cfg.pop('precision', None)
    elif precision not in PRECISIONS:
        wrapper.update(type='AmpOptimWrapper', dtype=precision)
        cfg.pop('precision', None)
    else:
        if amp:
            wrapper['type'] = 'OptimWrapper'
            for name in ('loss_scale', 'dtype', 'use_fsdp'):
                wrapper.pop(name, None)
        if precision != 'float32' or cfg.get('precision') is not None:
            cfg.precision = precision
