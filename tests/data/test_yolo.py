import pytest

from custom_datasets.data.convert import convert, read_source
from tests.data.drawing import draw, objects, write

LINE = '1 0.5 0.5 0.25 0.5\n'
BOX = [('bee', (24.0, 12.0, 40.0, 36.0))]


def test_roboflow_yolo(tmp_path):
    for split in ('train', 'valid', 'test'):
        draw(tmp_path / f'{split}/images/1_jpg.rf.ab.jpg')
        write(tmp_path / f'{split}/labels/1_jpg.rf.ab.txt', LINE)
    write(tmp_path / 'README.dataset.txt', '# ants\n1 2 3\n')
    write(
        tmp_path / 'data.yaml',
        'train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\n'
        "nc: 3\nnames: ['ant', 'bee', 'no']\nroboflow:\n  version: 1\n",
    )
    source = read_source(str(tmp_path))
    assert source.classes == ('ant', 'bee', 'no')
    assert objects(source) == {
        s: {'1_jpg.rf.ab': BOX} for s in ('train', 'val', 'test')
    }
    assert source.notes == ()


@pytest.mark.parametrize(
    'entries',
    [
        'path: /content/set\ntrain: images/train\nval: [images/val]\ntest:\n',
        'path: .\ntrain: train.txt\nval: ./set/val.txt\n',
        'train: /else/where/images/train\nval: my-project\\images\\val\n',
        '',
    ],
)
def test_ultralytics_yolo(tmp_path, entries):
    for split in ('train', 'val'):
        draw(tmp_path / f'images/{split}/{split}1.jpg')
        write(tmp_path / f'labels/{split}/{split}1.txt', LINE)
        write(tmp_path / f'{split}.txt', f'./images/{split}/{split}1.jpg\n')
    write(tmp_path / 'set.yml', f'{entries}names:\n  0: ant\n  1: bee\n')
    assert objects(read_source(str(tmp_path))) == {
        'train': {'train1': BOX},
        'val': {'val1': BOX},
    }


def test_a_part_that_is_not_there_is_noted(tmp_path):
    draw(tmp_path / 'train/images/a.jpg')
    write(tmp_path / 'train/labels/a.txt', LINE)
    text = 'train: train/images\ntest: ../test/images\nnames: [ant, bee]\n'
    write(tmp_path / 'data.yaml', text)
    source = read_source(str(tmp_path))
    assert list(source.splits) == ['train']
    assert 'data.yaml: no images are in test: ../test/images' in source.notes


def test_cvat_yolo(tmp_path):
    draw(tmp_path / 'obj_train_data/a.jpg')
    write(tmp_path / 'obj_train_data/a.txt', LINE)
    write(tmp_path / 'obj.names', 'ant\nbee\n')
    write(tmp_path / 'obj.data', 'classes = 2\n')
    write(tmp_path / 'train.txt', 'data/obj_train_data/a.jpg\n')
    assert objects(read_source(str(tmp_path))) == {'train': {'a': BOX}}


@pytest.mark.parametrize('names', ['classes.txt', 'labels/classes.txt', 'x.names'])
def test_labels_and_a_list_of_classes(tmp_path, names):
    draw(tmp_path / 'images/train.jpg')
    write(tmp_path / 'labels/train.txt', LINE)
    write(tmp_path / names, 'ant\r\nbee\r\n')
    assert objects(read_source(str(tmp_path))) == {'all': {'train': BOX}}


def test_labels_without_names(tmp_path):
    draw(tmp_path / 'a.jpg')
    write(tmp_path / 'a.txt', f'{LINE}10 0.5 0.5 1 1\n2 0.5 0.5 1 1\n')
    source = read_source(str(tmp_path))
    assert source.classes == ('1', '2', '10')
    assert 'no class names found' in source.notes[0]


def test_images_without_labels_have_no_objects(tmp_path):
    for name in 'abc':
        draw(tmp_path / f'{name}.jpg')
    write(tmp_path / 'a.txt', '')
    write(tmp_path / 'b.txt', '\n0 .5 .5 1 1\n\n')
    source = read_source(str(tmp_path))
    assert objects(source) == {'all': {'a': [], 'b': [('0', (0, 0, 64, 48))], 'c': []}}
    assert source.notes[0] == (
        '1 image without a label file is taken to have no objects: c.jpg'
    )


def test_polygons_and_turned_boxes(tmp_path):
    draw(tmp_path / 'a.jpg')
    turned = '0 0.5 0.25 0.75 0.5 0.5 0.75 0.25 0.5\n'
    write(tmp_path / 'a.txt', f'{turned}0 0.125 0.25 0.5 0.5 0.25 0.75\n')
    source = read_source(str(tmp_path))
    assert [box for _, box in objects(source)['all']['a']] == [
        (16, 12, 48, 36),
        (8, 12, 32, 36),
    ]
    assert source.notes[0].startswith('1 file has polygons or turned boxes')


def test_keypoints_are_left_out(tmp_path):
    draw(tmp_path / 'a.jpg')
    write(tmp_path / 'a.txt', f'{LINE.strip()} 0.1 0.1 0.2 0.2\n')
    write(tmp_path / 'data.yaml', 'kpt_shape: [2, 2]\nnames: [ant, bee]\n')
    source = read_source(str(tmp_path))
    assert objects(source) == {'all': {'a': BOX}}
    assert source.notes == ('data.yaml: keypoints are left out',)


def test_a_file_of_few_digits_is_as_precise_as_the_others(tmp_path):
    """Its 0.123 is 0.123000, so 438.5 is no whole number printed in short."""
    for name in 'ab':
        draw(tmp_path / f'{name}.png', (1000, 10))
    write(tmp_path / 'a.txt', '0 0.5 0.5 0.123 1\n')
    write(tmp_path / 'b.txt', '0 0.5123456 0.5 0.2 1\n')
    boxes = objects(read_source(str(tmp_path)))['all']
    assert boxes['a'] == [('0', (438.5, 0, 561.5, 10))]


def test_what_is_written(voc, tmp_path):
    report = convert(str(voc), str(tmp_path / 'out'), to='yolo')
    assert '1 difficult box is like all others in YOLO' in report
    assert (tmp_path / 'out/labels/c.txt').read_text() == (
        '0 0.3203125 0.4895833333333333 0.265625 0.3125\n'
    )
    assert (
        (tmp_path / 'out/train.txt')
        .read_text()
        .startswith('./images/deep/down/e.jpg\n')
    )
    assert (tmp_path / 'out/data.yaml').read_text() == (
        'train: train.txt\ntest: test.txt\nnames:\n  0: "zebra"\n  1: "unused"\n'
        '  2: "ant"\n  3: "größe & höhe"\n'
    )
