"""How many multiply-adds a model needs for an image."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(model: nn.Module, sample: Mapping[str, Any]) -> dict[str, Any]:
    """Count the multiply-adds of convolutions and matrix products.

    They are what tables of detectors call FLOPs. PyTorch counts what runs, for
    one image, up to the raw outputs (no non-maximum suppression).

    Args:
        model: Of mmengine's kind, without the wrapper of a distributed run.
        sample: What the data set returns for an image.

    Returns:
        ``macs``; ``input_shape``: channels, height and width of what the model
        gets, padding included; ``why``, which says what is wrong where these
        are None.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            batch = pseudo_collate([sample])
            data = model.data_preprocessor(batch, False)  # type: ignore[operator]
            model(**data, mode='tensor')
    except Exception as error:  # A model of the user's may fail in any way.
        why = f'{type(error).__name__}: {error}'.splitlines()[0]
        return {'macs': None, 'input_shape': None, 'why': why}
    finally:
        model.train(training)
    shape = [int(side) for side in data['inputs'].shape[1:]]
    # The counter takes a multiplication and an addition for two.
    return {'macs': counter.get_total_flops() // 2, 'input_shape': shape, 'why': None}
