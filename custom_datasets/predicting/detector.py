"""Tags of what a trained detector finds on images."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.errors import ConfigError, ImageError
from custom_datasets.predicting.outputs import Detections
from custom_datasets.predicting.predictor import Predictor


def tag_images(
    images: Sequence[str],
    config: str,
    checkpoint: str,
    threshold: float = 0.3,
    options: Mapping[str, Any] | None = None,
) -> tuple[str, list[str]]:
    """Return a JSON of each image's tags, and a sentence per unreadable image."""
    predictor = Predictor(config, checkpoint, threshold=threshold, options=options)
    tagged, problems = {}, []
    for image, answer in zip(images, predictor.stream(images), strict=True):
        if isinstance(answer, ImageError):
            problems.append(str(answer))
        elif isinstance(answer, Detections):
            tagged[image] = {
                name: {
                    'score': round(tag.score, 4),
                    'boxes': tag.boxes.round(1).tolist(),
                }
                for name, tag in answer.tags().items()
            }
        else:
            raise ConfigError(f'{config}: is a classifier, but a detector is needed')
    return json.dumps(tagged, indent=1), problems
