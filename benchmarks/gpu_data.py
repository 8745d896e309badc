"""The data that ``gpu.py`` trains on: drawn, or real where they are at hand."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from custom_datasets.data.defect_crops import convert
from custom_datasets.data.face_mask import write_split
from custom_datasets.samples.boxes import (
    METAL_CLASSES,
    draw_bccd,
    draw_face_mask,
    draw_metal_surface,
    draw_recycling,
    draw_wider_face,
)

CELLS = ('RBC', 'WBC', 'Platelets')
FACES = ('with_mask', 'without_mask', 'mask_weared_incorrect')


@dataclass(frozen=True)
class Setup:
    """How it is measured: ``device`` is cuda or cpu, ``folder`` has the drawn data."""

    device: str
    tiny: bool
    folder: str


@dataclass(frozen=True)
class LeafData:
    """What a leaf is trained on; ``classes`` where they are not its own."""

    root: str
    classes: tuple[str, ...] | None
    source: str


def draw_all(setup: Setup) -> None:
    """Draw images of about the real sizes, some more than a batch of a leaf has."""
    root, tiny = Path(setup.folder), setup.tiny
    count = 8 if tiny else 64
    cells, faces, steel, scene = (
        (96, 80) if tiny else size
        for size in ((640, 480), (400, 300), (200, 200), (768, 576))
    )
    draw_bccd(str(root / 'bccd'), {'train': count, 'val': 4, 'test': 4}, cells)
    # 40: a rare class has to be in each of three parts, and each class in one.
    draw_face_mask(str(root / 'face_mask'), max(count, 40), faces)
    write_split(str(root / 'face_mask'), FACES)
    draw_wider_face(str(root / 'wider_face'), {'train': count, 'val': 8}, faces)
    draw_metal_surface(str(root / 'metal_surface'), 60, steel)
    convert(str(root / 'metal_surface'), str(root / 'metal_crops'), METAL_CLASSES)
    recycling = root / 'recycling'
    draw_recycling(str(recycling), {'train': max(count, 40)}, scene)
    (recycling / 'annotations').mkdir()
    shutil.copy(recycling / 'train.json', recycling / 'annotations')


def data_of(leaf: Path, setup: Setup) -> LeafData:
    """Find the data of a leaf; one without drawn ones gets cells or steel."""
    name = leaf.parent.name
    real = os.environ.get('REAL_DATA_ROOT')
    if real and name == 'bccd' and not setup.tiny:
        folder = os.path.abspath(os.path.join(real, name))
        if os.path.isdir(folder):
            return LeafData(folder, None, 'real bccd')
    if is_classifier(leaf):
        folder, classes = 'metal_crops', METAL_CLASSES
    elif leaf.stem.endswith('face-mask'):
        folder, classes = 'face_mask', None
    elif leaf.stem.endswith('wider-face'):
        folder, classes = 'wider_face', None
    elif name in ('bccd', 'recycling'):
        folder, classes = name, None
    else:
        folder, classes = 'bccd', CELLS
    return LeafData(os.path.join(setup.folder, folder), classes, f'drawn {folder}')


def is_classifier(leaf: Path) -> bool:
    """Tell a classifier by its run-time base."""
    return 'cls_runtime.py' in leaf.read_text()
