"""A submission is written whole or not at all, and over nothing that was read."""

import json
import os
from types import SimpleNamespace

import pytest

from custom_datasets.errors import UserError
from custom_datasets.predicting.submit import (
    Request,
    class_names,
    read_sets,
    write_submission,
)
from tests.leaves import LEAVES, SAMPLE
from tests.predicting.drawn import (
    classifier_sample,
    coco_content,
    detector_sample,
    write_json,
    write_pickle,
)

CLASSES = ('RBC', 'WBC', 'Platelets')
CONFIG = str(SAMPLE)
BOX = (1, 2, 3, 4)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def boxes(folder):
    """Predictions on two images; the second has none."""
    samples = [
        detector_sample('/d/a.jpg', (0, 0.5, (-2, 1, 9, 9)), (2, 0.25, (1, 1, 5, 5))),
        detector_sample('/d/b.jpg'),
    ]
    return write_pickle(folder / 'boxes.pkl', samples)


@pytest.fixture
def classes(folder):
    samples = [classifier_sample(f'/d/{n}.jpg', [0.1, 0.9]) for n in 'ab']
    return write_pickle(folder / 'classes.pkl', samples)


def test_what_was_written_is_told(boxes, folder):
    text = write_submission(Request(boxes, 'new/out.csv'))
    assert text == (
        'note: boxes that reached more than a pixel past their image, cut: 1\n'
        'note: images without a box: 1\n'
        'wrote new/out.csv: 2 images, 2 boxes'
    )
    assert (folder / 'new/out.csv').read_bytes() == (
        b'image_id,PredictionString\na,0 0.5 0 1 9 9 2 0.25 1 1 5 5\nb,\n'
    )


def test_classes_are_told_too(classes, folder):
    text = write_submission(Request(classes, 'out.csv', labels='1'))
    assert text == 'wrote out.csv: 2 images'
    assert (folder / 'out.csv').read_text() == 'id,label\na,2\nb,2\n'


def test_a_file_that_was_there_is_replaced(boxes, folder):
    (folder / 'real.csv').write_text('old')
    (folder / 'out.csv').symlink_to('real.csv')
    write_submission(Request(boxes, 'out.csv', threshold=1))
    assert (folder / 'out.csv').is_symlink()
    assert (folder / 'real.csv').read_text() == 'image_id,PredictionString\na,\nb,\n'
    assert sorted(os.listdir(folder)) == ['boxes.pkl', 'out.csv', 'real.csv']


def test_a_file_that_was_there_stays_after_an_error(boxes, folder, monkeypatch):
    (folder / 'out.csv').write_text('old')

    def fail(*paths):
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', fail)
        with pytest.raises(UserError, match=r'out\.csv: cannot be written \(No space'):
            write_submission(Request(boxes, 'out.csv'))
    with pytest.raises(UserError, match='label 2 is predicted'):
        options = {'classes': ['a', 'b']}
        write_submission(Request(boxes, 'out.csv', CONFIG, options))
    assert (folder / 'out.csv').read_text() == 'old'
    assert sorted(os.listdir(folder)) == ['boxes.pkl', 'out.csv']


def test_a_folder_is_not_replaced(boxes, folder):
    (folder / 'out.csv').mkdir()
    with pytest.raises(UserError, match=r'out\.csv: cannot be written'):
        write_submission(Request(boxes, 'out.csv'))
    assert sorted(os.listdir(folder)) == ['boxes.pkl', 'out.csv']


def test_what_is_read_is_not_written_over(boxes, folder):
    sample = folder / 'sample.csv'
    sample.write_text('image_id,PredictionString\na,\nb,\n')
    coco = write_json(folder / 'test.json', coco_content('ab', CLASSES))
    (folder / 'link.csv').symlink_to('sample.csv')
    os.link(sample, folder / 'hard.csv')
    os.link(boxes, folder / 'pred.csv')
    before = {path: path.read_bytes() for path in folder.iterdir()}
    refused = [
        Request(boxes, './sample.csv', sample=str(sample)),
        Request(boxes, 'link.csv', sample='sample.csv'),
        Request(boxes, 'hard.csv', sample='sample.csv'),
        Request(boxes, 'pred.csv'),
        Request(boxes, 'test.json', CONFIG, coco=coco),
    ]
    for request in refused:
        with pytest.raises(
            UserError, match=f'--out {request.out}: is one of the files'
        ):
            write_submission(request)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def coco_config(folder, kind='CocoDataset'):
    """Write a config whose test set is a COCO file without annotations."""
    names = [f'test/{name}.jpg' for name in 'ab']
    os.makedirs(folder / 'data/annotations')
    content = coco_content(names, [*CLASSES[1:], CLASSES[0]])
    write_json(folder / 'data/annotations/test.json', content)
    dataset = {
        'type': kind,
        'data_root': str(folder / 'data'),
        'ann_file': 'annotations/test.json',
        'metainfo': {'classes': CLASSES},
    }
    config = folder / 'config.py'
    config.write_text(
        f"custom_imports = dict(imports=['custom_datasets.datasets.coco'])\n"
        f'test_dataloader = dict(dataset={dataset!r})'
    )
    return str(config)


def test_the_ids_of_the_test_sets_own_coco_file(folder):
    config = coco_config(folder)
    path = write_pickle(
        folder / 'p.pkl', [detector_sample('/d/test/b.jpg', (0, 0.5, BOX))]
    )
    text = write_submission(Request(path, 'out.json', config))
    file = folder / 'data/annotations/test.json'
    assert text == (
        f'note: images of {file} that are not predicted: 1\n'
        'wrote out.json: 1 images, 1 boxes'
    )
    # Label 0 is the file's first category, though the config names it second.
    assert json.loads((folder / 'out.json').read_text()) == [
        {'image_id': 8, 'category_id': 3, 'bbox': [1, 2, 2, 2], 'score': 0.5}
    ]
    with pytest.raises(UserError, match='is one of the files to read'):
        write_submission(Request(path, 'data/annotations/test.json', config))


def test_our_own_coco_data_set_numbers_classes_as_the_config_does(folder):
    config = coco_config(folder, 'CocoFileDataset')
    samples = [detector_sample(f'/d/test/{n}.jpg', (0, 0.5, BOX)) for n in 'ab']
    path = write_pickle(folder / 'p.pkl', samples)
    write_submission(Request(path, 'out.json', config))
    rows = json.loads((folder / 'out.json').read_text())
    assert [row['category_id'] for row in rows] == [5, 5]


def test_what_coco_needs(boxes, classes, folder):
    coco = write_json(folder / 'test.json', coco_content(['a.jpg', 'b.jpg'], CLASSES))
    with pytest.raises(UserError, match='names of the classes: give --config'):
        write_submission(Request(boxes, 'out.json', coco=coco))
    with pytest.raises(UserError, match=r'not a COCO file, .* give --coco FILE\.json'):
        write_submission(Request(boxes, 'out.json', CONFIG))
    two = {'classes': ['RBC', 'WBC']}
    with pytest.raises(UserError, match='label 2 is predicted, but there are only 2'):
        write_submission(Request(boxes, 'out.json', CONFIG, two, coco=coco))
    with pytest.raises(UserError, match='no format for one class per image'):
        write_submission(Request(classes, 'out.json'))
    assert not (folder / 'out.json').exists()


@pytest.mark.parametrize(
    ('out', 'more', 'message'),
    [
        ('out.txt', {}, r'must end in \.csv, or in \.json'),
        ('out.json', {'sample': 's.csv'}, '--sample does not apply to such a file'),
        ('out.json', {'labels': 'names'}, '--labels does not apply'),
        ('out.json', {'id_form': 'stem'}, '--id does not apply'),
        ('out.json', {'order': 'xmin ymin xmax ymax'}, '--order does not apply'),
        ('out.csv', {'coco': 'test.json'}, '--coco does not apply'),
        ('out.csv', {'threshold': 1.5}, '--score-thr 1.5: it must be between 0 and 1'),
        ('out.csv', {'threshold': float('nan')}, '--score-thr nan'),
        ('out.csv', {'order': 'box'}, "'box' is not one of"),
        ('out.csv', {'labels': 'names'}, 'give --config CONFIG'),
        ('out.csv', {'config': 'none.py'}, r'none\.py: no such config'),
    ],
)
def test_options_that_make_no_sense(boxes, folder, out, more, message):
    with pytest.raises(UserError, match=message):
        write_submission(Request(boxes, out, **more))
    assert os.listdir(folder) == ['boxes.pkl']


def test_the_classes_must_be_those_of_the_config(classes):
    with pytest.raises(
        UserError, match=r'classes\.pkl: 2 scores per image, .* 3 class'
    ):
        write_submission(Request(classes, 'out.csv', CONFIG))


def test_a_name_with_a_space_would_break_the_columns_of_boxes(boxes, classes, folder):
    options = {'classes': ['RBC', 'white cell', 'Platelets']}
    request = Request(boxes, 'out.csv', CONFIG, options, labels='names')
    with pytest.raises(UserError, match="'white cell': a name with a space"):
        write_submission(request)
    options = {'classes': ['RBC', 'white cell']}
    write_submission(Request(classes, 'out.csv', CONFIG, options, labels='names'))
    assert (folder / 'out.csv').read_text() == 'id,label\na,white cell\nb,white cell\n'


def test_a_size_that_is_missing_names_the_file(folder):
    sample = detector_sample('/d/a.jpg')
    del sample['ori_shape']
    path = write_pickle(folder / 'p.pkl', [sample])
    with pytest.raises(UserError, match=r'p\.pkl: no size for /d/a\.jpg'):
        write_submission(Request(path, 'out.csv'))


def test_labels_of_the_sample_are_judged_with_names_only(boxes, folder):
    (folder / 's.csv').write_text('id,PredictionString\na,3 1 0 0 1 1\nb,\n')
    request = Request(boxes, 'out.csv', sample='s.csv')
    assert "label '3'" not in write_submission(request)
    request = Request(boxes, 'out.csv', CONFIG, sample='s.csv')
    assert "its label '3' is not one of those written (0, 1, 2)" in write_submission(
        request
    )


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
