"""Labels are called by number or by name, in the model's order."""

from types import SimpleNamespace

import pytest

from custom_datasets.errors import UserError
from custom_datasets.predicting.tables import (
    class_names,
    compare_labels,
    label_texts,
    read_sets,
)
from tests.leaves import LEAVES, SAMPLE
from tests.predicting.drawn import coco_content, write_json


def coco_set(ann_file, *classes):
    return SimpleNamespace(
        kind='coco', type='CocoDataset', classes=classes, ann_file=str(ann_file)
    )


def test_a_voc_config_numbers_classes_as_it_names_them():
    assert class_names(read_sets(str(SAMPLE), {})) == ('RBC', 'WBC', 'Platelets')


def test_a_class_list_config_too():
    leaf = next(leaf for leaf in LEAVES if leaf.parent.name == 'metal_surface')
    names = class_names(read_sets(str(leaf), {'classes': ['b', 'a']}))
    assert names == ('b', 'a')


def test_a_coco_file_numbers_classes_in_its_own_order(tmp_path):
    train = write_json(tmp_path / 'train.json', coco_content(['a.jpg'], 'zxy'))
    test = write_json(tmp_path / 'test.json', coco_content(['b.jpg'], 'xyz'))
    sets = {'train': coco_set(train, 'x', 'z'), 'test': coco_set(test, 'x', 'z')}
    assert class_names(sets) == ('z', 'x')
    # Where the data of training are not at hand, those of the test set tell.
    sets['train'] = coco_set(tmp_path / 'none.json', 'x', 'z')
    assert class_names(sets) == ('x', 'z')
    del sets['train']
    assert class_names(sets) == ('x', 'z')


def test_a_model_that_learnt_from_no_coco_file_keeps_its_order(tmp_path):
    path = write_json(tmp_path / 'test.json', coco_content(['a.jpg'], 'xyz'))
    learnt = read_sets(str(SAMPLE), {'classes': ['z', 'y', 'x']})['train']
    sets = {'train': learnt, 'test': coco_set(path, 'z', 'y', 'x')}
    assert class_names(sets) == ('z', 'y', 'x')


def test_a_coco_file_must_have_the_classes(tmp_path):
    path = write_json(tmp_path / 'test.json', coco_content(['a.jpg'], 'xy'))
    with pytest.raises(UserError, match=r"test\.json: no category 'cat'; it has x, y"):
        class_names({'test': coco_set(path, 'x', 'cat')})
    with pytest.raises(UserError, match=r'none\.json: No such file'):
        class_names({'test': coco_set(tmp_path / 'none.json', 'x')})


def test_a_set_without_names():
    with pytest.raises(UserError, match='CocoDataset: it names no classes'):
        class_names({'test': coco_set('test.json')})


def test_the_first_of_joined_test_sets_counts(tmp_path):
    sets = [{'type': 'XMLDataset', 'ann_file': name} for name in ('a.txt', 'b.txt')]
    joined = {'type': 'ConcatDataset', 'datasets': sets}
    (tmp_path / 'config.py').write_text(f'test_dataloader = dict(dataset={joined!r})')
    assert read_sets(str(tmp_path / 'config.py'), {})['test'].ann_file == './a.txt'


def test_a_config_without_a_test_set_that_is_known(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("test_dataloader = dict(dataset=dict(type='CrowdHumanDataset'))")
    with pytest.raises(UserError, match=r'config\.py: its test set is of no kind'):
        read_sets(str(config), {})


@pytest.mark.parametrize(
    ('style', 'names', 'texts'),
    [
        ('0', None, ['0', '1', '2']),
        ('1', None, ['1', '2', '3']),
        ('0', 'abcd', ['0', '1', '2', '3']),
        ('1', 'abcd', ['1', '2', '3', '4']),
        ('names', ('a b', 'c', 'd'), ['a b', 'c', 'd']),
    ],
)
def test_styles(style, names, texts):
    assert label_texts(3, style, names) == texts


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((3, 'names', None), 'give --config CONFIG'),
        ((3, '0', ('a', 'b')), r'label 2 is predicted, .* 2 classes \(a, b\)'),
        ((2, 'names', ('a', 'b c'), ' '), "'b c': a name with a space"),
    ],
)
def test_labels_that_cannot_be_written(arguments, message):
    with pytest.raises(UserError, match=message):
        label_texts(*arguments)


@pytest.mark.parametrize(
    ('given', 'labels'),
    [
        (['0', '2'], ['0', '1', '2']),
        (['', ''], ['0', '1']),
        (['cat'], ['cat', 'dog']),
        (['7'], []),
        (['2', 'b'], ['2', 'b']),
    ],
)
def test_labels_as_in_the_sample(given, labels):
    assert compare_labels('s.csv', given, labels) == []


@pytest.mark.parametrize(
    ('given', 'labels', 'message'),
    [
        (['cat'], ['0', '1'], "label 'cat' where '0' would be written; see --labels"),
        (['0', '1'], ['cat', 'dog'], "label '0' where 'cat' would be written"),
        (['0.5'], ['0', '1'], "label '0.5' where '0' would"),
    ],
)
def test_labels_of_another_style(given, labels, message):
    with pytest.raises(UserError, match=r's\.csv') as caught:
        compare_labels('s.csv', given, labels)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ('given', 'labels', 'strange'),
    [
        (['1', '2', '3'], ['0', '1', '2'], '3'),
        (['-1'], ['0', '1'], '-1'),
        (['cat', 'cow'], ['cat', 'dog'], 'cow'),
    ],
)
def test_labels_that_are_never_written(given, labels, strange):
    (note,) = compare_labels('s.csv', given, labels)
    assert note.startswith(f's.csv: its label {strange!r} is none of those written (')
