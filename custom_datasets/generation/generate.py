"""Pictures of a generator as files, each named after its class and its seed."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.images import clean_name, free_name, short_name
from custom_datasets.errors import UserError
from custom_datasets.files import short_path, write_files
from custom_datasets.generation.grids import paint_grid
from custom_datasets.generation.sampling import Generator, Progress
from custom_datasets.text import counted

_GRID = 'grid.png'


def generate_pictures(
    run: str,
    checkpoint: str | None = None,
    *,
    names: Sequence[str] | None = None,
    count: int = 1,
    seed: int = 0,
    grid: bool = False,
    out: str | None = None,
    overwrite: bool = False,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
    trust: bool = False,
    progress: Progress | None = None,
) -> str:
    """Write ``count`` pictures of each class, all or none.

    Args:
        run: A work directory.
        checkpoint: Another one than the run's best.
        names: The classes; None is all of them.
        count: How many of each.
        seed: Of the first of each class; the next has the next.
        grid: Whether all are put on one picture, too.
        out: The folder; None is ``generated`` in the run's.
        overwrite: Whether pictures that are there are replaced.
        device: As :class:`Generator` has it.
        options: Likewise.
        trust: Likewise.
        progress: Called with the steps that are done, and with all.

    Returns:
        What was made, for the user.

    Raises:
        UserError: The run is no generator's, there is no such class, or a picture of
            that name is there.
    """
    folder = out or os.path.join(run, 'generated')
    generator = Generator.from_run(
        run, checkpoint, device=device, options=options, trust=trust
    )
    classes = list(dict.fromkeys(names or generator.classes))
    seeds = range(seed, seed + count)
    for name in classes:
        generator.label(name)
    taken: set[str] = set()
    stems = {name: free_name(_stem(name), taken) for name in generator.classes}
    files = [f'{stems[name]}_{number}.png' for name in classes for number in seeds]
    _require_free(folder, [*files, *[_GRID] * grid], overwrite)
    pictures = generator.generate(
        [name for name in classes for _ in seeds], list(seeds) * len(classes), progress
    )
    pixels = pictures.permute(0, 2, 3, 1).numpy()
    content = dict(zip(files, map(png_bytes, pixels), strict=True))
    if grid:
        rows = pixels.reshape(len(classes), count, *pixels.shape[1:])
        content[_GRID] = png_bytes(paint_grid(list(rows), classes))
    write_files(folder, content)
    made = counted(len(files), 'pictures')
    return (
        f'{made} of {generator.size}x{generator.size} in {short_path(folder)}: '
        f'{files[0]}{" ..." * (len(files) > 1)}\n'
        f'made by {short_path(generator.checkpoint)}'
    )


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG of (height, width, 3) RGB pixels."""
    data: bytes = cv2.imencode('.png', pixels[:, :, ::-1])[1].tobytes()
    return data


def _stem(name: str) -> str:
    """Return a class's name as a file of no other folder can have it."""
    return short_name(clean_name(name.replace('/', '_')))


def _require_free(folder: str, files: Sequence[str], overwrite: bool) -> None:
    if overwrite:
        return
    taken = [name for name in files if os.path.lexists(os.path.join(folder, name))]
    if taken:
        raise UserError(
            f'{os.path.join(folder, taken[0])}: is there already; give --overwrite, '
            'another --seed, or another folder with --out'
        )
