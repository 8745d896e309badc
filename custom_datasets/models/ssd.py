"""SSD's head, able to predict.

From 3.3 on mmdet looks at a head's ``loss_cls`` before it predicts, and its SSDHead
has none: github.com/open-mmlab/mmdetection/issues/11063.
"""

from mmdet.models.dense_heads import SSDHead
from mmdet.registry import MODELS


@MODELS.register_module()
class PredictingSSDHead(SSDHead):  # type: ignore[misc]
    """The stock head, whose classes have a softmax and no loss of their own."""

    loss_cls = None
