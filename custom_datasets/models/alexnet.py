"""AlexNet that can start from published weights."""

from typing import Any

from mmpretrain.models import AlexNet
from mmpretrain.registry import MODELS


@MODELS.register_module()
class PretrainedAlexNet(AlexNet):  # type: ignore[misc]
    """mmpretrain's AlexNet, which by itself takes no ``init_cfg``.

    The names of its weights are torchvision's, so that ``torchvision://alexnet``
    fills it.
    """

    def __init__(self, init_cfg: Any = None, **settings: Any) -> None:
        """Build it as mmpretrain does; ``init_cfg`` is what every backbone has."""
        super().__init__(**settings)
        self.init_cfg = init_cfg
