"""What a classifier's page shows of where it looks; made by ``class_maps``.

Apart from there, so that no page needs torch.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.converters.files import Image as Pixels

Heat = NDArray[np.floating[Any]]


class ClassMap(NamedTuple):
    """What speaks for a class in an image.

    Attributes:
        name: The class.
        heat: Shape (rows, columns) of the network's last features, 0 to 1; it
            covers all of the image. Nothing speaks for the class where all is 0.
    """

    name: str
    heat: Heat


class Explained(NamedTuple):
    """An image as the network sees it, behind the test pipeline.

    Attributes:
        pixels: BGR, shape (height, width, 3).
        maps: For the predicted class, and for the true one where it differs.
    """

    pixels: Pixels
    maps: tuple[ClassMap, ...]


class Explanations(NamedTuple):
    """What could be explained.

    Attributes:
        images: By the path of the image.
        refusal: Why there are none, as a sentence; else empty.
    """

    images: dict[str, Explained]
    refusal: str = ''

    def facts(self) -> dict[str, Any]:
        """Return what ``report.json`` has of them: how many, and how fine."""
        first = next(iter(self.images.values()), None)
        rows, columns = first.maps[0].heat.shape if first else (None, None)
        return {
            'images': len(self.images),
            'rows': rows,
            'columns': columns,
            'refusal': self.refusal or None,
        }
