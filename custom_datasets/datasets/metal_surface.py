"""Metal surface: one crop per defect, cut from photographs of steel strips.

The ten classes are those of GC10-DET (Lv et al., "Deep Metallic Surface Defect
Detection", Sensors 2020), numbered in the order below. The crops come from
``tools/dataset_converters/metal_surface.py``.
"""

from typing import Any

from mmpretrain.registry import DATASETS

from custom_datasets.datasets.class_list import ClassListDataset


@DATASETS.register_module()
class MetalSurfaceDataset(ClassListDataset):
    """Crops of surface defects; another class list is ``classes=...``."""

    METAINFO: dict[str, Any] = {
        'classes': (
            'crease',
            'crescent_gap',
            'inclusion',
            'oil_spot',
            'punching_hole',
            'rolled_pit',
            'silk_spot',
            'waist_folding',
            'water_spot',
            'welding_line',
        ),
        'palette': [
            (31, 119, 180),
            (255, 127, 14),
            (44, 160, 44),
            (214, 39, 40),
            (148, 103, 189),
            (140, 86, 75),
            (227, 119, 194),
            (127, 127, 127),
            (188, 189, 34),
            (23, 190, 207),
        ],
    }
