"""The drawn data that a leaf is run on."""

import shutil

import pytest

from custom_datasets.datasets.bccd import BCCDDataset
from custom_datasets.samples.boxes import METAL_CLASSES
from tests.leaves import CLASSIFIERS, GENERATORS


@pytest.fixture(scope='session')
def recycling_measured(recycling_root, tmp_path_factory):
    """The same, tested on the validation set, which is annotated."""
    root = tmp_path_factory.mktemp('drawn') / 'recycling'
    shutil.copytree(recycling_root, root)
    shutil.copy(root / 'annotations/val.json', root / 'test.json')
    return root


@pytest.fixture
def drawn(request):
    """Find the root of a leaf's data, and the classes where it has others.

    A data set that joins later is run on drawn cells or crops, by their names.
    """

    def find(leaf):
        if leaf.stem.endswith('face-mask'):
            return request.getfixturevalue('face_mask_root'), None
        if leaf.stem.endswith('wider-face'):
            return request.getfixturevalue('wider_face_root'), None
        if leaf.stem.endswith('recycling'):
            return request.getfixturevalue('recycling_measured'), None
        if leaf in (*CLASSIFIERS, *GENERATORS):
            return request.getfixturevalue('metal_crops'), METAL_CLASSES
        own = leaf.parent.name in ('bccd', 'sample')
        classes = None if own else BCCDDataset.METAINFO['classes']
        return request.getfixturevalue('bccd_root'), classes

    return find
