"""What test pipeline and data preprocessor do to pixels, as ``model.json`` has it."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from custom_datasets.config import iter_datasets
from custom_datasets.errors import ConfigError
from custom_datasets.predicting.exported import InputSpec

_LATER = {'LoadImageFromFile', 'LoadAnnotations', 'PackDetInputs', 'PackInputs'}
"""Steps that leave the pixels as they are."""


def input_spec(cfg: Config, size: tuple[int, int] | None = None) -> InputSpec:
    """Describe the way of an image into a network.

    Args:
        cfg: With all settings applied.
        size: Width and height instead of those that the pipeline resizes to.

    Raises:
        ConfigError: A step is one that exported models do not have.
    """
    where = cfg.filename
    dataset = next(iter_datasets(cfg, ['test_dataloader']))
    square, resize, edge, crop = False, None, None, None
    for step in dataset['pipeline']:
        kind = str(step['type']).split('.')[-1]
        if kind in _LATER:
            continue
        if kind == 'Pad' and step.get('pad_to_square') and resize is None:
            square = True
        elif kind == 'Resize' and resize is None:
            resize = step
        elif kind == 'ResizeEdge' and resize is None:
            resize = edge = step
        elif kind == 'CenterCrop' and edge is not None and crop is None:
            crop = step
        else:
            raise ConfigError(
                f'{where}: its test pipeline has {kind}; an exported model can fill up '
                'to a square (Pad), then resize (Resize, or ResizeEdge and CenterCrop),'
                " once each and in this order; write test_dataloader's pipeline so"
            )
    if resize is None or (edge is not None and crop is None):
        raise ConfigError(
            f'{where}: its test pipeline has no Resize (nor ResizeEdge and '
            'CenterCrop), and an exported model takes images of one size'
        )
    if edge is None:
        short, (width, height) = None, size or _scale(where, resize)
    else:
        short, (width, height) = _middle(where, edge, crop, size)
    preprocessor = cfg.model.data_preprocessor
    divisor = int(preprocessor.get('pad_size_divisor') or 1)
    if preprocessor.get('pad_value'):
        raise ConfigError(
            f'{where}: its data_preprocessor pads with {preprocessor.pad_value}; an '
            'exported model pads with 0'
        )
    to_rgb = any(preprocessor.get(key) for key in ('bgr_to_rgb', 'to_rgb'))
    return {
        'width': width,
        'height': height,
        'padded_width': -(-width // divisor) * divisor,
        'padded_height': -(-height // divisor) * divisor,
        'keep_ratio': bool(resize.get('keep_ratio')),
        'square': square,
        'short_edge': short,
        'channels': 'RGB' if to_rgb else 'BGR',
        'mean': [float(value) for value in preprocessor.get('mean') or [0, 0, 0]],
        'std': [float(value) for value in preprocessor.get('std') or [1, 1, 1]],
    }


def _middle(
    where: str | None,
    edge: Mapping[str, Any],
    crop: Any,
    size: tuple[int, int] | None,
) -> tuple[int, tuple[int, int]]:
    """Return the length of the shorter side, and what is cut out of the middle."""
    ways = edge.get('interpolation', 'bilinear'), edge.get('backend', 'cv2')
    if edge.get('edge', 'short') != 'short' or ways != ('bilinear', 'cv2'):
        raise ConfigError(
            f'{where}: its test pipeline has {dict(edge)}; an exported model resizes '
            "the short edge, with OpenCV and 'bilinear'"
        )
    short, side = int(edge['scale']), crop['crop_size']
    width, height = (side, side) if isinstance(side, int) else side
    if size is not None:
        short = round(short * max(size[0] / width, size[1] / height))
        width, height = size
    if short < max(width, height):
        raise ConfigError(
            f'{where}: its test pipeline resizes the short edge to {short}, from which '
            f'{width} x {height} cannot be cut; make it as long at least'
        )
    return short, (int(width), int(height))


def _scale(where: str | None, step: Mapping[str, Any]) -> tuple[int, int]:
    scale = step.get('scale')
    if isinstance(scale, int):
        return scale, scale
    ways = step.get('interpolation', 'bilinear'), step.get('backend', 'cv2')
    if not isinstance(scale, (list, tuple)) or ways != ('bilinear', 'cv2'):
        raise ConfigError(
            f'{where}: its test pipeline has {dict(step)}; an exported model resizes '
            "to a scale=(width, height), with OpenCV and 'bilinear'"
        )
    width, height = scale
    return int(width), int(height)
