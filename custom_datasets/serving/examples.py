"""Pictures to try a model on: drawn ones, or some of its test set."""

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.config import Config

from custom_datasets.errors import UserError
from custom_datasets.predicting.config import read_dataset
from custom_datasets.samples.boxes import draw_bccd, draw_recycling

_DRAWN = 2


class Example(NamedTuple):
    """An image file's name and content."""

    name: str
    data: bytes


def drawn_examples() -> list[Example]:
    """Draw some, to try whether a model runs; it need not know what is on them."""
    with tempfile.TemporaryDirectory() as folder:
        draw_bccd(f'{folder}/cells', {'cells': _DRAWN}, seed=1)
        draw_recycling(f'{folder}/scenes', {'train': _DRAWN}, (320, 320), seed=1)
        paths = [
            *sorted(Path(folder, 'cells').rglob('*.png')),
            *sorted(Path(folder, 'scenes').rglob('*.jpg')),
        ]
        return [Example(path.name, path.read_bytes()) for path in paths]


def tested_examples(cfg: Config, count: int) -> list[Example]:
    """Read some images of a config's test set, spread over it.

    Raises:
        UserError: The data are not here.
    """
    paths = read_dataset(cfg, 'test').paths
    if not paths:
        raise UserError(f'{cfg.filename}: its test set is empty')
    count = min(count, len(paths))
    return [read_example(paths[k * len(paths) // count]) for k in range(count)]


def read_example(path: str) -> Example:
    """Read an image file; raises a UserError where there is none."""
    try:
        return Example(os.path.basename(path), Path(path).read_bytes())
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error


def shrink_example(example: Example, longest: int) -> Example:
    """Return an example as a JPEG file of at most that many pixels a side.

    Raises:
        UserError: It cannot be decoded.
    """
    pixels = cv2.imdecode(np.frombuffer(example.data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise UserError(f'{example.name}: cannot be decoded; name another example')
    share = min(1.0, longest / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    name = os.path.splitext(example.name)[0] + '.jpg'
    return Example(name, cv2.imencode('.jpg', small)[1].tobytes())
