"""Data that is odd but accepted: what converts is split, checked and trained on."""

import cv2
import numpy as np
import pytest

from custom_datasets.data.convert import convert
from custom_datasets.data.split import split_dataset
from tests.data.drawing import SIZE, voc_xml, write
from tests.leaves import ROOT

RATIOS = {'train': 2, 'val': 1, 'test': 1}
DETECTOR = ROOT / 'configs/sample/retinanet_r18_fpn_1xb8-12e_sample.py'
CLASSIFIER = ROOT / 'configs/metal_surface/resnet18_light_1xb64-30e_metal-surface.py'
OBJECTS = [('cat', (4, 4, 30, 40)), ('dog', (30, 10, 60, 44))]
LABELS = '0 .3 .5 .4 .6\n1 0.7 0.5 .4 .7\n'
NAMES = 'abcdefghijkl'


def draw(path, number):
    """Draw an image that no other is like."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    image = cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC)
    # OpenCV takes no name with bytes of another system.
    path.write_bytes(cv2.imencode('.png', image)[1].tobytes())


def draw_odd_voc(root):
    """Draw ``.XML``, XML files in folders, no size, and boxes without an area."""
    for number, name in enumerate(NAMES):
        draw(root / f'JPEGImages/{name}.png', number)
        write(root / f'Annotations/{name}.xml', voc_xml(OBJECTS))
    annotations = root / 'Annotations'
    (annotations / 'a.xml').rename(annotations / 'a.XML')
    (annotations / 'deep/er').mkdir(parents=True)
    (annotations / 'b.xml').rename(annotations / 'deep/er/b.xml')
    (root / 'JPEGImages/c.png').rename(root / 'JPEGImages/c.JPG')
    write(annotations / 'd.xml', voc_xml(OBJECTS, size=None))
    empty = [('cat', (9, 9, 9, 20)), ('dog', (30, 30, 20, 40)), ('cat', (70, 1, 80, 9))]
    write(annotations / 'e.xml', voc_xml([*empty, *OBJECTS]))
    write(annotations / 'f.xml', voc_xml([('dog', (-5, 9.5, 70, 90), True), *OBJECTS]))
    write(annotations / 'g.xml', voc_xml([]))
    write(annotations / 'readme.xml', '<readme/>')
    (root / 'JPEGImages/x.jpg').mkdir()


def draw_odd_yolo(root):
    """Draw polygons, boxes over the edge, empty and lost files, a stray XML file."""
    for number, name in enumerate(NAMES):
        draw(root / f'images/{name}.png', number)
        write(root / f'labels/{name}.txt', LABELS)
    write(root / 'labels/a.txt', f'{LABELS}0 .1 .1 .9 .1 .5 .8\n')
    write(root / 'labels/b.txt', f'{LABELS}1 1.01 .5 .1 .5\n0 .5 .5 0 .5\n')
    write(root / 'labels/c.txt', '')
    write(root / 'labels/d.txt', '\ufeff' + LABELS.replace('\n', '\r\n'))
    (root / 'labels/e.txt').unlink()
    write(root / 'images/f.xml', voc_xml(OBJECTS))
    write(root / 'data.yaml', 'path: /elsewhere\nnames: {1: dog, 0: cat}\n')


def draw_odd_folders(root):
    """Draw folders in a class, lost suffixes, a stray label and names that differ."""
    for number in range(24):
        name = ('cat', 'dog')[number % 2]
        draw(root / f'{name}/{number}.png', number)
    (root / 'cat/night').mkdir()
    (root / 'cat/0.png').rename(root / 'cat/night/0.PNG')
    (root / 'cat/2.png').rename(root / 'cat/A.png')
    (root / 'cat/4.png').rename(root / 'cat/a.png')
    (root / 'dog/1.png').rename(root / 'dog/größe 1.jpg')
    write(root / 'dog/3.txt', '0 .5 .5 .5 .5\n')
    write(root / 'cat/8.png.md', 'hello')
    (root / 'bird/none').mkdir(parents=True)


def assert_trains(run, root, leaf, classes):
    """Split, check and train on a data set that a leaf's data set can read."""
    split_dataset(str(root), RATIOS, overwrite=True)
    loaders = [
        f'{name}_dataloader.{setting}'
        for name in ('train', 'val', 'test')
        for setting in ('batch_size=2', 'num_workers=0', 'persistent_workers=False')
    ]
    given = [f'data_root={root}', f'classes={",".join(classes)}', 'from_scratch=True']
    options = ['--cfg-options', *given, *loaders, 'train_cfg.max_epochs=1']
    checked = run('check.py', leaf, '--no-cache', *options)
    assert checked.returncode == 0, checked.stdout
    trained = run('train.py', leaf, '--work-dir', 'work', *options)
    assert trained.returncode == 0, trained.stderr[-2000:]
    assert (root.parent / 'work/epoch_1.pth').exists()


@pytest.mark.parametrize(
    ('draw_odd', 'leaf', 'converted'),
    [
        pytest.param(draw_odd_voc, DETECTOR, False, id='VOC'),
        pytest.param(draw_odd_voc, DETECTOR, True, id='VOC, converted'),
        pytest.param(draw_odd_yolo, DETECTOR, True, id='YOLO, converted'),
        pytest.param(draw_odd_folders, CLASSIFIER, False, id='class folders'),
        pytest.param(draw_odd_folders, CLASSIFIER, True, id='class folders, converted'),
    ],
)
def test_odd_data_trains(run, tmp_path, draw_odd, leaf, converted):
    root = tmp_path / 'raw'
    draw_odd(root)
    if converted:
        convert(str(root), str(tmp_path / 'made'))
        root = tmp_path / 'made'
    assert_trains(run, root, leaf, ('cat', 'dog'))
