"""Names in any script in what mmengine's visualizers draw.

Importing this module changes ``Visualizer.get_image``, through which all of
``--show-dir``, ``--show``, inferencers and trackers get their pictures: texts of
other scripts than Latin get further font families to fall back to.
"""

from functools import wraps
from typing import Any

from mmengine.visualization import Visualizer

from custom_datasets.predicting.fonts import fonts_for

_get_image = Visualizer.get_image


@wraps(_get_image)
def _get_image_in_any_script(visualizer: Any) -> Any:
    for text in visualizer.ax_save.texts:
        if not text.get_text().isascii():
            families = fonts_for([text.get_text()]).families
            text.set_fontfamily([*text.get_fontfamily(), *families])
    return _get_image(visualizer)


Visualizer.get_image = _get_image_in_any_script
