"""The transform behind ``augment``; Albumentations is imported when it is built."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class OneOfEachGroup(BaseTransform):  # type: ignore[misc]
    """Apply one transform of each group to an image, each with the chance ``prob``.

    mmpretrain's own wrapper leaves the drawing to Albumentations, which ignores
    NumPy's seed: runs would not repeat, or all epochs would draw the same. Here each
    image is seeded from NumPy, so that seed, epoch and rank decide.
    """

    def __init__(
        self, groups: Sequence[Sequence[Mapping[str, Any]]], prob: float = 0.5
    ) -> None:
        """Build the groups."""
        import albumentations

        def build(step: Mapping[str, Any]) -> Any:
            arguments = {key: value for key, value in step.items() if key != 'type'}
            return getattr(albumentations, step['type'])(**arguments, p=1)

        self.groups = groups
        self.prob = prob
        self.compose = albumentations.Compose(
            [albumentations.OneOf(list(map(build, group)), prob) for group in groups]
        )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``img``, BGR of shape (height, width, 3), and keep its size."""
        self.compose.set_random_seed(int(np.random.randint(2**31)))
        rgb = np.ascontiguousarray(results['img'][..., ::-1])
        changed = self.compose(image=rgb)['image']
        results['img'] = np.ascontiguousarray(changed[..., ::-1])
        return results

    def __repr__(self) -> str:
        """Show the groups."""
        return f'{type(self).__name__}(groups={self.groups}, prob={self.prob})'
