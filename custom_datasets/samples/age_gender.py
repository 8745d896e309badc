"""Drawn portraits of two sources, in folders by age and gender."""

from collections.abc import Mapping

import numpy as np

from custom_datasets.files import write_image
from custom_datasets.samples.portraits import draw_portrait

SHARES = {2: 4, 3: 4, 4: 3, 5: 2, 6: 1}
"""Share of each decade in ``studio``, to train on: old faces are rare there."""


def draw_age_gender(root: str, count: int = 40, seed: int = 0) -> None:
    """Draw portraits of two sources, ``studio`` and ``street``, in class folders.

    ``street`` gets ``count`` of each class; ``studio`` as many of the sixties, and four
    times as many of the twenties.
    """
    names = {
        f'{decade}0s_{gender}': share
        for decade, share in SHARES.items()
        for gender in ('female', 'male')
    }
    studio = {name: count * share for name, share in names.items()}
    draw_portraits(f'{root}/studio', studio, 'studio', seed)
    draw_portraits(f'{root}/street', dict.fromkeys(names, count), 'street', seed + 1)


def draw_portraits(
    root: str, counts: Mapping[str, int], style: str = 'studio', seed: int = 0
) -> None:
    """Draw ``<class>/<class>_<number>.jpg``, so many of each ``20s_female``."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        decade, gender = int(name[0]), name.partition('_')[2]
        for index in range(count):
            image = draw_portrait(rng, decade, gender, style)
            write_image(f'{root}/{name}/{name}_{index:04d}.jpg', image)
