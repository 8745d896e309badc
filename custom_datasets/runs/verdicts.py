"""Plain sentences on differences between runs, and on what the seed alone changes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from custom_datasets.evaluation.intervals import LEVEL, Estimate
from custom_datasets.runs.comparison import ComparedRun, Comparison
from custom_datasets.runs.settings_diff import differences

_CAVEAT = (
    'The intervals cover which images were drawn for the test set, not the seed of the '
    'training: another seed changes a result too. Train each config with several seeds '
    'to see by how much.'
)
_SEVERAL = (
    'Each interval stands on its own: the more runs are compared, the more likely one '
    'of them excludes 0 by chance.'
)
_SEED = 'randomness.seed'


class SeedGroup(NamedTuple):
    """Runs of one config on the same data that differ in their seed only, two at least.

    Attributes:
        mean: Mean of each metric.
        std: Sample standard deviation (n - 1) of each metric.
    """

    runs: tuple[ComparedRun, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def is_beyond_chance(difference: Estimate) -> bool:
    """Tell whether the interval of a difference excludes 0."""
    return bool(difference.low > 0 or difference.high < 0)


def verdicts(comparison: Comparison) -> list[str]:
    """Say of each run whether it differs from the first, by the first metric."""
    base = comparison.base
    pairs = [run for run in comparison.runs if run.against]
    if base is None or not pairs:
        return []
    sentences = [_verdict(base, run) for run in pairs]
    sentences += [_SEVERAL] if len(pairs) > 1 else []
    return [*sentences, _CAVEAT, *map(_spread, seed_groups(comparison.runs))]


def seed_groups(runs: Sequence[ComparedRun]) -> list[SeedGroup]:
    """Find runs that differ in their seed only, finished and with predictions."""
    groups: list[list[ComparedRun]] = []
    for run in runs:
        if not (run.finished and run.measured and run.settings):
            continue
        for group in groups:
            if _is_repeat(group[0], run):
                group.append(run)
                break
        else:
            groups.append([run])
    return [_seed_group(group) for group in groups if len(group) > 1]


def _verdict(base: ComparedRun, run: ComparedRun) -> str:
    assert base.measured and run.measured and run.against
    difference = run.against[0]
    name = run.measured.metrics[0].text
    now, then = run.measured.values[0], base.measured.values[0]
    if np.isnan(difference.low):
        return f'{name} of {run.label} or {base.label} is not defined.'
    images = f'{run.measured.images} test images'
    if not any(np.nan_to_num(difference)):
        return (
            f'{run.label} and {base.label} have the same {name}, {now:.3f}, on every '
            f'draw of the {images}: they cannot be told from noise.'
        )
    way = 'higher' if difference.value > 0 else 'lower'
    head = f'{run.label} is {abs(difference.value):.3f} {way} in {name} than'
    if f'{abs(difference.value):.3f}' == '0.000':
        head = f'{run.label} has the same {name} as'
    head += (
        f' {base.label} '
        f'({now:.3f} against {then:.3f}; {LEVEL:.0%} interval of the difference '
        f'{difference.low:+.3f} to {difference.high:+.3f}, {images})'
    )
    if is_beyond_chance(difference):
        return f'{head}: more than the draw of test images explains.'
    return f'{head}: it cannot be told from noise.'


def _spread(group: SeedGroup) -> str:
    measured = [run.measured for run in group.runs if run.measured]
    values = [float(run.values[0]) for run in measured]
    return (
        f'{", ".join(run.label for run in group.runs)} differ in their seed only, and '
        f'that alone moves {measured[0].metrics[0].text} from {min(values):.3f} to '
        f'{max(values):.3f}.'
    )


def _is_repeat(first: ComparedRun, other: ComparedRun) -> bool:
    assert first.measured and other.measured
    changed = differences([first.settings, other.settings]).rows
    return (
        set(changed) == {_SEED}
        and _data(first) == _data(other)
        and first.measured.metrics == other.measured.metrics
    )


def _data(run: ComparedRun) -> tuple[Any, ...]:
    return tuple(run.get('data', part, 'sha256') for part in ('train', 'val'))


def _seed_group(runs: Sequence[ComparedRun]) -> SeedGroup:
    table = np.array([run.measured.values for run in runs if run.measured])
    mean, std = table.mean(axis=0), table.std(axis=0, ddof=1)
    return SeedGroup(tuple(runs), tuple(mean.tolist()), tuple(std.tolist()))
