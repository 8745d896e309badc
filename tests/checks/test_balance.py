from collections import Counter

import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from custom_datasets.checks.balance import check_balance, check_small_boxes
from custom_datasets.checks.scale import scale_boxes
from custom_datasets.data.frequencies import (
    balance_sampling,
    count_objects,
    known_names,
    ratio,
)
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.datasets.bccd import BCCDDataset
from custom_datasets.samples.boxes import draw_bccd
from custom_datasets.settings import apply_settings
from custom_datasets.training.sampling import RepeatFactorDataset
from tests.leaves import ROOT


def detection(images, split='train', classes='abc'):
    """A split of images such as ``'aab'``: two objects of a, one of b."""
    records = [
        ImageRecord(
            f'{index}',
            f'{index}.png',
            f'{index}.xml',
            tuple(BoxRecord(i, name, (1, 1, 9, 9)) for i, name in enumerate(names)),
            size=(64, 48),
        )
        for index, names in enumerate(images)
    ]
    return SplitRecords(split, tuple(classes), tuple(records), source=f'{split}.txt')


def classification(split='train', **counts):
    names = [name for name, count in counts.items() for _ in range(count)]
    records = [ImageRecord(f'{i}', f'{i}.png', label=n) for i, n in enumerate(names)]
    return SplitRecords(split, tuple(counts), tuple(records), source=f'{split}.txt')


def found(findings):
    return Counter((f.code, f.severity, f.split) for f in findings)


def test_an_even_set_has_nothing():
    train = detection(['abc'] * 40)
    assert check_balance([train, detection(['abc'] * 20, 'val')]) == []
    assert check_balance([classification(a=30, b=50, c=100)]) == []


@pytest.mark.parametrize(
    'rare, severity', [(26, None), (25, 'note'), (11, 'note'), (10, 'warning')]
)
def test_uneven_classes(rare, severity):
    findings = check_balance([classification(common=100, rare=rare)])
    assert [f.severity for f in findings] == [severity] * bool(severity)
    if severity:
        (finding,) = findings
        assert finding.code == 'class-balance'
        text = f'common is {100 / rare:.3g} times as frequent as rare'
        assert finding.message == f'{text} (common 100, rare {rare})'


def test_sampling_is_suggested_where_it_evens_out():
    (finding,) = check_balance([detection(['a'] * 100 + ['b'] * 90 + ['c'] * 10)])
    assert finding.hint.startswith('--cfg-options sampling=repeat-factor')
    assert finding.hint.endswith('shows an image up to 3 times, which leaves 3.33 to 1')


def test_a_loss_is_suggested_where_rare_and_common_share_images():
    (finding,) = check_balance([detection(['a' * 12 + 'b'] * 50, classes='ab')])
    assert finding.hint == (
        'rare and frequent objects share their images: collect more of the rare ones'
    )


def test_the_ratio_counts_boxes_and_not_the_difficult():
    record = ImageRecord(
        '0',
        '0.png',
        boxes=(
            BoxRecord(0, 'a', (1, 1, 9, 9)),
            BoxRecord(1, 'a', (1, 1, 9, 9), difficult=True),
            BoxRecord(2, 'dust', (1, 1, 9, 9)),
        ),
    )
    split = SplitRecords('train', ('a',), (record,))
    assert count_objects(split) == ({'a': 1}, {'a': 1})


def test_few_objects_to_test_and_to_train():
    train = detection(['ab'] * 30 + ['abc'] * 9)
    val = detection(['aaab'] * 19 + ['a'], 'val')
    findings = check_balance([train, val])
    few = [f for f in findings if f.code == 'few-objects']
    assert [(f.split, f.severity, f.file) for f in few] == [
        ('train', 'warning', 'train.txt'),
        ('val', 'warning', 'val.txt'),
    ]
    assert few[0].message == 'c has 9 boxes in 9 images'
    assert few[1].message == (
        'b has 19 boxes in 19 images; one is worth 0.05 of its recall'
    )
    assert not check_balance([detection(['ab'] * 28 + ['abc'] * 10)])


def test_few_images_to_test():
    findings = check_balance([classification('test', a=40, b=1)])
    assert [f.message for f in findings] == [
        'b has 1 image; one is worth 1.00 of its recall'
    ]


def test_shares_that_differ():
    train = detection(['a'] * 100 + ['ab'] * 100)
    other = detection(['a'] * 90 + ['ab'] * 20, 'val')
    (finding,) = check_balance([train, other])
    assert (finding.code, finding.severity) == ('shares-differ', 'warning')
    assert finding.message == 'b is on 18% of the images, but on 50% of those of train'
    a_little = detection(['a'] * 1200 + ['ab'] * 800, 'val')
    by_chance = detection(['a'] * 4 + ['ab'], 'val')
    for alike in (a_little, by_chance):
        codes = {f.code for f in check_balance([train, alike])}
        assert 'shares-differ' not in codes


def test_nothing_to_count():
    empty = SplitRecords('train', ('a', 'b'), ())
    assert check_balance([empty, detection(['a' * 20], 'val', 'ab')]) == []
    assert check_balance([detection(['', '', 'x'])]) == []
    assert check_balance([]) == []


def test_the_suggestion_does_what_it_says(tmp_path):
    """Images without platelets, but for four of thirty."""
    draw_bccd(str(tmp_path), {'train': 30}, (96, 80))
    for path in sorted(tmp_path.glob('Annotations/*.xml'))[4:]:
        path.write_text(path.read_text().replace('Platelets', 'RBC'))
    split = records(tmp_path)
    objects, _ = count_objects(split)
    (finding,) = [f for f in check_balance([split]) if f.code == 'class-balance']
    assert finding.hint.startswith('--cfg-options sampling=repeat-factor shows')
    cfg = Config.fromfile(f'{ROOT}/configs/_base_/datasets/bccd.py')
    cfg.sampling = 'repeat-factor'
    apply_settings(cfg)
    settings = cfg.train_dataloader.dataset
    settings.dataset.data_root = str(tmp_path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(settings)
    assert isinstance(dataset, RepeatFactorDataset)
    shown = Counter(
        BCCDDataset.METAINFO['classes'][label]
        for index in range(len(dataset))
        for label in dataset.get_cat_ids(index)
    )
    expected = balance_sampling(known_names(split))
    assert ratio(shown) == pytest.approx(expected.ratio)
    assert expected.ratio < 0.8 * ratio(objects)
    assert len(dataset) > 30
    assert finding.hint.endswith(f'which leaves {ratio(shown):.3g} to 1')


def records(root):
    """Read a drawn set with the data set's own class."""
    dataset = BCCDDataset(ann_file='ImageSets/Main/train.txt', data_root=str(root))
    classes = BCCDDataset.METAINFO['classes']
    return detection(
        [
            [
                classes[i['bbox_label']]
                for i in dataset.get_data_info(index)['instances']
            ]
            for index in range(len(dataset))
        ],
        classes=classes,
    )


def test_small_boxes():
    boxes = (
        BoxRecord(0, 'dot', (11, 11, 17, 30)),
        BoxRecord(1, 'dot', (11, 11, 18, 30)),
        BoxRecord(2, 'line', (11, 11, 40, 13)),
    )
    image = ImageRecord('a', 'a.png', 'a.xml', boxes, size=(640, 480))
    split = SplitRecords('train', ('dot', 'line'), (image,), one_based=True)
    half = [dict(type='Resize', scale=(320, 240), keep_ratio=True)]
    findings = check_small_boxes(split, scale_boxes(split, {}, half))
    assert [(f.code, f.severity, f.split, f.file, f.object) for f in findings] == [
        ('tiny-box', 'warning', 'train', 'a.xml', 0),
        ('tiny-box', 'warning', 'train', 'a.xml', 2),
    ]
    assert findings[0].message == 'dot is 3.5x10.0 px at the scale of the pipeline'
    assert findings[0].hint == findings[1].hint
    assert 'below 4 px are 1 of 2 dot, 1 of 1 line' in findings[0].hint
    assert not check_small_boxes(split, scale_boxes(split, {}, []))[1:]
    double = [dict(type='Resize', scale_factor=2.0)]
    assert not check_small_boxes(split, scale_boxes(split, {}, double))
