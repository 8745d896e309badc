"""The VOC base class on folders that are written here, with every kind of dirt."""

import gc

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from PIL import Image
from torch.utils.data import DataLoader

from custom_datasets.datasets import boxes as box_loading
from custom_datasets.datasets import voc
from custom_datasets.datasets.bccd import BCCDDataset
from custom_datasets.datasets.face_mask import FaceMaskDataset
from custom_datasets.errors import AnnotationError, ConfigError

CLASSES = ('cat', 'dog')
BOTH = [('cat', (1, 1, 10, 10)), ('dog', (5, 5, 20, 20))]
SIZE = (64, 48)


class PetDataset(voc.VOCFolderDataset):
    METAINFO = {'classes': CLASSES, 'palette': [(1, 2, 3), (4, 5, 6)]}


class Folder:
    """A VOC folder under construction."""

    def __init__(self, root):
        self.root = root
        self.names = []

    def image(self, name, size=SIZE, **options):
        path = self.root / 'JPEGImages' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', size).save(path, **options)
        return path

    def xml(self, stem, objects=(), size=SIZE, filename=None, difficult=0):
        body = ''.join(
            f'<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>'
            f'<xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>'
            '</bndbox></object>'
            for name, (x1, y1, x2, y2) in objects
        )
        if size:
            w, h = size
            body += f'<size><width>{w}</width><height>{h}</height></size>'
        if filename:
            body += f'<filename>{filename}</filename>'
        self.raw_xml(stem, f'<annotation>{body}</annotation>')

    def raw_xml(self, stem, text):
        path = self.root / 'Annotations' / f'{stem}.xml'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def add(self, stem, objects=(), suffix='.png', **options):
        self.image(stem + suffix)
        self.xml(stem, objects, **options)
        self.names.append(stem)

    def load(self, listed=None, kind=PetDataset, **options):
        if listed is None:
            listed = ''.join(f'{name}\n' for name in self.names)
        path = self.root / 'list.txt'
        path.write_bytes(listed if isinstance(listed, bytes) else listed.encode())
        return kind('list.txt', data_root=str(self.root), **options)

    def problems(self, *args, **options):
        with pytest.raises(AnnotationError) as caught:
            self.load(*args, **options)
        return caught.value.problems


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        box_loading, 'print_log', lambda text, logger: lines.append(text)
    )
    return lines


def boxes(dataset, index=0):
    return [instance['bbox'] for instance in dataset[index]['instances']]


def test_one_clean_image(folder, log):
    folder.add('a', BOTH)
    dataset = folder.load()
    assert len(dataset) == 1
    assert dataset[0] == {
        'img_id': 'a',
        'img_path': str(folder.root / 'JPEGImages/a.png'),
        'xml_path': str(folder.root / 'Annotations/a.xml'),
        'width': 64,
        'height': 48,
        'instances': [
            {'bbox': [0, 0, 10, 10], 'bbox_label': 0, 'ignore_flag': 0},
            {'bbox': [4, 4, 20, 20], 'bbox_label': 1, 'ignore_flag': 0},
        ],
        'sample_idx': 0,
    }
    assert log == [
        f'PetDataset {folder.root}/list.txt: 1 image, 2 boxes (cat 1, dog 1); all clean'
    ]


def test_the_line_goes_through_the_current_logger(folder, tmp_path, monkeypatch):
    instances = MMLogger._instance_dict.copy()
    monkeypatch.setattr(MMLogger, '_instance_dict', instances)
    MMLogger.get_instance('test_voc', log_file=str(tmp_path / 'voc.log'))
    folder.add('a', BOTH)
    folder.load()
    logged = (tmp_path / 'voc.log').read_text()
    assert logged.count('2 boxes (cat 1, dog 1); all clean') == 1
    assert logged.count('\n') == 1


def test_garbage_is_collected_again_after_an_error(folder):
    folder.add('a', [('hamster', (1, 1, 9, 9))])
    assert gc.isenabled()
    with pytest.raises(AnnotationError):
        folder.load()
    assert gc.isenabled()


def test_zero_based(folder):
    folder.add('a', BOTH)
    assert boxes(folder.load(one_based=False)) == [[1, 1, 10, 10], [5, 5, 20, 20]]


def test_everything_dropped_is_in_one_line(folder, log):
    folder.add('a', [*BOTH, ('cat', (7, 7, 7, 9)), ('cow', (1, 1, 5, 5))])
    folder.add('b', [('cat', (60, 40, 70, 50)), ('dog', (65, 1, 80, 9))])
    folder.add('c', BOTH, difficult=1)
    folder.add('d')
    folder.add('e', [('cow', (1, 1, 5, 5))])
    dataset = folder.load(ignore_classes=['cow'])
    assert [len(boxes(dataset, i)) for i in range(5)] == [2, 1, 2, 0, 0]
    assert boxes(dataset, 1) == [[59, 39, 64, 48]]
    assert len(log) == 1
    assert log[0].partition(': ')[2] == (
        '5 images, 5 boxes (cat 3, dog 2); 2 boxes without area dropped, 2 boxes of '
        'ignored classes, 1 box clipped, 2 difficult boxes, 2 images without objects'
    )


def test_difficult_boxes_reach_the_pipeline_as_ignored(folder):
    folder.add('a', BOTH, difficult=1)
    assert [i['ignore_flag'] for i in folder.load()[0]['instances']] == [1, 1]
    init_default_scope('mmdet')
    pipeline = [
        {'type': 'LoadImageFromFile'},
        {'type': 'LoadAnnotations', 'with_bbox': True},
        {'type': 'PackDetInputs'},
    ]
    packed = folder.load(pipeline=pipeline)[0]['data_samples']
    assert len(packed.gt_instances) == 0
    assert packed.ignored_instances.bboxes.tensor.tolist() == [
        [0, 0, 10, 10],
        [4, 4, 20, 20],
    ]


@pytest.mark.parametrize('ignored', ['cow', ['cow'], ('cow', 'hen')])
def test_ignore_classes_as_a_string_or_a_list(folder, ignored):
    folder.add('a', [*BOTH, ('cow', (1, 1, 5, 5))])
    assert len(boxes(folder.load(ignore_classes=ignored))) == 2


@pytest.mark.parametrize(
    ('class_map', 'labels'),
    [
        ({'kitten': 'cat', 'wolf': 'dog', 'cow': 'cat'}, [0, 0, 1, 0]),
        ({'kitten': 'cat', '*': 'dog'}, [0, 0, 1, 1]),
        ({'kitten': 'cat', 'wolf': 'dog', 'cow': 'dog', 'cat': 'dog'}, [1, 0, 1, 1]),
    ],
)
def test_a_class_map_folds_names(folder, class_map, labels):
    names = ('cat', 'kitten', 'wolf', 'cow')
    folder.add('a', [(name, (1, 1, 10, 10 + i)) for i, name in enumerate(names)])
    loaded = folder.load(class_map=class_map)[0]['instances']
    assert [instance['bbox_label'] for instance in loaded] == labels
    assert [instance['bbox'][3] for instance in loaded] == [10, 11, 12, 13]


def test_a_star_leaves_what_is_ignored(folder):
    folder.add('a', [*BOTH, ('cow', (1, 1, 9, 9)), ('wolf', (1, 1, 9, 9))])
    loaded = folder.load(class_map={'*': 'dog'}, ignore_classes='cow')
    assert [i['bbox_label'] for i in loaded[0]['instances']] == [0, 1, 1]


def test_a_name_that_a_class_map_lacks_is_unknown(folder):
    folder.add('a', [*BOTH, ('kiten', (1, 1, 9, 9))])
    assert "unknown class 'kiten'" in folder.problems(class_map={'kitten': 'cat'})[0]


def test_a_class_map_into_no_class_is_an_error(folder):
    folder.add('a', BOTH)
    with pytest.raises(
        ConfigError, match="'wolf' becomes 'dogs', which is not a class"
    ):
        folder.load(class_map={'wolf': 'dogs'})


def test_an_unknown_class_names_file_class_and_nearest(folder):
    folder.add('a', [*BOTH, ('Dogs', (1, 1, 5, 5))])
    assert folder.problems() == (
        f"{folder.root}/Annotations/a.xml: unknown class 'Dogs'; did you mean 'dog'?",
    )
    assert folder.problems(test_mode=True)


def test_everything_wrong_comes_in_one_error(folder):
    folder.add('good', BOTH[:1])
    folder.image('broken.png')
    folder.raw_xml('broken', '<annotation>')
    folder.xml('no_image', BOTH)
    folder.image('no_xml.png')
    folder.add('unknown', [('cow', (1, 1, 5, 5))])
    folder.add('malformed', [('cat', ('x', 1, 5, 5))])
    folder.add('unreadable', size=None)
    (folder.root / 'JPEGImages/unreadable.png').write_bytes(b'')
    listed = 'good broken no_image no_xml unknown malformed unreadable good'
    problems = folder.problems(listed.replace(' ', '\n'))
    root = f'{folder.root}/'
    starts = [
        f'{root}list.txt: good is listed 2 times',
        f'{root}Annotations/broken.xml: broken XML',
        f'{root}Annotations/no_image.xml: there is no image no_image.*',
        f'{root}JPEGImages/no_xml.png: listed, but has no XML file',
        f'{root}Annotations/malformed.xml, object 0: cat has a <bndbox> with '
        'a side that is not a number',
        f'{root}JPEGImages/unreadable.png: is empty',
        f"{root}Annotations/unknown.xml: unknown class 'cow'; known: cat, dog",
        f'{root}list.txt: no box of class dog',
    ]
    assert len(problems) == len(starts)
    for problem, start in zip(problems, starts, strict=True):
        assert problem.startswith(start)


def test_a_missing_list_says_what_to_do(tmp_path):
    with pytest.raises(AnnotationError) as caught:
        PetDataset('ImageSets/Main/train.txt', data_root=str(tmp_path))
    assert caught.value.problems == (
        f'{tmp_path}/ImageSets/Main/train.txt: No such file or directory; set '
        'data_root, or run the converter that writes the split',
    )


@pytest.mark.parametrize(
    'listed',
    [
        b'\xef\xbb\xbfa\r\n\r\nb b\r\n',
        b'a  \nb b\t',
        b'a.png\nb b.xml\n',
        b'a.jpg\nb b.PNG',
    ],
    ids=['bom and crlf', 'trailing spaces', 'suffixes', 'wrong suffixes'],
)
def test_lists_as_people_write_them(folder, listed):
    folder.add('a', BOTH)
    folder.add('b b', suffix='.JPG')
    dataset = folder.load(listed)
    assert [dataset[i]['img_id'] for i in range(2)] == ['a', 'b b']
    assert dataset[1]['img_path'].endswith('b b.JPG')


def test_sub_folders_unicode_and_dots(folder):
    for stem in ('x/a', 'y/a', 'Größe 雪', 'v1.2'):
        folder.add(stem, BOTH)
    dataset = folder.load()
    assert [dataset[i]['img_id'] for i in range(4)] == folder.names
    assert dataset[1]['img_path'] == str(folder.root / 'JPEGImages/y/a.png')


def test_two_images_of_one_stem(folder):
    folder.add('a', BOTH, suffix='.png')
    folder.image('a.jpg')
    (problem,) = folder.problems('a\n')
    assert problem.endswith('JPEGImages/a.png; rename one of them')
    assert folder.load('a.png\n')[0]['img_path'].endswith('a.png')
    assert folder.load('a.jpg\n')[0]['img_path'].endswith('a.jpg')
    folder.xml('a', BOTH, filename='a.png')
    assert folder.load('a\n')[0]['img_path'].endswith('a.png')
    assert folder.load('a.jpg\n')[0]['img_path'].endswith('a.jpg')


@pytest.mark.parametrize('size', [None, (0, 0), (0, 48)])
def test_size_from_the_header_as_it_is_loaded(folder, size):
    turned = Image.Exif()
    turned[274] = 6
    folder.image('a.jpg', (64, 48), exif=turned)
    folder.xml('a', [*BOTH, ('cat', (1, 1, 60, 60))], size=size)
    info = folder.load('a\n')[0]
    assert (info['width'], info['height']) == (48, 64)
    assert info['instances'][2]['bbox'] == [0, 0, 48, 60]
    init_default_scope('mmdet')
    dataset = folder.load('a\n', pipeline=[{'type': 'LoadImageFromFile'}])
    assert dataset[0]['img'].shape[:2] == (64, 48)


def test_a_class_without_a_box(folder, log):
    folder.add('a', BOTH[:1])
    assert folder.problems() == (f'{folder.root}/list.txt: no box of class dog',)
    folder.load(test_mode=True)
    assert log[-1].endswith('(cat 1, dog 0); 1 class without a box (dog)')


def test_images_without_xml_in_test_mode_only(folder, log):
    folder.add('a', BOTH)
    folder.image('b.png', (30, 20))
    dataset = folder.load('a\nb\n', test_mode=True)
    assert (dataset[1]['width'], dataset[1]['height']) == (30, 20)
    assert dataset[1]['instances'] == []
    assert log[-1].endswith('; 1 image without XML, 1 image without objects')
    (problem,) = folder.problems('a\nb\n')
    assert problem.endswith('JPEGImages/b.png: listed, but has no XML file')


def test_filters_are_counted_and_spare_test_data(folder, log):
    folder.add('a', BOTH)
    folder.add('b')
    folder.image('c.png', (30, 20))
    folder.xml('c', BOTH, size=(30, 20))
    listed = 'a\nb\nc\n'
    assert len(folder.load(listed)) == 3
    both = {'filter_empty_gt': True, 'min_size': 32}
    assert len(folder.load(listed, filter_cfg=both)) == 1
    assert log[-1].endswith(
        ': 1 image, 2 boxes (cat 1, dog 1); 2 images left out by filter_cfg'
    )
    assert len(folder.load(listed, filter_cfg={'filter_empty_gt': True})) == 2
    assert len(folder.load(listed, filter_cfg={'min_size': 20})) == 3
    assert len(folder.load(listed, filter_cfg=both, test_mode=True)) == 3


def test_a_filter_that_leaves_nothing(folder):
    folder.add('a', BOTH)
    assert len(folder.problems(filter_cfg={'min_size': 999})) == 2


def test_a_filter_that_does_nothing_is_refused(folder):
    folder.add('a', BOTH)
    with pytest.raises(ConfigError, match='bbox_min_size'):
        folder.load(filter_cfg={'bbox_min_size': 32})


def test_other_classes_by_metainfo(folder, tmp_path):
    folder.add('a', BOTH)
    dataset = folder.load(metainfo={'classes': ('dog', 'cat')})
    assert [i['bbox_label'] for i in dataset[0]['instances']] == [1, 0]
    names = tmp_path / 'classes.txt'
    names.write_text('dog\ncat\n')
    dataset = folder.load(metainfo={'classes': str(names)})
    assert [i['bbox_label'] for i in dataset[0]['instances']] == [1, 0]
    with pytest.raises(ConfigError, match='no such class list'):
        folder.load(metainfo={'classes': 'cat'})
    with pytest.raises(ConfigError, match='twice'):
        folder.load(metainfo={'classes': ('cat', 'dog', 'cat')})


def test_no_classes_at_all(folder):
    folder.add('a', BOTH)
    assert folder.problems(kind=voc.VOCFolderDataset) == (
        'no classes: state METAINFO or metainfo',
    )


def test_lazy_and_part(folder):
    for stem in 'abc':
        folder.add(stem, BOTH)
    assert len(folder.load(lazy_init=True)) == 3
    assert len(folder.load(indices=2)) == 2
    assert folder.load().get_cat_ids(0) == [0, 1]


def test_an_absolute_list_and_no_data_root(folder, monkeypatch):
    folder.add('a', BOTH)
    (folder.root / 'list.txt').write_text('a\n')
    monkeypatch.chdir(folder.root)
    dataset = PetDataset(str(folder.root / 'list.txt'))
    assert dataset[0]['img_path'] == 'JPEGImages/a.png'
    dataset = PetDataset(str(folder.root / 'list.txt'), data_root=None)
    assert dataset[0]['xml_path'] == 'Annotations/a.xml'


def test_images_beside_their_xml_files(folder, monkeypatch):
    folder.image('../a.png')
    folder.xml('../a', BOTH)
    dataset = folder.load('a\n', img_subdir='', ann_subdir='')
    assert dataset[0]['img_path'] == str(folder.root / 'a.png')
    monkeypatch.chdir(folder.root)
    dataset = PetDataset('list.txt', img_subdir='', ann_subdir='')
    assert dataset[0]['img_path'] == 'a.png'


@pytest.mark.parametrize(
    ('kind', 'classes'),
    [
        (BCCDDataset, ('RBC', 'WBC', 'Platelets')),
        (FaceMaskDataset, ('with_mask', 'without_mask', 'mask_weared_incorrect')),
    ],
)
def test_registered_with_classes_and_palette(kind, classes):
    assert DATASETS.get(kind.__name__) is kind
    assert kind.METAINFO['classes'] == classes
    palette = kind.METAINFO['palette']
    assert len(set(palette)) == len(classes)
    assert all(0 <= value <= 255 for color in palette for value in color)


@pytest.mark.parametrize('part', ['train', 'val', 'test'])
def test_drawn_sets_load_clean(bccd_root, face_mask_root, part, log):
    ann_file = f'ImageSets/Main/{part}.txt'
    BCCDDataset(ann_file, data_root=str(bccd_root))
    FaceMaskDataset(ann_file, data_root=str(face_mask_root))
    assert len(log) == 2
    assert all(line.endswith('; all clean') for line in log)


def test_drawn_boxes_are_where_the_pixels_are(bccd_root):
    init_default_scope('mmdet')
    dataset = BCCDDataset(
        'ImageSets/Main/train.txt',
        data_root=str(bccd_root),
        pipeline=[{'type': 'LoadImageFromFile'}],
    )
    checked = 0
    for data in dataset:
        for instance in data['instances']:
            if instance['bbox_label'] == 1:
                x1, y1, x2, y2 = map(round, instance['bbox'])
                middle = data['img'][(y1 + y2) // 2, (x1 + x2) // 2]
                assert np.abs(middle.astype(int) - (140, 60, 95)).max() < 25
                checked += 1
    assert checked == 8


def test_goes_through_worker_processes(bccd_root):
    dataset = BCCDDataset('ImageSets/Main/val.txt', data_root=str(bccd_root))
    loader = DataLoader(dataset, 2, num_workers=1, collate_fn=list)
    assert [info['img_id'] for batch in loader for info in batch] == [
        f'val_{index:04d}' for index in range(4)
    ]


def test_messages_have_normal_paths(folder):
    folder.add('a', BOTH[:1])
    (folder.root / 'list.txt').write_text('a\n')
    with pytest.raises(AnnotationError) as caught:
        PetDataset('list.txt', data_root=f'{folder.root}/JPEGImages/..')
    assert caught.value.problems == (f'{folder.root}/list.txt: no box of class dog',)
