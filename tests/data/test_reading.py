import json

import pytest

from custom_datasets.data.convert import FORMATS, convert, read_source, recognise
from custom_datasets.data.tree import Tree
from custom_datasets.errors import AnnotationError, UserError
from tests.data.drawing import coco_json, draw, tree, voc_xml, write


def test_each_format_is_recognised(voc, tmp_path):
    assert recognise(str(voc)) == 'voc'
    for target in ('coco', 'yolo', 'voc'):
        convert(str(voc), str(tmp_path / f'to {target}'), to=target)
        assert recognise(str(tmp_path / f'to {target}')) == target
    for name in ('cat/1.jpg', 'dog/1.jpg'):
        draw(tmp_path / 'folders' / name)
    assert recognise(str(tmp_path / 'folders')) == 'class-folders'
    draw(tmp_path / 'metal/a.jpg')
    write(tmp_path / 'metal/a.json', '{"a.jpg": {"anno": []}}')
    assert recognise(str(tmp_path / 'metal')) == 'metal-surface'


def test_a_folder_in_folders_and_junk(voc, tmp_path):
    inner = tmp_path / 'download/set v2'
    inner.mkdir(parents=True)
    voc.rename(inner / 'VOC')
    write(tmp_path / 'download/.DS_Store', '')
    write(tmp_path / 'download/__MACOSX/a.xml', '<annotation/>')
    write(inner / 'VOC/Annotations/._a.xml', 'junk')
    write(inner / 'VOC/.ipynb_checkpoints/a.xml', voc_xml([]))
    source = read_source(str(tmp_path / 'download'))
    assert source.root == str(inner / 'VOC')
    assert sum(map(len, source.splits.values())) == 8


def test_a_readme_beside_the_one_folder_is_no_obstacle(tmp_path):
    for name in ('00000/1.ppm', '00001/1.ppm'):
        draw(tmp_path / 'GTSRB/Final_Training/Images' / name)
    for name in ('Readme-Images.txt', 'LICENSE', 'README.md', 'cite.bib'):
        write(tmp_path / 'GTSRB' / name, 'Road signs')
    assert read_source(str(tmp_path)).classes == ('00000', '00001')


@pytest.mark.parametrize(
    'name',
    ['cover.jpg', 'a.json', 'data.yaml', 'labels.csv', 'classes.txt', 'train.txt'],
)
def test_an_annotation_beside_the_one_folder_keeps_it(tmp_path, name):
    draw(tmp_path / 'in/images/a.jpg')
    write(tmp_path / 'in' / name, '')
    assert Tree(str(tmp_path / 'in')).root == str(tmp_path / 'in')


def test_one_folder_of_a_class_is_not_enough(tmp_path):
    draw(tmp_path / 'in/cat/1.jpg')
    with pytest.raises(UserError, match='give the folder that holds them all'):
        read_source(str(tmp_path / 'in'))


def test_two_formats_need_a_name(tmp_path):
    draw(tmp_path / 'a.jpg')
    write(tmp_path / 'a.xml', voc_xml([('ant', (1, 2, 3, 4))]))
    write(tmp_path / 'a.json', coco_json({'a.jpg': [(2, [5, 5, 6, 6])]}))
    with pytest.raises(UserError) as error:
        read_source(str(tmp_path))
    assert str(error.value) == (
        f'{tmp_path}: found 1 file of Pascal VOC XML (a.xml) and 1 file of COCO JSON '
        '(a.json); name the one to read with --from voc or --from coco'
    )
    assert read_source(str(tmp_path), 'voc').classes == ('ant',)
    assert read_source(str(tmp_path), 'coco').classes == ('ant', 'bee')


@pytest.mark.parametrize(('labelled', 'form'), [(1, 'class-folders'), (10, 'yolo')])
def test_the_format_of_the_most_images_is_read(tmp_path, labelled, form):
    draw_labelled_folders(tmp_path, labelled)
    assert recognise(str(tmp_path)) == form


def test_folders_with_some_labels_need_a_name(tmp_path):
    draw_labelled_folders(tmp_path, 4)
    with pytest.raises(UserError) as error:
        recognise(str(tmp_path))
    assert str(error.value) == (
        f'{tmp_path}: found 4 files of YOLO text (day/0.txt, day/1.txt, ... and 2 more)'
        ' and 20 files of class folders (day/0.png, day/1.png, ... and 18 more); name '
        'the one to read with --from yolo or --from class-folders'
    )


def draw_labelled_folders(root, labelled):
    for folder in ('day', 'night'):
        for number in range(10):
            draw(root / f'{folder}/{number}.png')
    for number in range(labelled):
        write(root / f'day/{number}.txt', '0 .5 .5 .5 .5')


def test_no_known_format(tmp_path):
    draw(tmp_path / 'a.jpg')
    write(tmp_path / 'createml.json', json.dumps([{'image': 'a.jpg'}]))
    write(tmp_path / 'broken.json', '{')
    write(tmp_path / 'labels.csv', 'a,b')
    with pytest.raises(UserError) as error:
        recognise(str(tmp_path))
    text = str(error.value)
    assert 'found 1 image, 0 .xml, 2 .json, 0 .txt, 0 .yaml, 1 .csv' in text
    assert 'broken.json: broken JSON' in text
    assert all(name in text for name, _, _ in FORMATS.values())


@pytest.mark.parametrize('form', FORMATS)
def test_an_empty_folder(tmp_path, form):
    with pytest.raises(UserError, match=str(tmp_path)):
        read_source(str(tmp_path))
    with pytest.raises(UserError, match=str(tmp_path)):
        read_source(str(tmp_path), form)


def test_what_is_no_folder(tmp_path):
    write(tmp_path / 'a.zip', '')
    with pytest.raises(UserError, match=r'convert\.py unpacks a zip'):
        read_source(str(tmp_path / 'a.zip'))
    with pytest.raises(UserError, match='no such folder'):
        recognise(str(tmp_path / 'gone'))


def test_links_in_a_folder_are_followed_once(voc, tmp_path):
    (tmp_path / 'linked').mkdir()
    for name in ('JPEGImages', 'Annotations'):
        (tmp_path / 'linked' / name).symlink_to(voc / name)
    (tmp_path / 'linked/JPEGImages/loop').symlink_to(tmp_path / 'linked')
    try:
        source = read_source(str(tmp_path / 'linked'))
    finally:
        (voc / 'JPEGImages/loop').unlink()
    assert sum(map(len, source.splits.values())) == 8


@pytest.mark.parametrize('name', [' ', 'two\nlines'])
def test_a_class_without_a_name(tmp_path, name):
    draw(tmp_path / 'a.jpg')
    boxes = {'a.jpg': [(1, [1, 1, 5, 5])]}
    write(tmp_path / 'a.json', coco_json(boxes, [{'id': 1, 'name': name}]))
    with pytest.raises(AnnotationError, match=r'its name is|is not a class name'):
        read_source(str(tmp_path))


def test_reading_changes_nothing(voc):
    before = tree(voc)
    read_source(str(voc))
    assert tree(voc) == before
