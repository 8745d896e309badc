"""The hash of a data set: the same for the same data, and only for those."""

import copy

import pytest
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    ConcatDataset,
    RepeatDataset,
)

from custom_datasets.datasets.bccd import BCCDDataset
from custom_datasets.samples.voc import draw_bccd
from custom_datasets.training.facts import fingerprint

APPLE = {'bbox': [1.0, 2.0, 30.0, 40.0], 'bbox_label': 0, 'ignore_flag': 0}
PEAR = {'bbox': [5.5, 6.0, 9.0, 12.0], 'bbox_label': 1, 'ignore_flag': 0}
INFOS = [
    {'img_path': 'a/one.png', 'width': 64, 'height': 48, 'instances': [APPLE, PEAR]},
    {'img_path': 'b/two.png', 'width': 64, 'height': 48, 'instances': [APPLE]},
    {'img_path': 'b/three.png', 'width': 64, 'height': 48, 'instances': []},
]


class Listed(BaseDataset):
    METAINFO = {'classes': ('apple', 'pear')}

    def __init__(self, infos, root='/data', **kwargs):
        self.infos = copy.deepcopy(infos)
        for info in self.infos:
            info['img_path'] = f'{root}/{info["img_path"]}'
        super().__init__(pipeline=[], **kwargs)

    def load_data_list(self):
        return self.infos

    def get_cat_ids(self, index):
        return [one['bbox_label'] for one in self.get_data_info(index)['instances']]


def changed(where, **values):
    infos = copy.deepcopy(INFOS)
    target = infos[where[0]]
    for key in where[1:]:
        target = target[key]
    target.update(values)
    return infos


def test_counts():
    found = fingerprint(Listed(INFOS))
    assert found['images'] == found['samples'] == 3
    assert found['objects'] == {'apple': 2, 'pear': 1}
    assert found['classes'] == ['apple', 'pear']
    assert found['dataset'] == 'Listed'
    assert len(found['sha256']) == 64
    assert found['why'] is None


def test_place_and_order_change_nothing():
    swapped = changed((0,), instances=[PEAR, APPLE])[::-1]
    here = fingerprint(Listed(INFOS))
    assert (
        fingerprint(Listed(swapped, root='/elsewhere/copy'))['sha256'] == here['sha256']
    )


@pytest.mark.parametrize(
    'infos',
    [
        changed((0, 'instances', 0), bbox=[1.0, 2.0, 30.0, 40.01]),
        changed((0, 'instances', 0), bbox_label=1),
        changed((0, 'instances', 0), ignore_flag=1),
        changed((0, 'instances', 0), mask=[[1, 2, 3, 4, 5, 6]]),
        changed((1,), img_path='b/2.png'),
        changed((1,), width=65),
        changed((1,), instances=[APPLE, APPLE]),
        INFOS[:2],
    ],
)
def test_other_content_has_another_hash(infos):
    assert fingerprint(Listed(infos))['sha256'] != fingerprint(Listed(INFOS))['sha256']


def test_other_class_names_have_another_hash():
    renamed = Listed(INFOS, metainfo={'classes': ('apple', 'plum')})
    assert fingerprint(renamed)['sha256'] != fingerprint(Listed(INFOS))['sha256']


@pytest.mark.parametrize(
    'wrap',
    [
        lambda data: RepeatDataset(data, 3),
        lambda data: ClassBalancedDataset(data, 0.9),
        lambda data: ConcatDataset([data, data]),
    ],
)
def test_wrappers_repeat_the_same_images(wrap):
    wrapped = fingerprint(wrap(Listed(INFOS)))
    plain = fingerprint(Listed(INFOS))
    assert wrapped['sha256'] == plain['sha256']
    assert wrapped['objects'] == plain['objects']
    assert wrapped['images'] == 3 < wrapped['samples']
    assert wrapped['dataset'].endswith(' of Listed')


def test_images_are_counted_in_classification():
    infos = [
        {'img_path': 'apple/1.png', 'gt_label': 0},
        {'img_path': 'pear/2.png', 'gt_label': 1},
        {'img_path': 'pear/3.png', 'gt_label': 1},
    ]
    found = fingerprint(Listed(infos))
    assert found['objects'] == {'apple': 1, 'pear': 2}
    infos[2]['gt_label'] = 0
    assert fingerprint(Listed(infos))['sha256'] != found['sha256']


def test_what_lists_no_images_says_so():
    found = fingerprint([1, 2])
    assert (found['images'], found['sha256'], found['samples']) == (None, None, 2)
    assert found['why'] == 'list lists no images (it has no get_data_info)'


def test_a_sample_without_a_file_is_named():
    data = Listed(INFOS)
    data.get_data_info = lambda index: {'gt_label': 0}
    assert fingerprint(data)['why'] == 'sample 0 has no img_path'


def test_a_registered_data_set(tmp_path):
    found = []
    for root in ('here', 'there'):
        draw_bccd(str(tmp_path / root), {'train': 8}, (96, 80))
        data = BCCDDataset(
            'ImageSets/Main/train.txt', data_root=str(tmp_path / root), pipeline=[]
        )
        found.append(fingerprint(data))
    assert found[0] == found[1]
    assert found[0]['list'] == 'ImageSets/Main/train.txt'
    assert found[0]['images'] == 8
    words = ' '.join(
        path.read_text() for path in (tmp_path / 'here/Annotations').iterdir()
    )
    assert found[0]['objects']['WBC'] == words.count('<name>WBC</name>')
