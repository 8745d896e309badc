"""Whole jobs on drawn images and videos: what is written, kept, and continued."""

import csv
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from custom_datasets import Predictor
from custom_datasets.errors import UserError
from custom_datasets.files import held_folder
from custom_datasets.predicting import clips, job
from custom_datasets.predicting.job import predict_sources, tag_sources
from custom_datasets.predicting.job_folder import Request
from custom_datasets.predicting.sources import Still
from custom_datasets.predicting.video import name_videos
from custom_datasets.predicting.writers import Outputs
from tests.leaves import ROOT
from tests.predicting.conftest import LEAF, WASTE
from tests.predicting.videos import Camera

SIZE = (64, 48)


@pytest.fixture(scope='module', params=['detection', 'classification'])
def predictor(request, detector, classifier):
    """A predictor of each task; the detector keeps a few boxes an image."""
    if request.param == 'classification':
        return Predictor(WASTE, classifier)
    few = {'model.test_cfg.rcnn.max_per_img': 3}
    return Predictor(LEAF, detector, options=few)


@pytest.fixture(scope='module')
def detecting(detector):
    return Predictor(LEAF, detector, options={'model.test_cfg.rcnn.max_per_img': 3})


def draw(seed):
    return np.random.default_rng(seed).integers(0, 256, (*SIZE[::-1], 3), np.uint8)


@pytest.fixture
def images(tmp_path):
    """Two images in a folder, one below it, and a damaged one."""
    root = tmp_path / 'images'
    (root / 'below').mkdir(parents=True)
    for name, seed in (('a.png', 0), ('b.png', 1), ('below/a.png', 2)):
        cv2.imwrite(str(root / name), draw(seed))
    (root / 'bad.png').write_bytes((root / 'a.png').read_bytes()[:200])
    return root


@pytest.fixture
def video(tmp_path):
    """A drawn video of six frames."""
    path = str(tmp_path / 'clip.avi')
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*'MJPG'), 10, SIZE)
    for seed in range(6):
        writer.write(draw(seed))
    writer.release()
    return path


def everything(predictor):
    detects = predictor.task == 'detection'
    labels = 'voc' if detects else None
    return Outputs(csv=True, coco=detects, crops=True, labels=labels, model='m')


def lines(folder):
    text = Path(folder, 'predictions.jsonl').read_text()
    return [json.loads(line) for line in text.splitlines()]


def tree(folder):
    """Return all files of a job but its note, which says where it is."""
    paths = (path for path in Path(folder).rglob('*') if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if path.name != job.NOTE
    }


def frames_of(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


def test_a_folder_a_zip_and_a_damaged_image(predictor, images, tmp_path):
    archive = tmp_path / 'more.zip'
    with zipfile.ZipFile(archive, 'w') as file:
        file.write(images / 'b.png', '사진/b.png')
    out = tmp_path / 'out'
    told = []
    outcome = predict_sources(
        predictor,
        # One by one, for answers that are equal to the last digit.
        Request(
            [str(images), str(archive)], everything(predictor), str(out), batch_size=1
        ),
        lambda done, total: told.append((done, total)),
    )
    assert outcome.images == 4 and not outcome.interrupted
    assert told == [(k, 5) for k in range(1, 6)]
    (problem,) = outcome.problems
    assert problem.startswith(f'{images / "bad.png"}: is damaged')
    names = [row['name'] for row in lines(out)]
    assert names[:3] == ['images/a.png', 'images/b.png', 'images/below/a.png']
    assert names[3].endswith('사진/b.png')
    painted = [path for path in tree(out) if path.startswith('painted/')]
    assert len(painted) == 4 and 'painted/images/below/a.jpg' in painted
    expected = predictor(str(images / 'b.png'))
    row = lines(out)[1]
    if predictor.task == 'detection':
        assert [box['box'] for box in row['boxes']] == expected.boxes.tolist()
        assert outcome.notes[0] == '4 images: coffee 12'
    else:
        assert row['probabilities'] == expected.to_dict()
        assert outcome.notes[0] == '4 images: coffee 4'
    note = json.loads((out / 'job.json').read_text())
    assert note['finished'] and note['problems'] == outcome.problems


def interrupt_after(count):
    def progress(done, total):
        if done == count:
            raise KeyboardInterrupt

    return progress


def test_the_same_request_goes_on(predictor, images, video, tmp_path):
    """After Ctrl-C at any place, all is as if there had been none."""
    sources, outputs = [str(images), video], everything(predictor)
    whole = tmp_path / 'whole'
    unbroken = predict_sources(predictor, Request(sources, outputs, str(whole)))
    for count in (1, 4, 7):
        request = Request(sources, outputs, str(tmp_path / f'out{count}'))
        broken = predict_sources(predictor, request, interrupt_after(count))
        assert broken.interrupted and 0 < broken.images < unbroken.images
        # What is done is kept, in tables too.
        assert {'predictions.csv', 'predictions.jsonl'} <= tree(request.out).keys()
        outcome = predict_sources(predictor, request)
        assert not outcome.interrupted and outcome.before == broken.images
        assert tree(request.out) == tree(whole)


def write_video(path, seeds):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10, SIZE)
    for seed in seeds:
        writer.write(draw(seed))
    writer.release()


def test_files_that_were_replaced_since_are_predicted_on_again(
    predictor, images, video, tmp_path
):
    """Images, members of zips and videos; what is left is that of an unbroken job."""
    archive, second = tmp_path / 'more.zip', str(tmp_path / 'second.avi')
    write_video(second, range(2))

    def pack(seed):
        with zipfile.ZipFile(archive, 'w') as file:
            cv2.imwrite(str(tmp_path / 'c.png'), draw(seed))
            file.write(images / 'a.png', 'a.png')
            file.write(tmp_path / 'c.png', 'c.png')

    pack(3)
    sources = [str(images), str(archive), video, second]
    outputs = everything(predictor)
    request = Request(sources, outputs, str(tmp_path / 'out'))
    broken = predict_sources(predictor, request, interrupt_after(13))
    assert broken.interrupted and broken.images == 12

    cv2.imwrite(str(images / 'b.png'), cv2.resize(draw(9), (90, 70)))
    pack(9)
    write_video(video, range(5, 9))
    outcome = predict_sources(predictor, request)
    assert outcome.before == 4  # Two images, a.png of the zip, a frame of second.avi.
    (said,) = (note for note in outcome.notes if 'replaced since' in note)
    assert said.startswith('3 files predicted on again, replaced since: ')
    assert {Path(name).name for name in said.partition(': ')[2].split(', ')} == {
        *('b.png', 'c.png', 'clip.avi')
    }
    whole = tmp_path / 'whole'
    predict_sources(predictor, Request(sources, outputs, str(whole)))
    made, expected = tree(request.out), tree(whole)
    assert sorted(made.keys() ^ expected.keys()) == []
    # Lines, and what is made of them in their order, may be in another.
    in_order = ('.csv', '.jsonl', '.json')
    for name in expected:
        assert name.endswith(in_order) or made[name] == expected[name]
    rows = {row['name']: row for row in lines(request.out)}
    assert rows == {row['name']: row for row in lines(whole)}


def test_files_that_stayed_are_not_predicted_on_again(detecting, images, tmp_path):
    request = Request([str(images)], Outputs(), str(tmp_path / 'out'))
    predict_sources(detecting, request, interrupt_after(2))
    outcome = predict_sources(detecting, request)
    assert outcome.before == 2 and 'replaced since' not in ''.join(outcome.notes)


def test_half_written_files_go(detecting, images, video, tmp_path):
    """A process that was killed leaves some; whatever else is there stays."""
    whole, out = tmp_path / 'whole', tmp_path / 'out'
    outputs = Outputs(crops=True, labels='voc')
    sources = [str(images), video]
    predict_sources(detecting, Request(sources, outputs, str(whole)))
    request = Request(sources, outputs, str(out))
    predict_sources(detecting, request, interrupt_after(2))
    work_files = (
        'painted/images/.a_b0c1d2',
        'crops/.a_b0c1d2',
        'painted/.a_b0c1d2.mp4',
    )
    for name in ('painted/.gitignore', 'labels_voc/notes.txt', *work_files):
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')
    predict_sources(detecting, request)
    more = tree(out).keys() - tree(whole).keys()
    assert more == {'painted/.gitignore', 'labels_voc/notes.txt'}


def test_folders_beside_the_checkpoint(detecting, images, monkeypatch, tmp_path):
    """A broken job goes on in its own; a finished one is never written over."""
    monkeypatch.setattr(detecting, 'checkpoint', str(tmp_path / 'run' / 'last.pth'))
    request = Request([str(images)], Outputs())
    broken = predict_sources(detecting, request, interrupt_after(2))
    assert Path(broken.folder).parent == tmp_path / 'run' / 'predictions'
    other = Request([str(images / 'a.png')], Outputs())
    assert predict_sources(detecting, other).folder != broken.folder
    assert predict_sources(detecting, request).folder == broken.folder
    assert predict_sources(detecting, request).folder != broken.folder


def test_another_command_needs_leave_to_replace(detecting, images, tmp_path):
    out = tmp_path / 'out'
    request = Request([str(images / 'a.png')], Outputs(), str(out))
    predict_sources(detecting, request)
    before = tree(out)
    with pytest.raises(UserError, match=f'^{out}: is finished; name another --out'):
        predict_sources(detecting, request)
    assert tree(out) == before
    other = Request([str(images / 'b.png')], Outputs(), str(out))
    with pytest.raises(UserError, match=f'^{out}: holds the predictions of another'):
        predict_sources(detecting, other)
    (out / 'mine.txt').write_text('precious')
    other = replace(other, overwrite=True)
    predict_sources(detecting, other)
    assert [row['name'] for row in lines(out)] == ['b.png']
    assert (out / 'mine.txt').read_text() == 'precious'


def test_corrected_labels_are_never_replaced(detecting, images, tmp_path):
    out = tmp_path / 'out'
    request = Request([str(images / 'a.png')], everything(detecting), str(out))
    predict_sources(detecting, request)
    (label,) = (out / 'labels_voc/Annotations').iterdir()
    label.write_text(label.read_text().replace('coffee', 'tea'))
    again = replace(request, overwrite=True)
    for _ in range(2):
        with pytest.raises(
            UserError, match=f'labels in it were corrected: {label}; mo'
        ):
            predict_sources(detecting, again)
    assert 'tea' in label.read_text() and len(lines(out)) == 1


def test_a_note_of_another_program_is_no_leave_to_replace(detecting, images, tmp_path):
    out = tmp_path / 'thesis'
    out.mkdir()
    (out / 'job.json').write_text('{"name": "nightly"}')
    request = Request([str(images / 'a.png')], Outputs(), str(out), overwrite=True)
    with pytest.raises(UserError, match='is not empty, and holds no predictions'):
        predict_sources(detecting, request)


def test_nothing_is_written_among_the_sources(detecting, images, tmp_path):
    for out, message in ((images / 'out', 'lies in '), (tmp_path, 'holds the raw')):
        request = Request([str(images)], Outputs(), str(out))
        with pytest.raises(UserError, match=f'^{out}: {message}'):
            predict_sources(detecting, request)
    assert not (images / 'out').exists()


def test_two_processes_do_not_share_a_folder(detecting, images, tmp_path):
    out = tmp_path / 'out'
    request = Request([str(images / 'a.png')], Outputs(), str(out))
    with held_folder(str(out)):
        code = (
            'import sys; from custom_datasets.files import held_folder\n'
            f'with held_folder({str(out)!r}): pass'
        )
        done = subprocess.run(
            [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
        )
    assert 'another process is writing there' in done.stderr
    predict_sources(detecting, request)
    assert len(lines(out)) == 1 and not (out / '.running').exists()


def test_another_model_does_not_go_on(detecting, detector, images, tmp_path):
    """Nor another threshold, or weights that were replaced."""
    out = str(tmp_path / 'out')
    request = Request([str(images)], Outputs(), out)
    predict_sources(detecting, request, interrupt_after(1))
    for options in (
        {'options': {'model.test_cfg.rcnn.max_per_img': 2}},
        {'options': {'model.test_cfg.rcnn.max_per_img': 3}, 'threshold': 0.3001},
    ):
        with pytest.raises(UserError, match='holds the predictions of another'):
            predict_sources(Predictor(LEAF, detector, **options), request)
    os.utime(detector, ns=(1, 1))
    with pytest.raises(UserError, match='holds the predictions of another'):
        predict_sources(detecting, request)


def test_painted_videos_have_names_of_their_own():
    names = ['a.mp4', 'a.avi', 'a.mp4.mov', 'b.mov', 'host-8080-live', '10.0.0.1']
    videos = name_videos(names)
    assert len(set(videos.values())) == len(names)
    assert videos['b.mov'] == 'b.mp4' and videos['10.0.0.1'] == '10.0.0.1.mp4'


def test_painted_videos_have_names_that_disks_can_hold():
    long = 'a' * 251
    names = [f'{long}.avi', f'{long}.mov', f'{long[1:]}b.avi', f'in/{long}.avi']
    videos = name_videos(names)
    assert len(set(videos.values())) == len(names)
    assert all(len(part) <= 255 for v in videos.values() for part in v.split('/'))
    assert name_videos(names[::-1]) == videos


def test_a_video_that_cannot_be_painted_can_be_predicted_on(
    detecting, video, tmp_path, monkeypatch
):
    monkeypatch.setattr(cv2.VideoWriter, 'isOpened', lambda _: False)
    out = tmp_path / 'out'
    outcome = predict_sources(detecting, Request([video], Outputs(), str(out)))
    (problem,) = outcome.problems
    assert 'OpenCV cannot write a video of 64 x 48 pixels' in problem
    assert problem.endswith('; --no-painted predicts on it all the same')
    request = Request([video], Outputs(painted=False), str(tmp_path / 'bare'))
    assert not predict_sources(detecting, request).problems


def test_a_folder_of_something_else_stays(detecting, images, tmp_path):
    out = tmp_path / 'mine'
    out.mkdir()
    (out / 'mine.txt').write_text('precious')
    for overwrite in (False, True):
        request = Request(
            [str(images / 'a.png')], Outputs(), str(out), overwrite=overwrite
        )
        with pytest.raises(UserError, match='is not empty, and holds no predictions'):
            predict_sources(detecting, request)
    assert os.listdir(out) == ['mine.txt']


def test_a_video_keeps_its_size_and_time(predictor, video, tmp_path):
    for every, numbers in ((1, range(6)), (2, (0, 2, 4))):
        out = tmp_path / f'out{every}'
        request = Request(
            [video], Outputs(csv=True), str(out), every=every, batch_size=4
        )
        outcome = predict_sources(predictor, request)
        assert not outcome.problems
        names = [row['name'] for row in lines(out)]
        assert names == [f'clip.avi/{number:06d}' for number in numbers]
        times = [(row['frame'], row['seconds']) for row in lines(out)]
        assert times == [(number, number / 10) for number in numbers]
        frames, fps = frames_of(out / 'painted/clip.mp4')
        assert (len(frames), fps) == (len(numbers), 10 / every)
        assert frames[0].shape == (*SIZE[::-1], 3)
        assert not list(out.rglob('*.jpg'))
    # Each frame has its own answer.
    original, _ = frames_of(video)
    answers = [predictor(frame) for frame in original]
    for row, answer in zip(lines(tmp_path / 'out1'), answers, strict=True):
        if predictor.task == 'detection':
            found = np.array([box['box'] for box in row['boxes']])
            np.testing.assert_allclose(found, answer.boxes, atol=1e-3)


def test_a_table_has_the_time_of_frames(predictor, images, video, tmp_path):
    out = tmp_path / 'out'
    sources = [str(images / 'a.png'), video]
    outputs = Outputs(painted=False, csv=True)
    predict_sources(predictor, Request(sources, outputs, str(out), every=4))
    with open(out / 'predictions.csv', encoding='utf-8-sig', newline='') as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-2:] == ['frame', 'seconds']
    times = {row['image']: (row['frame'], row['seconds']) for row in rows}
    assert times == {
        'images/a.png': ('', ''),
        'clip.avi/000000': ('0', '0.0'),
        'clip.avi/000004': ('4', '0.4'),
    }


def test_a_video_that_is_cut_off_keeps_what_there_was(detecting, video, tmp_path):
    data = Path(video).read_bytes()
    cut = tmp_path / 'cut.avi'
    cut.write_bytes(data[: len(data) * 2 // 3])
    out = tmp_path / 'out'
    outcome = predict_sources(detecting, Request([str(cut)], Outputs(), str(out)))
    assert len(outcome.problems) == 1
    assert 0 < len(frames_of(out / 'painted/cut.mp4')[0]) == len(lines(out)) < 6


def test_ctrl_c_ends_a_camera_and_no_more(detecting, tmp_path, monkeypatch):
    def open_camera(_):
        return Camera(1_000_000, before=lambda number: time.sleep(0.01))

    monkeypatch.setattr(clips, 'open_capture', open_camera)
    out = tmp_path / 'out'
    request = Request(['0'], Outputs(csv=True), str(out))
    outcome = predict_sources(detecting, request, interrupt_after(2))
    assert not outcome.interrupted and outcome.images == 2
    (painted,) = (out / 'painted').glob('*.mp4')
    assert len(frames_of(painted)[0]) >= 2
    assert json.loads((out / 'job.json').read_text())['finished']


@pytest.fixture
def stream():
    """The address of an MJPEG stream of five frames."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            kind = 'multipart/x-mixed-replace; boundary=frame'
            self.send_header('Content-Type', kind)
            self.end_headers()
            for seed in range(5):
                data = cv2.imencode('.jpg', draw(seed))[1].tobytes()
                self.wfile.write(b'--frame\r\nContent-Type: image/jpeg\r\n')
                self.wfile.write(b'Content-Length: %d\r\n\r\n' % len(data))
                self.wfile.write(data + b'\r\n')

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}/stream.mjpg'
    server.shutdown()
    server.server_close()


def test_a_stream_is_painted_until_it_ends(detecting, stream, tmp_path):
    out = tmp_path / 'out'
    outcome = predict_sources(detecting, Request([stream], Outputs(), str(out)))
    assert outcome.images == len(lines(out)) >= 1
    (painted,) = (out / 'painted').rglob('*.mp4')
    assert frames_of(painted)[0]


def test_tags_are_named_as_typed(detecting, images, video, monkeypatch):
    monkeypatch.chdir(images)
    request = Request(['a.png', 'bad.png', str(images / 'b.png')], Outputs())
    text, problems, _ = tag_sources(detecting, request, 'list')
    assert json.loads(text) == {'a.png': ['coffee'], str(images / 'b.png'): ['coffee']}
    assert [problem.split(':')[0] for problem in problems] == ['bad.png']
    text, problems, _ = tag_sources(detecting, Request([video], Outputs()), 'dict')
    assert len(json.loads(text)) == 6 and not problems
    tags = json.loads(text)['clip.avi/000000']
    assert set(tags) == {'coffee'} and len(tags['coffee']['boxes']) == 3
    tag = json.loads(text)['clip.avi/000003']['coffee']
    assert (tag['frame'], tag['seconds']) == (3, 0.3)


def test_what_is_passed_over_is_said(detecting, images, tmp_path):
    archive = images / 'more.zip'
    with zipfile.ZipFile(archive, 'w') as file:
        file.write(images / 'b.png')
    said = f'1 zip not opened: {archive}; to predict'
    outcome = predict_sources(
        detecting, Request([str(images)], Outputs(), str(tmp_path / 'out'))
    )
    assert any(note.startswith(said) for note in outcome.notes)
    *_, notes = tag_sources(detecting, Request([str(images)], Outputs()), 'list')
    assert [note.startswith(said) for note in notes] == [True]


def test_a_password_is_written_nowhere(detecting, tmp_path, monkeypatch):
    """Two cameras that differ in it alone are two commands all the same."""
    address = 'http://admin:S3CRET@localhost/cam.png?token=T0KEN'
    image = cv2.imencode('.png', draw(0))[1].tobytes()
    still = Still('cam.png', 'http://localhost/cam.png', lambda: image)
    monkeypatch.setattr(job, 'open_sources', lambda *_: [still])
    out = tmp_path / 'out'
    predict_sources(detecting, Request([address], Outputs(), str(out)))
    text = (out / 'job.json').read_text()
    assert 'localhost/cam.png' in text
    assert 'S3CRET' not in text and 'T0KEN' not in text
    other = Request([address.replace('T0', 'T1')], Outputs(), str(out))
    with pytest.raises(UserError, match='holds the predictions of another'):
        predict_sources(detecting, other)


@pytest.fixture
def batches(detecting, monkeypatch):
    """The names of the images in each run of the network."""
    names = []
    predict = detecting.predict

    def watched(rows):
        names.append([row.name for row in rows])
        return predict(rows)

    monkeypatch.setattr(detecting, 'predict', watched)
    return names


@pytest.fixture
def five(tmp_path):
    """A folder of five images of one size."""
    folder = tmp_path / 'five'
    folder.mkdir()
    for seed in range(5):
        cv2.imwrite(str(folder / f'{seed}.png'), draw(seed))
    return str(folder)


def test_the_config_says_how_many_share_a_batch(detecting, batches, five, tmp_path):
    predict_sources(detecting, Request([five], Outputs(), str(tmp_path / 'out')))
    assert batches == [['0.png', '1.png', '2.png', '3.png'], ['4.png']]


@pytest.mark.parametrize('done', [1, 3, 4])
def test_a_job_that_goes_on_predicts_in_the_same_batches(
    detecting, batches, five, tmp_path, done
):
    """Whoever shares a batch may change the last digit of an answer."""
    request = Request([five], Outputs(), str(tmp_path / 'out'), batch_size=2)
    predict_sources(detecting, request, interrupt_after(done))
    batches.clear()
    told = []
    outcome = predict_sources(detecting, request, lambda *count: told.append(count))
    assert batches == [['0.png', '1.png'], ['2.png', '3.png'], ['4.png']][done // 2 :]
    assert told == [(k, 5 - done) for k in range(1, 6 - done)]
    assert (outcome.before, outcome.images) == (done, 5)
    names = [row['name'] for row in lines(tmp_path / 'out')]
    assert names == [f'{seed}.png' for seed in range(5)]


def test_an_image_that_cannot_be_written_ends_the_job_in_order(
    detecting, five, tmp_path, monkeypatch
):
    """What comes after it has no line, though it may have been painted."""
    out = tmp_path / 'out'
    (out / 'painted').mkdir(parents=True)
    (out / 'painted/2.jpg').mkdir()
    request = Request([five], Outputs(), str(out))
    monkeypatch.setattr(job, 'choose_folder', lambda *_: (str(out), {}))
    with pytest.raises(UserError, match=r'painted/2\.jpg: cannot be written'):
        predict_sources(detecting, request)
    assert [row['name'] for row in lines(out)] == ['0.png', '1.png']
