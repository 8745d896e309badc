"""The drawn data that a leaf is run on."""

import pytest
from mmengine.config import Config

from custom_datasets.bccd import BCCDDataset
from custom_datasets.sample import METAL_CLASSES


@pytest.fixture
def drawn(request):
    """Find the root of a leaf's data, and the classes where it has others.

    A data set that joins later is run on drawn cells or crops, by their names.
    """

    def find(leaf):
        if leaf.parent.name == 'face_mask':
            return request.getfixturevalue('face_mask_root'), None
        if Config.fromfile(leaf).default_scope == 'mmpretrain':
            return request.getfixturevalue('metal_crops'), METAL_CLASSES
        own = leaf.parent.name in ('bccd', 'sample')
        classes = None if own else BCCDDataset.METAINFO['classes']
        return request.getfixturevalue('bccd_root'), classes

    return find
