"""The demo without a browser: what its page says, asks, keeps and never sends."""

import base64
import json
import os
import re
import string
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from gradio import processing_utils
from starlette.testclient import TestClient

from custom_datasets import Predictor
from custom_datasets.data.advice import read_advice
from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting.images import read_pixels
from custom_datasets.serving.bodies import Upload, require_kind
from custom_datasets.serving.demo_answers import (
    advice_html,
    decided,
    painted_html,
    scores_by_class,
    thumbnails_html,
)
from custom_datasets.serving.demo_app import Content, create_demo, read_content
from custom_datasets.serving.demo_texts import ENGLISH, KOREAN, texts_for
from custom_datasets.serving.demo_uploads import (
    browser_image,
    delete_uploads,
    read_picture,
)
from custom_datasets.serving.examples import drawn_examples
from custom_datasets.serving.limits import Limits, Service
from custom_datasets.serving.problems import queue_full
from tests.leaves import ROOT
from tests.predicting.conftest import CLASSES, LEAF, WASTE
from tests.predicting.test_predictor import SHARES
from tests.serving.processes import PATIENCE, Server
from tools.demo_app import main

pytestmark = pytest.mark.xdist_group('demo')

BCCD = ROOT / 'configs/bccd/retinanet_r18_fpn_1xb4-24e_bccd.py'
ADVICE = """
coffee:
  en: {sort: Sort <it>., becomes: New cups.}
  ko: {sort: 나눠 버려요., becomes: 새 컵}
tea:
  en: {sort: Other., becomes: Others.}
  ko: {sort: 다른 것, becomes: 또 다른 것}
"""
ODD = (-1, 99, 1.5, 'x', None, [0])


@pytest.fixture(scope='module')
def advice(tmp_path_factory):
    path = tmp_path_factory.mktemp('advice') / 'advice.yaml'
    path.write_text(ADVICE, encoding='utf-8')
    return path


@pytest.fixture(scope='module')
def image(photo):
    return Path(photo).read_bytes()


@pytest.fixture(scope='module')
def detections(detector, photo):
    """Two coffees and a tea, so that scores and classes differ."""
    answer = Predictor(LEAF, detector)(photo)
    return replace(
        answer,
        boxes=np.array([[0, 0, 9, 9], [10, 10, 30, 30], [40, 40, 50, 50.0]]),
        scores=np.array([0.9, 0.6, 0.2]),
        labels=np.array([1, 1, 0]),
    )


@pytest.fixture(scope='module')
def classified(classifier, photo):
    return Predictor(WASTE, classifier)(photo)


# Texts.


def places(text):
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def test_both_languages_say_everything():
    english, korean = asdict(ENGLISH), asdict(KOREAN)
    assert all(english.values()) and all(korean.values())
    for name, text in korean.items():
        assert places(text) == places(english[name]), name
        assert name == 'language' or re.search('[가-힣]', text), name
        assert not re.search('[가-힣]', english[name]), name


@pytest.mark.parametrize(
    ('header', 'texts'),
    [
        ('ko', KOREAN),
        ('ko-KR,ko;q=0.9,en;q=0.8', KOREAN),
        ('KO-kr;q=1', KOREAN),
        ('en-US,en;q=0.9,ko;q=0.8', ENGLISH),
        ('kok', ENGLISH),
        ('fr', ENGLISH),
        ('', ENGLISH),
    ],
)
def test_the_browsers_first_language_counts(header, texts):
    assert texts_for(header) is texts


def encoded(suffix, side=64):
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    return cv2.imencode(suffix, noise)[1].tobytes()


JPEG, PNG = encoded('.jpg'), encoded('.png')


@pytest.mark.parametrize(
    ('data', 'english', 'korean'),
    [
        (b'', 'it is empty', '파일이 비어 있습니다'),
        (b'text', 'it is not an image', '이미지 파일이 아닙니다'),
        (b'\0\0\0\x18ftypheic', 'it is HEIC', 'HEIC 형식은 읽을 수 없으니'),
        (b'version https://git-lfs', 'pointer of Git LFS', 'git lfs pull로'),
        (b'GIF89a', 'begins like a GIF', 'GIF 파일처럼 시작하지만'),
        (JPEG[:-900], 'it is cut off', '뒷부분이 잘렸습니다'),
        (JPEG[:-2], 'it has all pixels', '뒷부분이 잘렸습니다'),
        (JPEG[:900] + bytes(99) + JPEG[999:], 'it is damaged', '손상되었습니다'),
        (PNG[:-900], 'it is damaged', '파일이 손상되었습니다'),
        (encoded('.bmp')[:-900], 'it is damaged', '파일이 손상되었습니다'),
        (encoded('.jpg', 65), 'it is too large', '65 x 65픽셀'),
    ],
    ids=lambda value: None if isinstance(value, str) else '',
)
def test_why_a_picture_is_refused_is_said_in_both_languages(data, english, korean):
    with pytest.raises(ImageError) as error:
        require_kind(Upload('a', data))
        read_pixels(data, 'a', 64 * 64)
    assert english in ENGLISH.refusal(error.value.problem)
    text = KOREAN.refusal(error.value.problem)
    assert korean in text
    assert not re.search('[a-z]{3}', text.replace('git lfs pull', '')), text


def test_what_a_model_or_opencv_cannot_take_is_said_in_korean_too():
    refused = KOREAN.refusal('is TIFF, which OpenCV cannot decode')
    assert 'TIFF 형식은 읽을 수 없으니' in refused
    odd = 'has 1 x 9 pixels, which the test pipeline cannot take (ValueError: x)'
    assert '(1 x 9픽셀)' in KOREAN.refusal(odd) and 'x)' not in KOREAN.refusal(odd)
    assert 'is new.' in KOREAN.refusal('is new')


# Answers.


def test_a_threshold_leaves_boxes_out(detections):
    some = decided(detections, 0.6)
    assert some.scores.tolist() == [0.9, 0.6]
    assert some.names == ('coffee', 'coffee') and len(some.boxes) == 2
    assert some.decision.caption == 'threshold 0.6'
    assert len(decided(detections, 1.0)) == 0


def test_every_class_has_a_bar(detections, classified):
    assert scores_by_class(detections) == {'tea': 0.2, 'coffee': 0.9, 'cocoa': 0.0}
    assert list(scores_by_class(classified)) == ['coffee', 'cocoa', 'tea']
    assert scores_by_class(classified)['cocoa'] == pytest.approx(SHARES[2])


def test_the_painted_picture_is_described_and_kept_under_its_name(classified):
    odd = replace(classified, image='a/b "<x>.png')
    html = painted_html(odd, b'\xff\xd8', ENGLISH)
    assert 'alt="Your picture, painted: coffee"' in html
    assert 'download="b &quot;&lt;x&gt;-painted.jpg"' in html
    assert html.count('data:image/jpeg;base64,/9g=') == 2
    assert '<b>coffee</b>, 67%' in html
    assert 'http' not in html


def test_an_answer_below_the_threshold_says_so(classified, detections):
    for answer in (classified, detections):
        none = decided(answer, 1.0)
        assert 'Nothing reaches the threshold 1.' in painted_html(none, b'', ENGLISH)
        assert '기준 점수 1 이상인' in painted_html(none, b'', KOREAN)


def test_a_class_below_the_threshold_is_not_painted_large(classified):
    heights = [len(decided(classified, share).paint()) for share in (0.5, 0.9)]
    assert heights[1] < heights[0]


def test_detected_objects_are_counted(detections):
    html = painted_html(detections, b'', ENGLISH)
    assert 'Found: 3' in html
    assert '<b>coffee: 2</b>, best score 90%' in html
    assert '<b>tea: 1</b>, best score 20%' in html
    assert '<b>tea: 1</b>, 최고 점수 20%' in painted_html(detections, b'', KOREAN)


def test_advice_is_on_what_was_found_in_the_visitors_language(classified, advice):
    entries = read_advice(advice)
    english = advice_html(classified, entries, ENGLISH)
    assert '<h2>coffee</h2>' in english and 'tea' not in english
    assert 'What to do</dt><dd>Sort &lt;it&gt;.' in english
    korean = advice_html(classified, entries, KOREAN)
    assert '<h2>coffee</h2>' in korean and '나눠 버려요.' in korean
    assert advice_html(decided(classified, 1.0), entries, ENGLISH) == ''
    assert advice_html(classified, {}, ENGLISH) == ''


# Pictures.


def test_a_picture_goes_to_the_browser_and_comes_back(tmp_path):
    sent = browser_image(Upload('a.png', b'\x89PNG'))
    assert sent['url'].startswith('data:image/png;base64,')
    assert read_picture(sent, tmp_path) == Upload('a.png', b'\x89PNG')
    text = browser_image(Upload('a.html', b'<script>'))
    assert text['url'].startswith('data:image/jpeg;')


def test_only_uploads_are_read(tmp_path):
    uploads = tmp_path / 'uploads'
    (uploads / 'x').mkdir(parents=True)
    (uploads / 'x/a.jpg').write_bytes(b'mine')
    (tmp_path / 'private.jpg').write_bytes(b'private')
    os.symlink(tmp_path / 'private.jpg', uploads / 'link.jpg')

    def read(path):
        return read_picture({'path': str(path), 'orig_name': 'a.jpg'}, str(uploads))

    assert read(uploads / 'x/a.jpg') == Upload('a.jpg', b'mine')
    for path in (
        tmp_path / 'private.jpg',
        uploads / '../private.jpg',
        uploads / 'link.jpg',
        uploads / 'gone.jpg',
        uploads,
        'a\0b',
        '',
    ):
        assert read(path) is None, path
    assert read_picture({'url': 'data:image/png;base64,é'}, str(uploads)).data == b''


def test_uploads_are_deleted_once_nobody_writes_to_them(tmp_path):
    for name in ('old/a.jpg', 'new/b.jpg', 'half-sent'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'x')
    before = time.time() - 60
    for name in ('old/a.jpg', 'half-sent'):
        os.utime(tmp_path / name, (before, before))
    delete_uploads(str(tmp_path), 30)
    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*')]
    assert sorted(left) == ['new', 'new/b.jpg']


# The application.


class Page:
    """What a browser does with Gradio's page."""

    def __init__(self, client, root='', language='en'):
        self.client, self.root = client, root
        self.headers = {'accept-language': language}
        self.config = client.get(f'{root}/config').json()
        self.session = 'visitor'
        self.event_data = None

    def event(self, name, number=0):
        """Return the number of an event's function."""
        events = [
            row['id']
            for row in self.config['dependencies']
            if any(event == name for _, event in row['targets'])
        ]
        return events[number]

    def ask(self, event, *data, **event_data):
        api = self.join(event, *data, event_data=event_data or self.event_data)
        lines = self.client.get(f'{api}/data?session_hash={self.session}').text
        messages = [json.loads(line[5:]) for line in lines.split('\n\n') if line]
        (end,) = (row for row in messages if row['msg'] == 'process_completed')
        assert end['success'], end
        return end['output']['data']

    def join(self, event, *data, event_data=None):
        body = {
            'fn_index': event,
            'data': data,
            'session_hash': self.session,
            'event_data': event_data,
        }
        api = f'{self.root}/gradio_api/queue'
        answer = self.client.post(f'{api}/join', json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return api

    def upload(self, name, data):
        api = f'{self.root}/gradio_api/upload'
        (path,) = self.client.post(api, files={'files': (name, data)}).json()
        return {
            'path': path,
            'orig_name': name,
            'meta': {'_type': 'gradio.FileData'},
        }


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('uploads')


@pytest.fixture(scope='module')
def client(classifier, advice, folder):
    """A demo of the classifier beside the API, whose uploads are kept for the tests."""
    service = Service(
        str(WASTE), classifier, load_first=True, limits=Limits(bytes=100_000)
    )
    content = Content(read_advice(advice), drawn_examples())
    app = create_demo(service, None, content=content, folder=str(folder), with_api=True)
    with TestClient(app) as client:
        yield client


@pytest.fixture
def page(client):
    return Page(client, '/demo')


def test_the_page_is_found_without_a_slash(client):
    answer = client.get('/demo', follow_redirects=False)
    assert answer.headers['location'] == '/demo/'
    assert 'gradio' in client.get('/demo').text


def test_an_upload_is_answered_and_goes_back_to_the_browser(page, image):
    sent = page.upload('waste.png', image)
    kept, painted, advice, bars = page.ask(page.event('upload'), sent, 0.0)
    assert base64.b64decode(kept['url'].partition(',')[2]) == image
    assert '<b>coffee</b>, 67%' in painted and 'waste-painted.jpg' in painted
    assert bars['label'] == 'coffee'
    assert [row['label'] for row in bars['confidences']] == ['coffee', 'cocoa', 'tea']
    assert 'Sort &lt;it&gt;.' in advice
    again = page.ask(page.event('input', 1), kept, 0.9)
    assert 'Nothing reaches the threshold 0.9.' in again[0] and again[1] == ''


def test_the_answer_is_in_korean(client, image):
    page = Page(client, '/demo', 'ko-KR,ko;q=0.9')
    intro, threshold, examples, *bars = page.ask(page.event('load'))
    assert '몇 초 안에 사진을 삭제합니다' in intro and threshold == 0
    assert examples.count('<button') == 4 and 'alt="예시 1: ' in examples
    assert {row['label'] for row in bars} == {'분류별 확률'}
    _, _, advice, _ = page.ask(page.event('upload'), page.upload('a.png', image), 0.0)
    assert '나눠 버려요.' in advice


def test_an_example_fills_the_picture(page):
    kept, painted, *_ = page.ask(page.event('click'), 0.0, number=1)
    expected = drawn_examples()[1]
    assert base64.b64decode(kept['url'].partition(',')[2]) == expected.data
    assert 'painted.jpg' in painted


@pytest.mark.parametrize(
    ('data', 'sentence'),
    [
        (b'no image', 'it is not an image, whatever its name says.'),
        (b'', 'it is empty.'),
        (b'GIF89a', 'begins like a GIF file'),
    ],
)
def test_what_is_no_picture_is_said_in_a_sentence(page, data, sentence):
    answer = page.ask(page.event('upload'), page.upload('a.png', data), 0.0)
    assert '<p role="alert">The picture cannot be used: ' in answer[1]
    assert sentence in answer[1]
    assert (answer[0], answer[2], answer[3]) == (None, '', {})


def test_no_other_file_of_the_server_is_read(page, tmp_path, image):
    private = tmp_path / 'private.png'
    private.write_bytes(image)
    answer = page.ask(page.event('upload'), {'path': str(private)}, 0.0)
    assert answer[0] is None and 'no longer on the server' in answer[1]


@pytest.mark.parametrize('place', [0, 1])
def test_no_visitor_makes_the_server_download(page, monkeypatch, place):
    asked = []

    async def download(url, **settings):
        asked.append(url)
        return url

    monkeypatch.setattr(processing_utils, 'async_ssrf_protected_download', download)
    file = {'path': 'https://example.org/a', 'meta': {'_type': 'gradio.FileData'}}
    data = [None, 0.0]
    data[place] = file
    answer = page.ask(page.event('upload'), *data)
    assert not asked and answer[0] is None


@pytest.mark.parametrize('threshold', [None, 'x', [0.5], {}, 2.5])
def test_what_is_no_threshold_is_none(page, image, threshold):
    painted = page.ask(page.event('upload'), page.upload('a.png', image), threshold)[1]
    assert '<b>coffee</b>, 67%' in painted


@pytest.mark.parametrize('event', [{}, 5, 'number', *({'number': x} for x in ODD)])
def test_what_is_no_example_is_said(page, event):
    page.event_data = event
    answer = page.ask(page.event('click'), 0.0)
    assert answer[0] is None and 'no longer on the server' in answer[1]


@pytest.mark.parametrize(
    ('method', 'path'),
    [
        ('POST', 'process_recording'),
        ('POST', 'component_server'),
        ('POST', 'run/predict'),
        ('GET', 'deep_link?session_hash=visitor'),
        ('GET', 'proxy=https://example.hf.space/a'),
    ],
)
def test_only_what_the_page_asks_is_served(client, method, path, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    files = {'file': ('a.webm', b'x')} if method == 'POST' else None
    url = f'/demo/gradio_api/{path}'
    assert client.request(method, url, files=files).status_code == 404
    assert list(tmp_path.iterdir()) == []


def test_a_full_queue_is_said_in_a_sentence(client, page, image, monkeypatch):
    engine = client.app.routes[-1].app.state.engine

    def refuse(images):
        raise queue_full(1)

    monkeypatch.setattr(engine, 'places', refuse)
    kept, painted, *_ = page.ask(page.event('upload'), page.upload('a.png', image), 0.0)
    assert kept is not None
    assert painted == f'<p role="alert">{ENGLISH.full}</p>'


def test_nothing_of_a_visitor_is_left(client, page, image, folder):
    delete_uploads(str(folder), 0)
    page.ask(page.event('upload'), page.upload('a.png', image), 0.0)
    # Its only file; neither the answer nor an example is one.
    files = [path for path in folder.rglob('*') if path.is_file()]
    assert [path.read_bytes() for path in files] == [image]
    delete_uploads(str(folder), 0)
    assert list(folder.iterdir()) == []
    blocks = client.app.routes[-3].app.get_blocks()
    page.session = 'another'
    page.ask(page.event('load'))
    assert list(blocks.state_holder.session_data) == ['another']
    page.ask(page.event('unload'))
    assert not blocks.state_holder.session_data


def test_bodies_have_a_limit(client, page):
    too_large = client.post(
        '/demo/gradio_api/upload', files={'files': ('a.png', b'x' * 100_001)}
    )
    assert too_large.status_code == 413
    with pytest.raises(AssertionError, match='error parsing the body'):
        page.ask(page.event('upload'), {'url': 'A' * 300_000}, 0.0)


def test_a_live_webcam_does_not_hold_the_server(classifier, image, tmp_path):
    arguments = (WASTE, '--checkpoint', classifier)
    env = {'TMPDIR': str(tmp_path)}
    with Server(*arguments, tool='demo_app.py', env=env) as server:
        server.wait_for(lambda: ' answers; ' in server.log)
        with httpx.Client(base_url=server.address, timeout=PATIENCE) as client:
            page = Page(client)
            frame = browser_image(Upload('frame.png', image))
            page.join(page.event('stream'), frame, 0.0)
            url = '/gradio_api/queue/data?session_hash=visitor'
            with client.stream('GET', url) as answers:
                lines = answers.iter_lines()
                assert any('process_streaming' in line for line in lines)
                server.process.terminate()
                assert any('process_completed' in line for line in lines)
        assert server.process.wait(PATIENCE) == 0
    assert 'exceeded' not in server.log
    assert list(tmp_path.iterdir()) == []


def test_the_page_sends_nothing_anywhere(client):
    blocks = client.app.routes[-3].app.get_blocks()
    assert blocks.analytics_enabled is False and blocks.run_history is False
    assert blocks.footer_links == [] and not blocks.enable_monitoring
    links = re.findall(r'url\(.?https?:|@import', client.get('/demo/theme.css').text)
    assert not links
    config = client.get('/demo/config').json()
    assert config['stylesheets'] == [] and not config['analytics_enabled']
    info = client.get('/demo/gradio_api/info').json()
    assert info == {'named_endpoints': {}, 'unnamed_endpoints': {}}


def test_page_and_api_share_a_queue(client, page, image):
    answer = client.post('/tag', files={'image': ('a.png', image)})
    assert answer.json() == {'tags': ['coffee']}
    assert client.get('/').json()['classes'] == list(CLASSES)

    def images():
        text = client.get('/metrics').text
        return float(re.search(r'^batch_images_sum (\S+)', text, re.M)[1])

    before = images()
    page.ask(page.event('upload'), page.upload('a.png', image), 0.0)
    assert images() == before + 1


def test_the_page_is_called_as_one_says_else_like_its_model(classifier, tmp_path):
    def called(title):
        service, content = Service(str(WASTE), classifier), Content(title=title)
        settings = {'content': content, 'folder': str(tmp_path), 'with_api': False}
        config = TestClient(create_demo(service, None, **settings)).get('/config')
        intro = config.json()['components'][2]['props']['value']
        return config.json()['title'], intro

    assert called('Glass & more') == ('Glass & more', '<h1>Glass &amp; more</h1>')
    assert called('') == (WASTE.stem, f'<h1>{WASTE.stem}</h1>')


# The command.


def test_the_configs_advice_counts_unless_another_is_given(advice):
    service = Service(str(WASTE))
    own = read_content(service, None, 0)
    assert {'battery', 'white-glass'} < set(own.advice)
    assert not own.examples and thumbnails_html(own.examples, ENGLISH) == ''
    assert set(read_content(service, str(advice), 0).advice) == {'coffee', 'tea'}
    none = replace(service, options={'advice': None})
    assert read_content(none, None, 0).advice == {}
    with pytest.raises(UserError, match=r'gone\.yaml: no such file'):
        read_content(service, 'gone.yaml', 0)


def test_examples_of_the_test_set(bccd_root):
    service = Service(str(BCCD), options={'data_root': str(bccd_root)})
    names = [example.name for example in read_content(service, None, 3).examples]
    assert len(names) == 3 and all(name.startswith('test_') for name in names)
    lost = replace(service, options={'data_root': 'gone'})
    with pytest.raises(UserError, match='gone'):
        read_content(lost, None, 3)


def test_a_missing_extra_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr('custom_datasets.cli.find_spec', lambda name: None)
    assert main(['run']) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert 'gradio' in error and 'pip install -r requirements/demo.txt' in error


def test_what_is_wrong_with_a_run_is_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path / 'gone')]) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'no such config' in error
