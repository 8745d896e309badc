"""Ray: a cluster to work on, and a predictor spread over its processes.

Ray itself is imported by what runs only when somebody asks for it.
"""

import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import islice
from typing import Any

import numpy as np
import yaml  # type: ignore[import-untyped, unused-ignore]

from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting.outputs import Answer
from custom_datasets.predicting.predictor import Predictor
from custom_datasets.predicting.sources import Still

ADDRESS = 'RAY_ADDRESS'
"""The environment variable that names a cluster; without it one is started here."""

_IMAGES_PER_BLOCK = 8


@dataclass(frozen=True)
class RaySettings:
    """What is asked of Ray, in its own words; see ``configs/ray.yaml``.

    Attributes:
        cluster: For ``ray.init``, where a cluster is started on this machine.
        model: Options of the deployment that ``tools/serve.py`` makes.
        actors: For ``tools/predict.py``: what each takes, and ``min_size`` and
            ``max_size`` of their pool.
    """

    cluster: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    actors: Mapping[str, Any] = field(default_factory=dict)


def read_settings(path: str) -> RaySettings:
    """Read a YAML of settings; raises a UserError."""
    try:
        with open(path, encoding='utf-8') as file:
            content = yaml.safe_load(file) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise UserError(f'{path}: cannot be read ({reason})') from error
    sections = [row.name for row in fields(RaySettings)]
    if not isinstance(content, dict) or not content.keys() <= set(sections):
        raise UserError(
            f'{path}: needs the sections {", ".join(sections)}, and no more'
        )
    for name, section in content.items():
        if not isinstance(section, dict):
            raise UserError(f'{path}: {name} needs settings with names')
    return RaySettings(**content)


def place_everywhere(path: str) -> str:
    """Return a path as other processes find it, and anything else unchanged."""
    return os.path.abspath(path) if os.path.exists(path) else path


@contextmanager
def ray_cluster(settings: RaySettings) -> Iterator[None]:
    """Join the cluster that ``RAY_ADDRESS`` names, else start one on this machine.

    One that was started ends with the block.

    Raises:
        UserError: There is none, or a setting is wrong.
    """
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    os.environ.setdefault('RAY_DEDUP_LOGS', '0')
    os.environ.setdefault('RAY_COLOR_PREFIX', str(int(sys.stderr.isatty())))
    os.environ.setdefault('RAY_DATA_LOG_LEVEL', 'ERROR')
    # Where ours is not installed, but run from its folder.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = [root, *filter(None, os.environ.get('PYTHONPATH', '').split(os.pathsep))]
    os.environ['PYTHONPATH'] = os.pathsep.join(dict.fromkeys(paths))
    import ray

    address = os.environ.get(ADDRESS)
    try:
        ray.init(
            address or 'local',
            logging_level=logging.ERROR,
            **({} if address else {'include_dashboard': False, **settings.cluster}),
        )
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        where = f'{ADDRESS}={address}: cannot be joined' if address else 'ray: no start'
        raise UserError(f'{where} ({_first_line(error)})') from error
    try:
        yield
    finally:
        ray.shutdown()


def last_line(error: Exception) -> str:
    """Return what an error of Ray comes down to, without its traceback."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def spread_predictor(
    load: Callable[[], Predictor], settings: RaySettings
) -> Callable[[Sequence[Still], int], Iterator[Answer | ImageError]]:
    """Return what predicts on image files in the processes of a cluster, in order.

    Each process calls ``load``; every machine must find checkpoint and images under
    the same paths.
    """

    def spread(
        stills: Sequence[Still], batch_size: int
    ) -> Iterator[Answer | ImageError]:
        # A row is a batch, so that batches are the same wherever it is predicted on.
        rows = [
            {
                'names': [still.name for still in stills[start : start + batch_size]],
                'paths': [still.path for still in stills[start : start + batch_size]],
            }
            for start in range(0, len(stills), batch_size)
        ]
        blocks = -(-len(stills) // max(batch_size, _IMAGES_PER_BLOCK))
        options = dict(settings.actors)
        sizes = {name: options.pop(name) for name in _SIZES if name in options}
        with ray_cluster(settings):
            import ray
            from ray.data import ActorPoolStrategy, DataContext
            from ray.exceptions import RayError

            context = DataContext.get_current()
            context.enable_progress_bars = False
            context.print_on_execution_start = False
            context.execution_options.preserve_order = True
            try:
                images = ray.data.from_items(rows, override_num_blocks=blocks)
                answers = images.map_batches(
                    _Worker,
                    fn_constructor_args=(load, batch_size),
                    batch_size=None,
                    compute=ActorPoolStrategy(**sizes),
                    **options,
                )
                for row in answers.iter_rows():
                    yield from pickle.loads(row['answers'])
            except RayError as error:
                raise UserError(f'the cluster failed: {last_line(error)}') from error

    return spread


_SIZES = ('size', 'min_size', 'max_size', 'initial_size')


class _Worker:
    """A predictor in a process of the cluster."""

    def __init__(self, load: Callable[[], Predictor], batch_size: int) -> None:
        self.predictor = load()
        self.batch_size = batch_size

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        # All but the last row of all have just so many images.
        answers = self.predictor.stream_pixels(
            [path for paths in rows['paths'] for path in paths],
            self.batch_size,
            [name for names in rows['names'] for name in names],
            ahead=True,
        )
        ready = (answer for answer, _ in answers)
        packed = [pickle.dumps(list(islice(ready, len(p)))) for p in rows['paths']]
        return {'answers': np.array(packed, dtype=object)}


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
