"""What is written about predictions: drawn answers of both tasks, odd names."""

import csv
import json
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from custom_datasets.checks.check import check_config
from custom_datasets.data.convert import convert, read_source
from custom_datasets.data.images import short_name
from custom_datasets.data.split import split_dataset
from custom_datasets.errors import UserError
from custom_datasets.predicting import writers as writers_module
from custom_datasets.predicting.outputs import Classification, Detections
from custom_datasets.predicting.predictions_log import (
    prediction_of,
    read_predictions,
    tags_json,
)
from custom_datasets.predicting.run_folder import Decision
from custom_datasets.predicting.writers import Outputs, Writers
from custom_datasets.samples.boxes import draw_bccd
from tests.leaves import SAMPLE

CLASSES = ('RBC', '백혈구', 'a/b')
SIZE = (64, 48)
NAMES = (
    'a.png',
    'a.jpg',
    '혈액/샘플 1.png',
    'say "hi", you.png',
    'two\nlines\tand tab.png',
    'lost\udce9byte.png',
    'lost\ud800half.png',
    '../up/.hidden.png',
    'A.png',
    'clip.mp4/000001',
    'none.png',
)
EVERYTHING = Outputs(csv=True, coco=True, crops=True, labels='voc', model='best.pth')


def pixels_of(name):
    rng = np.random.default_rng(len(name))
    return rng.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def png_of(name):
    return cv2.imencode('.png', pixels_of(name))[1].tobytes()


def detections(name, boxes=None, scores=None, labels=None, classes=CLASSES, size=SIZE):
    if boxes is None:
        count = NAMES.index(name) % 4 if name != 'none.png' else 0
        rng = np.random.default_rng(count)
        corner = rng.uniform(0, 20, (count, 2))
        boxes = np.hstack((corner, corner + rng.uniform(5, 20, (count, 2))))
        scores, labels = np.sort(rng.random(count))[::-1], rng.integers(0, 3, count)
    return Detections(
        name,
        size,
        classes,
        Decision(0.3, 'as given'),
        lambda: pixels_of(name),
        None,
        np.array(boxes, float).reshape(-1, 4),
        np.array(scores, float),
        np.array(labels, np.intp),
    )


def classification(name, probabilities=None, threshold=0.4):
    if probabilities is None:
        probabilities = np.random.default_rng(NAMES.index(name)).dirichlet((1, 1, 1))
    return Classification(
        name,
        SIZE,
        CLASSES,
        Decision(threshold, 'as given'),
        lambda: pixels_of(name),
        None,
        np.array(probabilities, float),
    )


TASKS = {
    'detection': (detections, EVERYTHING),
    'classification': (classification, Outputs(csv=True, crops=True)),
}
both_tasks = pytest.mark.parametrize('task', TASKS)


def add(writers, name, answer, pixels, original=None):
    prediction = writers.plan(name, answer, copied=original is not None)
    writers.write(prediction, answer, pixels, original)
    writers.record(prediction)


def write(folder, task, request=None, names=NAMES, answer=None):
    answer = answer or TASKS[task][0]
    writers = Writers(str(folder), task, CLASSES, request or TASKS[task][1])
    for name in names:
        if name not in writers.done:
            original = None if '/0' in name else png_of(name)
            add(writers, name, answer(name), pixels_of(name), original)
    return writers.finish()


def tree(folder):
    return {
        os.fsdecode(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob('*'))
        if path.is_file()
    }


def table(path):
    with open(path, encoding='utf-8-sig', newline='') as file:
        return list(csv.reader(file))


@both_tasks
def test_lines_say_everything_and_are_read_again(tmp_path, task):
    write(tmp_path, task, Outputs())
    read = read_predictions(str(tmp_path))
    answer = TASKS[task][0]
    assert [prediction.name for prediction in read] == list(NAMES)
    for prediction in read:
        assert prediction == prediction_of(
            prediction.name, answer(prediction.name), prediction.file
        )
    lines = (tmp_path / 'predictions.jsonl').read_bytes().decode().splitlines()
    row = json.loads(lines[2])
    assert (row['name'], row['width'], row['height']) == (NAMES[2], *SIZE)
    if task == 'detection':
        assert row['boxes'][0]['box'] == answer(NAMES[2]).boxes[0].tolist()
        assert set(row['boxes'][0]) == {'name', 'label', 'score', 'box'}
    else:
        assert row['probabilities'] == answer(NAMES[2]).to_dict()
    assert '혈액/샘플 1.png' in lines[2]


@both_tasks
@pytest.mark.parametrize('done', [0, 4, len(NAMES) - 1])
@pytest.mark.parametrize('half', [b'', b'{"name": "tw', b'\xec\x83'])
def test_an_interrupted_run_ends_like_an_unbroken_one(
    tmp_path, monkeypatch, task, done, half
):
    write(tmp_path / 'whole', task)

    def interrupted(folder, prediction):
        if prediction.name == NAMES[done]:
            if half:
                with open(tmp_path / 'broken/predictions.jsonl', 'ab') as file:
                    file.write(half)
            raise KeyboardInterrupt
        append(folder, prediction)

    append = writers_module.append_prediction
    monkeypatch.setattr(writers_module, 'append_prediction', interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / 'broken', task)
    monkeypatch.undo()
    stopped = Writers(str(tmp_path / 'broken'), task, CLASSES, TASKS[task][1])
    assert stopped.done == set(NAMES[:done])
    stopped.finish()  # As Ctrl-C may do, so that what is done can be used.
    write(tmp_path / 'broken', task)
    assert tree(tmp_path / 'broken') == tree(tmp_path / 'whole')
    write(tmp_path / 'broken', task)
    assert tree(tmp_path / 'broken') == tree(tmp_path / 'whole')


@both_tasks
def test_what_is_asked_for_later_or_was_deleted_is_made(tmp_path, task):
    write(tmp_path / 'whole', task)
    write(tmp_path / 'later', task, Outputs())
    assert not (tmp_path / 'later/predictions.csv').exists()
    (tmp_path / 'later/painted/a.jpg').unlink()
    again = Writers(str(tmp_path / 'later'), task, CLASSES, Outputs())
    assert again.done == set(NAMES) - {'a.png'}
    write(tmp_path / 'later', task)
    assert tree(tmp_path / 'later') == tree(tmp_path / 'whole')


def test_damaged_lines_and_those_of_another_model_are_refused(tmp_path):
    write(tmp_path, 'detection', Outputs())
    for task, classes in (
        ('classification', CLASSES),
        ('detection', CLASSES[:2]),
        ('detection', CLASSES[::-1]),
    ):
        with pytest.raises(UserError, match=r'predictions\.jsonl: .* another model'):
            Writers(str(tmp_path), task, classes, Outputs())
    path = tmp_path / 'predictions.jsonl'
    lines = path.read_bytes().split(b'\n')
    for broken in (b'{"name": "x"}', b'[]', b'\0\0', b'{"name": "x', b''):
        path.write_bytes(b'\n'.join([lines[0], broken, *lines[2:]]))
        with pytest.raises(UserError, match=r'predictions\.jsonl: line 2 is damaged'):
            read_predictions(str(tmp_path))


def test_painted_images_have_names_of_their_own_inside_the_folder(tmp_path):
    write(tmp_path / 'out', 'detection', Outputs())
    painted = [name for name in tree(tmp_path / 'out') if name.startswith('painted/')]
    assert sorted(painted) == sorted(
        f'painted/{name}.jpg'
        for name in (
            *('a', 'a-2', '혈액/샘플 1', 'say "hi", you', 'two_lines_and tab'),
            *('lost_byte', 'lost_half', '_/up/_hidden', 'A-3'),
            *('clip.mp4/000001', 'none'),
        )
    )
    assert os.listdir(tmp_path) == ['out']
    shown = cv2.imdecode(
        np.fromfile(tmp_path / 'out/painted/A-3.jpg', np.uint8), cv2.IMREAD_COLOR
    )
    expected = detections('A.png').paint(pixels_of('A.png'))
    encoded = cv2.imencode('.jpg', expected, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    assert np.array_equal(shown, cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    write(tmp_path / 'bare', 'detection', Outputs(painted=False))
    assert list(tree(tmp_path / 'bare')) == ['predictions.jsonl']


def test_long_names_are_cut(tmp_path):
    name = f'{"가" * 83}.png'  # 253 bytes: nothing fits behind it.
    box = detections('x', [(1, 2, 30, 40)], [0.9], [0])
    write(tmp_path, 'detection', names=[name], answer=lambda name: box)
    short = short_name('가' * 83)
    assert f'painted/{short}.jpg' in tree(tmp_path)
    assert f'crops/RBC/{short}_1.jpg' in tree(tmp_path)
    assert read_predictions(str(tmp_path))[0].name == name


def test_long_names_that_begin_alike_are_cut_in_any_order(tmp_path):
    """Also of folders in a zip, which may be longer than any disk has them."""
    names = [f'{"a" * 300}{end}/{"b" * 240}{end}.png' for end in '123']
    files = [
        {p.name: p.file for p in read_predictions(str(tmp_path / folder))}
        for folder, order in (('one', names), ('two', names[::-1]))
        if write(
            tmp_path / folder,
            'detection',
            names=order,
            answer=lambda name: detections('none.png'),
        )
    ]
    assert files[0] == files[1] and len(set(files[0].values())) == 3
    folders = {file.partition('/')[0] for file in files[0].values()}
    assert len(folders) == 3 and max(map(len, folders)) == 200


def test_a_table_of_boxes(tmp_path):
    boxes = [(1.23801, 2, 30, 40), (-5, -5, 700, 20), (70, 0, 80, 10)]
    answer = detections('x', boxes, [0.9, 0.123456789, 0.1], [1, 0, 0])
    names = ['=x",\r\n.png', 'none.png', 'lost\udce9.png']
    said = write(
        tmp_path,
        'detection',
        Outputs(painted=False, csv=True),
        names,
        lambda name: detections(name) if name == 'none.png' else answer,
    )
    rows = [
        'image name score x1 y1 x2 y2 image_width image_height'.split(),
        (names[0], '백혈구', '0.9', '1.24', '2.0', '30.0', '40.0', '64', '48'),
        (names[0], 'RBC', '0.1235', '0.0', '0.0', '64.0', '20.0', '64', '48'),
        ('none.png', '', '', '', '', '', '', '64', '48'),
    ]
    rows += [('lost\\udce9.png', *row[1:]) for row in rows[1:3]]
    assert table(tmp_path / 'predictions.csv') == list(map(list, rows))
    data = (tmp_path / 'predictions.csv').read_bytes()
    assert data.startswith('\ufeffimage,'.encode()) and data.endswith(b'48\r\n')
    assert said[1].endswith(
        'predictions.csv: a row per box, and one without a name for each image '
        'without a box (1)'
    )
    assert 'boxes without area inside their image, left out: 2' in said


def test_a_table_of_classes(tmp_path):
    third = 1 / 3
    answers = {'a.png': (third / 2, 0.5, third), 'a.jpg': (0.1, 0.125, 0.775)}
    write(
        tmp_path,
        'classification',
        Outputs(painted=False, csv=True),
        answers,
        lambda name: classification(name, answers[name]),
    )
    assert table(tmp_path / 'predictions.csv') == [
        ['image', 'name', 'probability', 'second', 'second_probability'],
        ['a.png', '백혈구', '0.5', 'a/b', '0.3333'],
        ['a.jpg', 'a/b', '0.775', '백혈구', '0.125'],
    ]
    exact = read_predictions(str(tmp_path))[0].probabilities
    assert exact == {'백혈구': 0.5, 'a/b': third, 'RBC': third / 2}


def test_coco_results_load_with_their_images_and_with_the_saved_labels(tmp_path):
    write(tmp_path, 'detection', Outputs(coco=True, labels='coco', model='b.pth'))
    boxes = sum(len(detections(name)) for name in NAMES)
    for images in ('coco_images.json', 'labels_coco/annotations/all.json'):
        truth = COCO(str(tmp_path / images))
        results = truth.loadRes(str(tmp_path / 'coco_results.json'))
        assert len(results.anns) == boxes
        assert set(results.getImgIds()) == set(range(1, len(NAMES) + 1))
        assert [truth.cats[k]['name'] for k in (1, 2, 3)] == list(CLASSES)
        for number, name in enumerate(NAMES, 1):
            answer = detections(name)
            own = results.loadAnns(results.getAnnIds([number]))
            corners = answer.boxes[:, :2].round(3).tolist()
            assert [ann['bbox'][:2] for ann in own] == corners
            assert [ann['category_id'] - 1 for ann in own] == answer.labels.tolist()
    listed = json.loads((tmp_path / 'coco_images.json').read_bytes())['images']
    assert [image['file_name'] for image in listed] == list(NAMES)
    saved = json.loads((tmp_path / 'labels_coco/annotations/all.json').read_bytes())
    origins = {image['origin'] for image in saved['images']}
    assert origins == {'predicted by b.pth'}
    rows = json.loads((tmp_path / 'coco_results.json').read_bytes())
    for row, own in zip(rows, saved['annotations'], strict=True):
        assert row['image_id'] == own['image_id']
        assert row['score'] == own['score']
        assert row['bbox'] == pytest.approx(own['bbox'])


def test_crops_are_the_pixels_of_the_boxes_inside_the_image(tmp_path):
    boxes = [(-9, 4.5, 8.2, 99), (10, 10, 20, 20), (64, 0, 90, 9), (5, 5, 5, 9)]
    answer = detections('x', boxes, [0.9, 0.8, 0.7, 0.6], [2, 0, 0, 0])
    name = 'sub/a.png'
    said = write(
        tmp_path,
        'detection',
        Outputs(painted=False, crops=True),
        [name],
        lambda name: answer,
    )
    crops = {n: data for n, data in tree(tmp_path).items() if n.startswith('crops/')}
    assert list(crops) == ['crops/RBC/sub__a_2.jpg', 'crops/a_b/sub__a_1.jpg']
    for crop, part in (
        ('crops/a_b/sub__a_1.jpg', pixels_of(name)[4:48, 0:9]),
        ('crops/RBC/sub__a_2.jpg', pixels_of(name)[10:20, 10:20]),
    ):
        assert crops[crop] == cv2.imencode('.jpg', part)[1].tobytes()
    assert 'boxes without area inside their image, left out: 2' in said
    assert f"{tmp_path}/crops/a_b: the class 'a/b', which no folder can be called" in (
        said
    )


def test_classes_that_no_folder_can_be_called_are_kept_apart(tmp_path):
    classes = ('a/b', 'a_b', 'A_B', '..', '', 'nul\0', '\udce9', '.x', 'end. ', 'c:')
    box = (0, 0, 9, 9)
    answer = detections('a.png', [box] * 10, [0.5] * 10, range(10), classes)
    writers = Writers(str(tmp_path), 'detection', classes, Outputs(False, crops=True))
    add(writers, 'a.png', answer, pixels_of('a.png'))
    folders = sorted(os.listdir(tmp_path / 'crops'))
    assert folders == sorted(
        ('a_b', 'a_b-2', 'A_B-3', '_', '_-2', 'nul_', '_-3', '_x', 'end_', 'c_')
    )


def test_crops_of_files_in_folders_are_kept_apart(tmp_path):
    names = ('a/b.png', 'a__b.png', 'a/_b.png', 'a_/b.png', 'a/b/c.png', 'a__b/c.png')
    write(
        tmp_path,
        'classification',
        Outputs(painted=False, crops=True),
        names,
        lambda name: classification(name, (1, 0, 0)),
    )
    crops = {n: d for n, d in tree(tmp_path).items() if n.startswith('crops/')}
    assert sorted(crops.values()) == sorted(map(png_of, names))
    assert {name.count('/') for name in crops} == {2}
    assert 'crops/RBC/a__b.png' in crops and 'crops/RBC/a__b__c.png' in crops


def test_a_classifier_sorts_the_images_themselves(tmp_path):
    answers = {
        'a.png': (0.9, 0.1, 0),
        'a.jpg': (0, 0, 1),
        'clip/000001': (0.8, 0.1, 0.1),
        'clip/02.gif': (0.8, 0.1, 0.1),
        'none.png': (0.35, 0.35, 0.3),
    }
    said = write(
        tmp_path,
        'classification',
        Outputs(painted=False, crops=True),
        answers,
        lambda name: classification(name, answers[name]),
    )
    frame = cv2.imencode('.jpg', pixels_of('clip/000001'))[1].tobytes()
    assert len('clip/000001') == len('clip/02.gif')  # So they have the same pixels.
    assert {n: d for n, d in tree(tmp_path).items() if n.startswith('crops/')} == {
        'crops/RBC/a.png': png_of('a.png'),
        'crops/a_b/a-2.jpg': png_of('a.jpg'),
        'crops/RBC/clip__000001.jpg': frame,
        'crops/RBC/clip__02.jpg': frame,
    }
    assert (
        f'{tmp_path}/crops: the images by predicted class; 1 reach no threshold and '
        in (''.join(said))
    )
    assert read_source(str(tmp_path / 'crops')).classes == ('RBC', 'a_b')


@pytest.mark.parametrize('format', ['voc', 'yolo', 'coco'])
def test_saved_labels_are_a_data_set(tmp_path, format):
    request = Outputs(painted=False, labels=format, model='runs/<é>&\udce9.pth')
    write(tmp_path / 'out', 'detection', request)
    folder = tmp_path / 'out' / f'labels_{format}'
    source = read_source(str(folder))
    assert source.format == format and source.classes == CLASSES
    (records,) = source.splits.values()
    files = {p.file: p.name for p in read_predictions(str(tmp_path / 'out'))}
    assert len(records) == len(NAMES)
    for record in records:
        inner = os.path.relpath(record.image, folder).partition('/')[2]
        answer = detections(files[inner])
        assert [box.name for box in record.boxes] == list(answer.names)
        for box, own in zip(record.boxes, answer.boxes.round(3).tolist(), strict=True):
            assert box.box == pytest.approx(own, abs=1e-9)
        if '/0' not in files[inner]:
            assert Path(record.image).read_bytes() == png_of(files[inner])
    texts = ''.join(
        data.decode(errors='replace')
        for name, data in tree(folder).items()
        if name.endswith(('.xml', '.yaml', '.json'))
    )
    who = 'runs/&lt;é&gt;&amp;\\udce9.pth' if format == 'voc' else 'runs/<é>&\\'
    assert f'predicted by {who}' in texts
    if format == 'voc':
        best = detections(NAMES[1]).scores[0].round(8)
        text = (folder / 'Annotations/a-2.xml').read_text(encoding='utf-8')
        assert f'<score>{best}</score>' in text
    assert all(r.origin.startswith('predicted by ') for r in records)
    for target in ('voc', 'yolo', 'coco'):
        convert(str(folder), str(tmp_path / target), to=target)
        again = read_source(str(tmp_path / target))
        (others,) = again.splits.values()
        assert {r.origin for r in others} == {records[0].origin}
        assert {r.name: len(r.boxes) for r in others} == {
            r.name: len(r.boxes) for r in records
        }


def test_saved_labels_split_and_check_clean(tmp_path):
    draw_bccd(str(tmp_path / 'set'), {'train': 12, 'val': 8, 'test': 8}, (320, 240))
    source = read_source(str(tmp_path / 'set'))
    writers = Writers(
        str(tmp_path / 'out'),
        'detection',
        source.classes,
        Outputs(painted=False, labels='voc'),
    )
    for record in (record for part in source.splits.values() for record in part):
        boxes = [np.array(box.box) + 0.3 for box in record.boxes]
        labels = [source.classes.index(box.name) for box in record.boxes]
        scores = [0.9] * len(boxes)
        name = os.path.relpath(record.image, tmp_path / 'set')
        answer = detections(name, boxes, scores, labels, source.classes, record.size)
        add(writers, name, answer, cv2.imread(record.image), record.image)
    writers.finish()
    root = str(tmp_path / 'out/labels_voc')
    split_dataset(root, {'train': 2, 'val': 1, 'test': 1})
    options = {'data_root': root, 'classes': list(source.classes)}
    found = check_config(str(SAMPLE), options, cached=False).findings
    assert [str(f) for f in found if f.severity == 'error'] == []
    predicted = [f for f in found if f.code == 'predicted-labels']
    assert (
        len(predicted) == 28
        and predicted[0].message == 'marked as predicted by a model'
    )
    # As a labelling tool leaves it.
    label = Path(predicted[0].file)
    label.write_text(re.sub('<source>.*</source>', '', label.read_text()))
    again = check_config(str(SAMPLE), options, cached=False).findings
    assert sum(f.code == 'predicted-labels' for f in again) == 27


@pytest.mark.parametrize('format', ['voc', 'yolo', 'coco'])
def test_what_a_person_changed_is_no_longer_predicted(tmp_path, format):
    """Though the tool has kept the mark; and so it is wherever it is converted to."""
    write(tmp_path / 'out', 'detection', Outputs(painted=False, labels=format))
    folder = tmp_path / 'out' / f'labels_{format}'
    (records,) = read_source(str(folder)).splits.values()
    changed = next(r for r in records if len(r.boxes) > 1)
    path = Path(changed.annotation)
    text = path.read_text(encoding='utf-8')
    if format == 'voc':
        text = re.sub('<xmin>.*?</xmin>', '<xmin>3</xmin>', text, count=1)
    elif format == 'yolo':
        text = text.partition('\n')[2]
    else:
        content = json.loads(text)
        own = {entry['file_name']: entry['id'] for entry in content['images']}
        image = own[os.path.relpath(changed.image, folder / 'images')]
        first = next(a for a in content['annotations'] if a['image_id'] == image)
        first['category_id'] = 3 - first['category_id']
        text = json.dumps(content)
    path.write_text(text, encoding='utf-8')
    expected = sorted(r.name for r in records if r != changed)
    for target in ('voc', 'yolo', 'coco'):
        convert(str(folder), str(tmp_path / target), to=target)
    for place in (folder, *map(tmp_path.joinpath, ('voc', 'yolo', 'coco'))):
        (again,) = read_source(str(place)).splits.values()
        assert sorted(r.name for r in again if r.origin) == expected


@pytest.mark.parametrize('format', ['voc', 'yolo', 'coco'])
def test_labels_that_nobody_touched_grow_with_the_images(tmp_path, format):
    request = Outputs(painted=False, labels=format)
    for names in (NAMES[:3], NAMES[:5], NAMES):
        said = write(tmp_path / 'grown', 'detection', request, names)
        assert 'kept' not in ''.join(said)
    write(tmp_path / 'whole', 'detection', request)
    assert tree(tmp_path / 'grown') == tree(tmp_path / 'whole')


@pytest.mark.parametrize('format', ['voc', 'yolo', 'coco'])
def test_corrected_labels_are_kept(tmp_path, format):
    request = Outputs(painted=False, labels=format)
    write(tmp_path, 'detection', request, NAMES[:3])
    folder = tmp_path / f'labels_{format}'
    own = {'voc': 'Annotations/a.xml', 'yolo': 'labels/a.txt'}
    path = folder / own.get(format, 'annotations/all.json')
    path.write_text('mine')
    for _ in range(2):
        said = write(tmp_path, 'detection', request)
        assert path.read_text() == 'mine'
        assert said[-1].startswith(
            f'{folder}: kept, because it was changed since it was written, and not '
            'what is predicted now: '
            f'{path.relative_to(folder)}; move'
        )
    shutil.rmtree(folder)
    write(tmp_path, 'detection', request)
    write(tmp_path / 'whole', 'detection', request)
    whole = tree(tmp_path / 'whole' / folder.name)
    assert tree(folder) == whole


def test_no_disk_space_is_a_sentence_and_leaves_no_line(tmp_path, monkeypatch):
    write(tmp_path, 'detection', names=NAMES[:3])
    before = tree(tmp_path)
    replace = os.replace

    def fill(stop):
        def full(source, target):
            if str(target).endswith(stop):
                raise OSError(28, 'No space left on device')
            replace(source, target)

        monkeypatch.setattr('os.replace', full)

    for stop in ('you.jpg', 'you.png', 'you_1.jpg'):
        fill(stop)
        with pytest.raises(UserError, match=rf'{stop}: cannot be written \(No space'):
            write(tmp_path, 'detection', names=NAMES[:4])
        lines = (tmp_path / 'predictions.jsonl').read_bytes()
        assert lines == before['predictions.jsonl']
    for stop, name in (
        ('predictions.csv', r'predictions\.csv'),
        ('coco_results.json', r'coco_results\.json'),
        ('a.xml', 'labels_voc'),
    ):
        fill(stop)
        with pytest.raises(UserError, match=rf'{name}: cannot be written \(No space'):
            write(tmp_path, 'detection', names=NAMES[:3])
    monkeypatch.undo()
    assert {name: tree(tmp_path)[name] for name in before} == before


def test_what_cannot_be_is_refused_at_once(tmp_path):
    for request, text in (
        (Outputs(coco=True), 'COCO has no format for one class per image'),
        (Outputs(labels='yolo'), '--save-labels yolo: holds boxes.*--crops sorts'),
    ):
        with pytest.raises(UserError, match=text):
            Writers(str(tmp_path), 'classification', CLASSES, request)
    for classes in (('a', 'a'), ('\udce9',)):
        with pytest.raises(UserError, match=r'labels cannot be saved: .*class'):
            Writers(str(tmp_path), 'detection', classes, Outputs(labels='voc'))
    writers = Writers(str(tmp_path), 'detection', CLASSES, Outputs(csv=True))
    assert writers.finish() == [
        f'{tmp_path}: nothing is written, since no image was predicted'
    ]
    for box, score in (((0, 0, np.nan, 9), 0.5), ((0, 0, 9, 9), np.inf)):
        with pytest.raises(UserError, match=r'a\.png: .*not a finite number'):
            answer = detections('a.png', [box], [score], [0])
            add(writers, 'a.png', answer, pixels_of('a.png'))
    with pytest.raises(UserError, match=r'a\.png: .*not a finite number'):
        prediction_of('a.png', classification('a.png', (np.nan, 0, 0)))
    assert os.listdir(tmp_path) == []


def test_tags():
    boxes = [(0, 0, 9.55, 9), (1, 1, 5, 5), (2.04, 2, 5, 5)]
    found = prediction_of(
        '가.png', detections('x', boxes, (0.98764, 0.5, 0.4), (1, 0, 1))
    )
    empty = prediction_of('none.png', detections('none.png'))
    image = prediction_of('a.png', classification('a.png', (0.1, 0.20001, 0.69999)))
    unsure = prediction_of('b.png', classification('b.png', (0.3, 0.35, 0.35)))
    everything = [found, empty, image, unsure]
    assert json.loads(tags_json(everything, 'list')) == {
        '가.png': ['백혈구', 'RBC'],
        'none.png': [],
        'a.png': ['a/b'],
        'b.png': [],
    }
    text = tags_json(everything)
    assert json.loads(text) == {
        '가.png': {
            '백혈구': {
                'score': 0.9876,
                'boxes': [[0.0, 0.0, 9.6, 9.0], [2.0, 2.0, 5.0, 5.0]],
            },
            'RBC': {'score': 0.5, 'boxes': [[1.0, 1.0, 5.0, 5.0]]},
        },
        'none.png': {},
        'a.png': {'a/b': {'score': 0.7}},
        'b.png': {},
    }
    assert text.isascii() and text.startswith('{\n "')
