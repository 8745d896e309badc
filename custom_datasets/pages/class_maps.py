"""Where a classifier looks: class-activation maps.

Grad-CAM: R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep
Networks via Gradient-based Localization", ICCV 2017. For any mmpretrain
classifier whose backbone ends in a map of features: ResNet, EfficientNet,
DenseNet, Swin and the like, but not a ViT, which ends in a vector.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from numpy.typing import NDArray
from torch import Tensor, nn

from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification_report import ClassificationReport
from custom_datasets.files import Image as Pixels
from custom_datasets.pages.pictures import packed_pixels
from custom_datasets.predicting.config import quiet
from custom_datasets.predicting.model import load_network
from custom_datasets.predicting.scopes import use_scope

Heat = NDArray[np.floating[Any]]


class ClassMap(NamedTuple):
    """What in an image speaks for a class; nothing does where all of ``heat`` is 0.

    ``heat``, 0 to 1, has the shape (rows, columns) of the network's last features and
    covers the whole image.
    """

    name: str
    heat: Heat


class Explained(NamedTuple):
    """An image after the test pipeline; ``pixels`` are BGR, shape (height, width, 3).

    There is a map for the predicted class, and one for the true class if it differs.
    """

    pixels: Pixels
    maps: tuple[ClassMap, ...]


class Explanations(NamedTuple):
    """Images by their paths, or why there are none (``refusal``, a sentence)."""

    images: dict[str, Explained]
    refusal: str = ''

    def facts(self) -> dict[str, Any]:
        """Return their entry in ``report.json``: how many, and how fine."""
        first = next(iter(self.images.values()), None)
        rows, columns = first.maps[0].heat.shape if first else (None, None)
        return {
            'images': len(self.images),
            'rows': rows,
            'columns': columns,
            'refusal': self.refusal or None,
        }


_MOST_MISTAKES = 12
_MOST_TYPICAL = 12


class NoFeatureMap(UserError):
    """The network has no features that a map could be made of."""


def draw_class_maps(
    cfg: Config, checkpoint: str, report: ClassificationReport, device: str = 'cpu'
) -> Explanations:
    """Explain the most confident mistakes and the most typical images of a report.

    The config's modules must have been imported.
    """
    mistakes = report['mistakes']['confident'][:_MOST_MISTAKES]
    rows = [*mistakes, *report['typical'][:_MOST_TYPICAL]]
    wanted = {
        row['path']: tuple(dict.fromkeys((row['predicted'], row['true'])))
        for row in rows
    }
    if not wanted:
        return Explanations({}, 'There is no image to explain.')
    with quiet(), use_scope('mmpretrain'):
        try:
            network = load_network(cfg, checkpoint, report['classes'], device)
            model = network.model
            model.requires_grad_(False)
            dataset = DATASETS.build(cfg.test_dataloader.dataset)
            return Explanations(_explain(model, dataset, wanted, report['classes']))
        except NoFeatureMap as error:
            return Explanations({}, str(error))


def class_heat(model: nn.Module, inputs: Tensor, labels: Sequence[int]) -> list[Heat]:
    """Compute Grad-CAM of one image: a map per class, shape (rows, columns), 0 to 1.

    It is the sum of the last features, weighted by the mean gradient of the class's
    logit, where positive, divided by its maximum. ``inputs`` has the shape
    (1, channels, height, width), as the backbone gets it.

    Raises:
        NoFeatureMap: The backbone's last output is not a map, or has one place.
    """
    cut_at: list[Tensor] = []

    def cut(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        """Let the gradient end at the features: what leads to them is not needed."""
        stages = output if isinstance(output, (tuple, list)) else (output,)
        last = stages[-1]
        if not isinstance(last, Tensor) or last.ndim != 4:
            raise NoFeatureMap(_no_map(model, 'ends in no map of features'))
        if last.shape[2] * last.shape[3] == 1:
            raise NoFeatureMap(
                _no_map(
                    model,
                    f'makes a single place of {inputs.shape[3]} x {inputs.shape[2]} '
                    'pixels',
                )
            )
        features = last.detach().requires_grad_()
        cut_at.append(features)
        # A later in-place step must not change what the gradient is taken of.
        last = features.clone()
        return (
            last if isinstance(output, Tensor) else type(output)((*stages[:-1], last))
        )

    if not isinstance(getattr(model, 'backbone', None), nn.Module):
        raise NoFeatureMap(_no_map(model, 'has no backbone'))
    hook = model.backbone.register_forward_hook(cut)  # type: ignore[union-attr]
    try:
        with torch.enable_grad():
            logits = model(inputs, mode='tensor')
            if not isinstance(logits, Tensor) or logits.ndim != 2:
                raise NoFeatureMap(_no_map(model, 'gives no logit per class'))
            return [_heat(logits[0, label], cut_at[0]) for label in labels]
    finally:
        hook.remove()


def _heat(logit: Tensor, features: Tensor) -> Heat:
    (gradient,) = torch.autograd.grad(logit, features, retain_graph=True)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat = (weights * features).sum(dim=1)[0].clamp(min=0)
    heat = heat / heat.max().clamp(min=torch.finfo(heat.dtype).tiny)
    array: Heat = heat.detach().float().cpu().numpy()
    return array


def _explain(
    model: nn.Module,
    dataset: Any,
    wanted: Mapping[str, Sequence[str]],
    classes: Sequence[str],
) -> dict[str, Explained]:
    places = {
        str(dataset.get_data_info(index)['img_path']): index
        for index in range(len(dataset))
    }
    explained = {}
    for path, names in wanted.items():
        if path not in places:
            continue
        packed = dataset[places[path]]
        ready = model.data_preprocessor(  # type: ignore[operator]
            {key: [value] for key, value in packed.items()}, training=False
        )
        labels = [list(classes).index(name) for name in names]
        heats = class_heat(model, ready['inputs'], labels)
        maps = tuple(map(ClassMap, names, heats))
        explained[path] = Explained(packed_pixels(packed['inputs']), maps)
    return explained


def _no_map(model: nn.Module, why: str) -> str:
    name = type(getattr(model, 'backbone', model)).__name__
    return f'No maps of where it looks: {name} {why}.'
