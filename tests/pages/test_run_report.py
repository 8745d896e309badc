"""Predictions that are given: whose they are, and what is said of them."""

import json

import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import write_samples
from custom_datasets.pages.run_page import render_run, write_run_report
from custom_datasets.pages.run_report import gather
from custom_datasets.predicting.config import SPLITS, read_settings
from tests.leaves import LEAVES, SAMPLE

METAL = next(leaf for leaf in LEAVES if leaf.parent.name == 'metal_surface')


def predictions(data_root, split, path, **options):
    """Write predictions that are the truth, less a pixel on the right."""
    from mmengine.registry import DATASETS, DefaultScope

    cfg = read_settings(str(SAMPLE), {'data_root': str(data_root), **options})
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(cfg[f'{SPLITS[split]}_dataloader'].dataset)
    samples = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        boxes = np.array([one['bbox'] for one in info['instances']]).reshape(-1, 4)
        found = {
            'bboxes': boxes - [0, 0, 1, 0],
            'scores': np.linspace(0.9, 0.6, len(boxes)),
            'labels': np.array([one['bbox_label'] for one in info['instances']]),
        }
        samples.append(
            {
                'img_id': info['img_id'],
                'img_path': info['img_path'],
                'ori_shape': (80, 96),
                'instances': info['instances'],
                'pred_instances': found,
            }
        )
    write_samples(str(path), samples)
    return str(path)


@pytest.fixture
def files(bccd_root, tmp_path):
    return {
        split: predictions(bccd_root, split, tmp_path / f'{split}.pkl')
        for split in SPLITS
    }


def collect(given, bccd_root, **options):
    options = {'data_root': str(bccd_root), **options}
    return gather(str(SAMPLE), None, given, options)


def test_predictions_of_both_sets_give_a_threshold_from_validation(files, bccd_root):
    report = collect(files, bccd_root)
    content = report.content
    assert content['notes'] == []
    assert content['thresholds']['chosen_on'] == 'validation'
    assert content['overall']['area_ap50']['value'] == 1
    assert 0.5 < content['overall']['coco']['AP']['value'] < 1
    assert (content['images'], content['validation']['images']) == (4, 4)
    assert content['run']['predictions'] == files
    assert content['run']['dataset'] == 'BCCDDataset'
    assert content['run']['checkpoint'] is None
    assert content['run']['options'] == {'data_root': str(bccd_root)}
    # They lie where they are; nothing was predicted.
    assert report.samples == {}
    json.dumps(content, allow_nan=False)


def test_without_validation_it_is_said_that_the_test_set_chose(files, bccd_root):
    del files['validation']
    content = collect(files, bccd_root).content
    (note,) = content['notes']
    assert note.startswith('There are no predictions on a validation set')
    assert 'chosen on the test set itself' in note
    assert content['thresholds']['chosen_on'] == 'test'
    assert content['validation'] is None


def test_one_data_set_for_both_is_said_and_not_called_validated(
    files, bccd_root, tmp_path
):
    same = {'val_dataloader.dataset.ann_file': 'ImageSets/Main/test.txt'}
    given = {**files, 'validation': files['test']}
    content = collect(given, bccd_root, **same).content
    (note,) = content['notes']
    assert 'All images of the test set are in the validation set too' in note
    assert 'chosen on the test set itself' in note
    assert content['thresholds']['chosen_on'] == 'test'
    assert (
        note
        in render_run({**content, 'threshold_setting': None, 'summary': []}).decode()
    )


def test_other_class_names_reach_the_report(files, bccd_root):
    content = collect(files, bccd_root, classes=['RBC', 'WBC', 'Platelets']).content
    assert content['classes'] == ['RBC', 'WBC', 'Platelets']


def test_predictions_of_other_data_are_refused(files, bccd_root):
    given = {'test': files['validation']}
    with pytest.raises(UserError) as error:
        collect(given, bccd_root)
    assert str(error.value) == (
        f"{files['validation']}: these are not predictions of the config's test set: 4 "
        'images are not in it, and 4 of it are missing (for example test_0000); '
        'give the same --cfg-options as to tools/test.py'
    )


def test_predictions_of_a_part_are_refused(files, bccd_root, tmp_path):
    part = {'test_dataloader.dataset.indices': 3}
    path = predictions(bccd_root, 'test', tmp_path / 'part.pkl', **part)
    with pytest.raises(UserError, match='0 images are not in it, and 1 of it are miss'):
        collect({'test': path}, bccd_root)
    assert collect({'test': path}, bccd_root, **part).content['images'] == 3


def test_labels_beyond_the_classes_are_refused(bccd_root, tmp_path):
    path = predictions(bccd_root, 'test', tmp_path / 'test.pkl')
    from custom_datasets.evaluation.results import read_samples

    samples = read_samples(path)
    samples[0]['pred_instances']['labels'][0] = 7
    write_samples(path, samples)
    with pytest.raises(UserError, match=r'test\.pkl: label 7, but only 3 classes'):
        collect({'test': path}, bccd_root)


def test_a_detectors_predictions_are_no_classifiers(files):
    with pytest.raises(
        UserError, match='is from a detector, but the config is for a c'
    ):
        gather(str(METAL), None, files)


def test_a_set_without_objects_is_refused(files, bccd_root):
    from custom_datasets.evaluation.results import read_samples

    samples = read_samples(files['test'])
    for sample in samples:
        sample['instances'] = []
    write_samples(files['test'], samples)
    with pytest.raises(UserError, match='nothing is annotated in the test set'):
        collect(files, bccd_root)


def test_validation_predictions_need_a_validation_set(files, bccd_root):
    none = dict.fromkeys(('val_dataloader', 'val_evaluator', 'val_cfg'))
    with pytest.raises(UserError, match='the config has no validation set'):
        collect(files, bccd_root, **none)


def test_files_go_to_the_default_folder_together(
    files, bccd_root, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    text = write_run_report(
        str(SAMPLE), None, files, options={'data_root': str(bccd_root)}
    )
    folder = tmp_path / 'work_dirs' / SAMPLE.stem
    assert sorted(path.name for path in folder.iterdir()) == [
        'report.html',
        'report.json',
    ]
    assert f'work_dirs/{SAMPLE.stem}/report.html: 0.' in text
    assert text.startswith('area-AP50 1.000 (1.000 to 1.000), COCO AP 0.')


def test_a_folder_that_is_named_gets_the_predictions_too(files, bccd_root, tmp_path):
    """So that it can be compared with other runs."""
    out = tmp_path / 'ensemble'
    options = {'data_root': str(bccd_root)}
    write_run_report(str(SAMPLE), None, files, str(out), options)
    names = [
        'report.html',
        'report.json',
        'test_predictions.pkl',
        'val_predictions.pkl',
    ]
    assert sorted(path.name for path in out.iterdir()) == names
    copy = out / 'test_predictions.pkl'
    with open(files['test'], 'rb') as file:
        assert copy.read_bytes() == file.read()
    before = copy.stat()
    write_run_report(str(SAMPLE), None, {'test': str(copy)}, str(out), options)
    assert copy.stat().st_ino == before.st_ino


def test_nothing_is_written_where_the_folder_cannot_be(files, bccd_root, tmp_path):
    (tmp_path / 'file').write_text('mine')
    with pytest.raises(UserError, match='cannot be written'):
        write_run_report(
            str(SAMPLE),
            None,
            files,
            str(tmp_path / 'file'),
            {'data_root': str(bccd_root)},
        )
    assert (tmp_path / 'file').read_text() == 'mine'
