"""Face mask detection: 853 photographs (PNG, mostly RGBA), no split given.

Source: https://www.kaggle.com/datasets/andrewmvd/face-mask-detection.
Coordinates are one-based: none is 0, and the smallest is 1. A few ``xmax``
are one past the width; they are clipped.
"""

from typing import Any

from mmdet.registry import DATASETS

from custom_datasets.datasets.voc import VOCFolderDataset


@DATASETS.register_module()
class FaceMaskDataset(VOCFolderDataset):
    """Faces with, without and with a badly worn mask.

    ``tools/dataset_converters/face_mask.py`` writes the split lists.
    """

    METAINFO: dict[str, Any] = {
        'classes': ('with_mask', 'without_mask', 'mask_weared_incorrect'),
        'palette': [(44, 160, 44), (214, 39, 40), (255, 187, 51)],
    }

    def __init__(
        self,
        ann_file: str,
        *,
        img_subdir: str = 'images',
        ann_subdir: str = 'annotations',
        **kwargs: Any,
    ) -> None:
        """Load the list, from the folders of Kaggle's archive."""
        super().__init__(
            ann_file, img_subdir=img_subdir, ann_subdir=ann_subdir, **kwargs
        )
