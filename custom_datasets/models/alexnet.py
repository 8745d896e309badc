"""AlexNet that can start from published weights."""

from typing import Any

from mmpretrain.models import AlexNet
from mmpretrain.registry import MODELS


@MODELS.register_module()
class PretrainedAlexNet(AlexNet):  # type: ignore[misc]
    """mmpretrain's AlexNet with an ``init_cfg``, which its own doesn't take.

    Its weights are named as torchvision's, so that ``torchvision://alexnet`` fits.
    """

    def __init__(self, init_cfg: Any = None, **settings: Any) -> None:
        """Build it as mmpretrain does."""
        super().__init__(**settings)
        self.init_cfg = init_cfg
