"""Drawn steel with defects, and the JSON of their boxes."""

import json
from collections.abc import Sequence

import numpy as np

from custom_datasets.files import write_image, write_text
from custom_datasets.samples.noise import noise

METAL_CLASSES = ('crease', 'inclusion', 'oil_spot', 'punching_hole')


def draw_metal_surface(
    root: str,
    count: int = 60,
    size: tuple[int, int] = (96, 64),
    classes: Sequence[str] = METAL_CLASSES,
    seed: int = 0,
) -> None:
    """Draw ``images``, of steel with one or two defects, and ``anno/annotation.json``.

    Classes take turns, and each has its own brightness and stripes. The size is width
    and height in pixels.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    entries = {}
    for index in range(count):
        image = noise(rng, size, (120, 120, 120))
        defects = []
        for side in range(1 + index % 2):
            label = (index + side) % len(classes)
            w, h = (int(v) for v in rng.integers(height // 4, height // 2, 2))
            x = int(rng.integers(0, width // 2 - w)) + side * width // 2
            y = int(rng.integers(0, height - h))
            patch = image[y : y + h, x : x + w]
            patch[...] = 20 + 70 * label // len(classes)
            patch[:: label + 2] = 255 - patch[:: label + 2]
            defects.append(
                {'label': classes[label], 'bbox': [x + 1, y + 1, x + w, y + h]}
            )
        name = f'steel_{index:03d}.jpg'
        write_image(f'{root}/images/{name}', image)
        head = {'filename': name, 'width': width, 'height': height}
        entries[name] = {**head, 'anno': defects}
    write_text(f'{root}/anno/annotation.json', json.dumps(entries, indent='\t'))
