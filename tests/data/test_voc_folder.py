import pytest

from custom_datasets.data.convert import convert, read_source
from custom_datasets.errors import AnnotationError, UserError
from tests.data.drawing import draw, objects, voc_xml, write

ANT = [('ant', (1, 2, 3, 4))]
BOX = (0.0, 1.0, 3.0, 4.0)


def names(source):
    return {split: [r.name for r in found] for split, found in source.splits.items()}


def pair(root, image, xml, found=ANT, **more):
    draw(root / image)
    write(root / xml, voc_xml(found, **more))


def test_one_based_boxes_become_edges_from_zero(voc):
    source = read_source(str(voc))
    assert source.format == 'voc' and source.counts_from == 1
    assert source.classes == ('zebra', 'unused', 'ant', 'größe & höhe')
    found = {**objects(source)['train'], **objects(source)['test']}
    assert found['a'] == [('zebra', (0, 0, 64, 48)), ('ant', (9, 19, 30, 41))]
    assert found['b'] == [('ant', (9.5, 19.25, 30.75, 41.125))]
    assert found['z'] == [('zebra', (49, 0, 64, 48))]
    assert found['empty'] == []
    a = next(r for r in source.splits['train'] if r.name == 'a')
    assert [box.difficult for box in a.boxes] == [False, True]


def test_lists_give_parts_and_their_order(voc):
    assert names(read_source(str(voc))) == {
        'train': ['deep/down/e', 'empty', 'c', 'b', 'a'],
        'test': ['deep/a', 'z', 'größe 1'],
    }


def test_lists_may_hold_paths_suffixes_and_flags(tmp_path):
    for name in ('a.b', 'c', 'my photo'):
        pair(tmp_path, f'JPEGImages/{name}.jpg', f'Annotations/{name}.xml')
    text = '\ufeffa.b.jpg\r\n/home/you/JPEGImages/c.jpg\r\nmy photo  1\r\n'
    write(tmp_path / 'ImageSets/Main/val.txt', text)
    write(tmp_path / 'ImageSets/Main/ant_val.txt', 'a.b -1\nc 1\n')
    assert names(read_source(str(tmp_path))) == {'val': ['a.b', 'c', 'my photo']}


def test_lists_of_another_layout_may_name_annotations_and_hold_flags(tmp_path):
    pair(tmp_path, 'photos/a.jpg', 'xml/a.xml')
    pair(tmp_path, 'photos/b.jpg', 'xml/000017.xml', filename='b.jpg')
    pair(tmp_path, 'photos/c.jpg', 'xml/000018.xml', filename='c.jpg')
    write(tmp_path / 'train.txt', 'a 1\nb.jpg -1\n000018 0\n')
    assert names(read_source(str(tmp_path))) == {
        'train': ['photos/a', 'photos/b', 'photos/c']
    }
    (tmp_path / 'photos/c.jpg').unlink()
    with pytest.raises(AnnotationError) as raised:
        read_source(str(tmp_path))
    assert raised.value.problems == ('xml/000018.xml: there is no image 000018.*',)


def test_annotated_images_in_no_list_are_kept(voc, tmp_path):
    (voc / 'ImageSets/Main/test.txt').unlink()
    source = read_source(str(voc))
    assert names(source)['unlisted'] == ['deep/a', 'größe 1', 'z']
    convert(str(voc), str(tmp_path / 'out'))
    assert names(read_source(str(tmp_path / 'out'))) == names(source)


def test_trainval_is_train_where_nothing_else_is(voc):
    (voc / 'ImageSets/Main/train.txt').unlink()
    assert sorted(names(read_source(str(voc)))) == ['test', 'train']


def test_several_years_in_one_folder(tmp_path):
    for year in ('VOC2007', 'VOC2012'):
        pair(tmp_path, f'{year}/JPEGImages/1.jpg', f'{year}/Annotations/1.xml')
        write(tmp_path / f'{year}/ImageSets/Main/train.txt', '1\n')
    assert names(read_source(str(tmp_path))) == {'train': ['VOC2007/1', 'VOC2012/1']}


def test_roboflow_voc(tmp_path):
    for split in ('train', 'valid', 'test'):
        name = f'{split}/1_jpg.rf.ab'
        pair(tmp_path / 'raw', f'{name}.jpg', f'{name}.xml')
    write(tmp_path / 'raw/README.roboflow.txt', 'Exported\n')
    source = read_source(str(tmp_path / 'raw'))
    assert names(source) == {s: ['1_jpg.rf.ab'] for s in ('train', 'val', 'test')}
    convert(str(tmp_path / 'raw'), str(tmp_path / 'out'))
    back = read_source(str(tmp_path / 'out'))
    assert names(back) == {
        'train': ['1_jpg.rf.ab'],
        'val': ['1_jpg.rf.ab-2'],
        'test': ['1_jpg.rf.ab-3'],
    }
    assert {
        record.boxes[0].box for found in back.splits.values() for record in found
    } == {BOX}


@pytest.mark.parametrize(
    ('image', 'xml'),
    [
        ('images/a.png', 'annotations/a.xml'),
        ('pictures/a.JPG', 'xml files/a.xml'),
        ('a.jpg', 'a.xml'),
        ('set/img/a.jpg', 'set/xmls/a.xml'),
        ('photos/x/a.jpg', 'Annotations/x/a.xml'),
        ('images/a.jpg', 'Annotations/a.jpg.xml'),
    ],
)
def test_folders_of_other_names(tmp_path, image, xml):
    pair(tmp_path, image, xml)
    (record,) = read_source(str(tmp_path)).splits['all']
    assert record.image == str(tmp_path / image)
    assert [box.box for box in record.boxes] == [BOX]


def test_the_image_is_the_one_of_the_files_name(tmp_path):
    for name in 'ab':
        pair(tmp_path, f'images/{name}.jpg', f'xml/{name}.xml', filename='a.jpg')
    found = read_source(str(tmp_path)).splits['all']
    assert [record.image[-5:] for record in found] == ['a.jpg', 'b.jpg']


def test_the_claimed_name_decides_between_suffixes_and_for_other_names(tmp_path):
    pair(tmp_path, 'images/a.jpg', 'xml/a.xml', filename='C:\\mine\\a.jpg')
    pair(tmp_path, 'images/b.jpg', 'xml/000017.xml', filename='b.jpg')
    draw(tmp_path / 'images/a.png')
    source = read_source(str(tmp_path))
    assert [record.image[-5:] for record in source.splits['all']] == ['a.jpg', 'b.jpg']
    assert source.notes == ('1 image without an XML file left out: images/a.png',)


@pytest.mark.parametrize('size', [None, (0, 0)])
def test_a_missing_size_is_the_images(tmp_path, size):
    pair(tmp_path, 'a.jpg', 'a.xml', size=size)
    assert read_source(str(tmp_path)).splits['all'][0].size == (64, 48)


def test_classes_that_the_list_lacks_come_last(tmp_path):
    pair(tmp_path, 'a.jpg', 'a.xml', [*ANT, ('zebra', (1, 1, 2, 2))])
    write(tmp_path / 'classes.txt', 'zebra\n')
    source = read_source(str(tmp_path))
    assert source.classes == ('zebra', 'ant')
    assert source.notes == ('1 class is not in classes.txt and comes after those: ant',)


def test_a_given_base_counts_more_than_what_a_file_says(tmp_path):
    text = voc_xml([('ant', (2, 3, 9, 9))])
    draw(tmp_path / 'a.jpg')
    write(
        tmp_path / 'a.xml', text.replace('<size>', '<counts_from>0</counts_from><size>')
    )
    for counts_from, box in ((None, (2, 3, 9, 9)), (1, (1, 2, 9, 9))):
        source = read_source(str(tmp_path), counts_from=counts_from)
        assert objects(source) == {'all': {'a': [('ant', box)]}}


def test_base_is_guessed_or_given(tmp_path):
    pair(tmp_path, 'a.jpg', 'a.xml', [('ant', (0, 2, 3, 4)), ('ant', (5, 5, 9, 9))])
    path = str(tmp_path)
    assert objects(read_source(path))['all']['a'][1] == ('ant', (5, 5, 9, 9))
    given = read_source(path, counts_from=1)
    assert objects(given)['all']['a'] == [('ant', (0, 1, 3, 4)), ('ant', (4, 4, 9, 9))]
    assert given.notes == ('1 box clipped to the image',)


@pytest.mark.parametrize('box', [(0, 0, 0, 0), (0, 5, 0, 9), (-1, 2, 3, 4)])
def test_dirt_is_no_proof_of_zero_based_coordinates(tmp_path, box):
    pair(tmp_path, 'a.jpg', 'a.xml', [('ant', box), ('ant', (5, 5, 9, 9))])
    assert read_source(str(tmp_path)).counts_from == 1


@pytest.fixture
def broken(voc):
    write(voc / 'Annotations/a.xml', '<annotation><object><name>ant')
    write(voc / 'Annotations/b.xml', voc_xml([('ant', (1, 2, 'x', 4))]))
    write(voc / 'Annotations/orphan.xml', voc_xml(ANT))
    write(voc / 'Annotations/empty.xml', '')
    write(voc / 'notes.xml', '<notes/>')
    with (voc / 'ImageSets/Main/train.txt').open('a') as file:
        file.write('\nnowhere\n')
    (voc / 'JPEGImages/new.jpg').write_bytes((voc / 'JPEGImages/a.jpg').read_bytes())
    return voc


def test_everything_that_is_broken_is_said_at_once(broken, tmp_path):
    with pytest.raises(AnnotationError) as error:
        convert(str(broken), str(tmp_path / 'out'))
    problems = sorted(problem.split(':')[0] for problem in error.value.problems)
    assert problems == [
        'Annotations/a.xml',
        'Annotations/b.xml, object 0',
        'Annotations/empty.xml',
        'Annotations/orphan.xml',
        'ImageSets/Main/train.txt',
    ]
    assert f'{broken} (Pascal VOC XML): 5 problems' in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ['voc']


def test_broken_files_are_left_out_if_asked(broken, tmp_path):
    report = convert(str(broken), str(tmp_path / 'out'), skip_broken=True)
    assert names(read_source(str(tmp_path / 'out')))['train'] == ['deep/down/e', 'c']
    for text in (
        'left out: Annotations/orphan.xml: there is no image orphan.*',
        '1 image without an XML file left out: JPEGImages/new.jpg',
        'notes.xml: its root is <notes>, not <annotation> as in Pascal VOC; left out',
    ):
        assert text in report
    assert not (tmp_path / 'out/JPEGImages/a.jpg').exists()


def test_an_image_of_another_part_is_not_taken(tmp_path):
    pair(tmp_path, 'train/1.jpg', 'train/1.xml')
    write(tmp_path / 'valid/1.xml', voc_xml(ANT))
    with pytest.raises(AnnotationError, match=r'valid/1\.xml: there is no image'):
        read_source(str(tmp_path))


def test_an_image_is_not_taken_twice(tmp_path):
    pair(tmp_path, 'x/1.jpg', 'Annotations/x/1.xml')
    write(tmp_path / 'Annotations/y/1.xml', voc_xml(ANT))
    with pytest.raises(AnnotationError, match=r'Annotations/y/1\.xml') as error:
        read_source(str(tmp_path))
    assert len(error.value.problems) == 1


def test_only_annotations(tmp_path):
    write(tmp_path / 'a.xml', voc_xml(ANT))
    with pytest.raises(UserError, match='no image can be used'):
        read_source(str(tmp_path), skip_broken=True)


def test_a_folder_of_utf_16_only_is_recognised(tmp_path):
    draw(tmp_path / 'a.jpg')
    text = '<?xml version="1.0" encoding="utf-16"?>' + voc_xml(ANT)
    (tmp_path / 'a.xml').write_bytes(text.encode('utf-16'))
    assert read_source(str(tmp_path)).format == 'voc'
