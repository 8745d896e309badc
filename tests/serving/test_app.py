"""The routes, with a detector that calls everything coffee, and a classifier."""

import base64
import io
import json
import re
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from custom_datasets import Predictor
from tests.predicting.conftest import CLASSES, LEAF
from tests.predicting.test_predictor import COFFEE, SHARES


@pytest.fixture(scope='module')
def predictor(detector):
    return Predictor(LEAF, detector)


@pytest.fixture
def image(photo):
    return Path(photo).read_bytes()


def form(*images):
    return [('image', (f'{k}.png', image)) for k, image in enumerate(images)]


def test_tags_are_a_list(client, image):
    answer = client.post('/tag', files=form(image))
    assert (answer.status_code, answer.json()) == (200, {'tags': ['coffee']})


def test_tags_are_a_dictionary_with_scores_and_boxes(client, image, predictor):
    tags = client.post('/tag?as=dict', files=form(image)).json()['tags']
    expected = predictor(image)
    assert list(tags) == ['coffee']
    assert tags['coffee']['score'] == pytest.approx(COFFEE, abs=1e-5)
    np.testing.assert_allclose(tags['coffee']['boxes'], expected.boxes, atol=1e-3)


def test_a_classifiers_tags_are_its_top_classes(classifying, image):
    assert classifying.post('/tag', files=form(image)).json() == {'tags': ['coffee']}
    tags = classifying.post('/tag?top=2&as=dict', files=form(image)).json()['tags']
    assert list(tags) == ['coffee', 'cocoa']
    assert tags['cocoa'] == {'score': pytest.approx(SHARES[2]), 'boxes': []}
    few = classifying.post('/tag?top=3&threshold=0.5', files=form(image)).json()
    assert few == {'tags': ['coffee']}


def test_predictions_name_boxes_size_threshold_and_model(client, image, predictor):
    answer = client.post('/predict', files=form(image)).json()
    expected = predictor(image)
    assert answer['threshold'] == 0.3
    assert answer['model']['name'] == LEAF.stem
    assert answer['model']['task'] == 'detection'
    assert re.fullmatch(r'epoch_1-[0-9a-f]{12}', answer['model']['version'])
    (row,) = answer['images']
    assert (row['name'], row['width'], row['height']) == ('0.png', 90, 60)
    assert [box['name'] for box in row['boxes']] == list(expected.names)
    boxes = [box['box'] for box in row['boxes']]
    np.testing.assert_allclose(boxes, expected.boxes, atol=1e-3)
    assert 'classes' not in row


def test_probabilities_are_the_classifiers(classifying, image):
    (row,) = classifying.post('/predict', files=form(image)).json()['images']
    assert list(row['classes']) == ['coffee', 'cocoa', 'tea']
    assert sum(row['classes'].values()) == pytest.approx(1)
    assert 'boxes' not in row


def test_a_request_may_set_the_threshold(client, image):
    answer = client.post('/predict?threshold=0.99', files=form(image)).json()
    assert answer['threshold'] == 0.99
    assert answer['images'][0]['boxes'] == []


@pytest.mark.parametrize(
    'kind', ['image/png', 'application/octet-stream', 'image/x-odd; a=b']
)
def test_raw_bytes(client, image, kind):
    answer = client.post('/tag', content=image, headers={'content-type': kind})
    assert answer.json() == {'tags': ['coffee']}


@pytest.mark.parametrize('start', ['', 'data:image/png;base64,'])
def test_base64_in_json(client, image, start):
    text = start + base64.encodebytes(image).decode()
    assert client.post('/tag', json={'image': text}).json() == {'tags': ['coffee']}
    rows = client.post('/predict', json={'images': [text, text]}).json()['images']
    assert [row['name'] for row in rows] == ['image 1', 'image 2']
    assert rows[0]['boxes'] == pytest.approx(rows[1]['boxes'])


def test_several_images_each_answer_for_themselves(client, image):
    large = np.full((200, 300, 3), 200, np.uint8)
    large = cv2.imencode('.png', large)[1].tobytes()
    images = [image, b'no image', large, b'']
    rows = client.post('/predict', files=form(*images)).json()['images']
    assert [row['name'] for row in rows] == ['0.png', '1.png', '2.png', '3.png']
    assert rows[0]['boxes'] and rows[2]['width'] == 300
    assert rows[1] == {
        'name': '1.png',
        'error': 'is not an image, whatever its name says',
    }
    assert rows[3]['error'] == 'is empty'


def test_the_painted_picture(client, image, predictor):
    answer = client.post('/predict?annotated=1', files=form(image))
    assert answer.headers['content-type'] == 'image/jpeg'
    pixels = predictor(image).paint()
    painted = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    encoded = cv2.imencode('.jpg', pixels)[1]
    np.testing.assert_array_equal(painted, cv2.imdecode(encoded, cv2.IMREAD_COLOR))


def test_an_image_is_turned_as_its_camera_says(client, photo):
    exif = Image.Exif()
    exif[274] = 6  # A quarter turn.
    turned = io.BytesIO()
    Image.open(photo).save(turned, 'png', exif=exif)
    (row,) = client.post('/predict', files=form(turned.getvalue())).json()['images']
    assert (row['width'], row['height']) == (60, 90)


def problem(answer, status):
    assert answer.status_code == status
    assert answer.headers['content-type'] == 'application/problem+json'
    content = answer.json()
    assert content['status'] == status and content['type'] == 'about:blank'
    assert content['request_id'] == answer.headers['x-request-id']
    return content['detail']


def png(width, height, pixels=b''):
    """Return a PNG file that claims a size, and brings as much of it as is given."""

    def chunk(kind, data):
        crc = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + crc

    header = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
    start = b'\x89PNG\r\n\x1a\n'
    return start + header + chunk(b'IDAT', zlib.compress(pixels)) + chunk(b'IEND', b'')


@pytest.mark.parametrize(
    ('status', 'sent', 'detail'),
    [
        (400, {'files': {'picture': b'x'}}, 'the form has no field image, but picture'),
        (400, {'files': {'image': (None, 'x')}}, 'the field image is text'),
        (400, {'json': {'picture': 'x'}}, 'the JSON has no images'),
        (400, {'json': {'image': 'é'}}, 'image is not base64'),
        (400, {'json': {'image': [1]}}, 'image is not base64 text, but int'),
        (400, {'json': [1]}, 'the JSON has no images'),
        (400, {'json': {'images': ['', '']}}, 'there are 2 images; send one'),
        (400, {'content': b'{', 'type': 'application/json'}, 'the body is not JSON'),
        (
            400,
            {'content': b'[' * 100_000, 'type': 'application/json'},
            'the body is not JSON',
        ),
        (400, {'content': b'x', 'type': 'multipart/form-data'}, 'Missing boundary'),
        (
            400,
            {'content': b'x', 'type': 'multipart/form-data; boundary=a'},
            'the form cannot be read',
        ),
        (413, {'json': {'images': [''] * 5}}, 'too many images: at most 4'),
        (413, {'files': [('image', ('a', b'x'))] * 5}, 'too many images: at most 4'),
        (413, {'content': b'x' * 20_000_001, 'type': 'image/png'}, '20,000,000 bytes'),
        (415, {'content': b'x', 'type': 'text/plain'}, 'Content-Type is text/plain'),
        (415, {}, 'Content-Type is missing'),
        (422, {'content': b'', 'type': 'image/png'}, 'image: is empty'),
        (422, {'files': {'image': b'GIF89a'}}, 'begins like a GIF file'),
        (
            422,
            {'content': png(32000, 32000), 'type': 'image/png'},
            'is too large: 32000 x 32000',
        ),
    ],
)
def test_what_cannot_be_answered_says_why(client, status, sent, detail):
    sent = dict(sent)
    if kind := sent.pop('type', None):
        sent['headers'] = {'content-type': kind}
    assert detail in problem(client.post('/tag', **sent), status)


@pytest.mark.parametrize(
    ('query', 'detail'),
    [
        ('as=tuple', "as: Input should be 'list' or 'dict'"),
        ('threshold=2', 'threshold'),
    ],
)
def test_a_query_that_means_nothing_is_refused(client, image, query, detail):
    assert detail in problem(client.post(f'/tag?{query}', files=form(image)), 400)


def test_no_such_route_and_no_such_method(client):
    assert 'GET / lists' in problem(client.get('/nope'), 404)
    answer = client.get('/tag')
    assert problem(answer, 405) == '/tag: GET is not allowed; use POST'
    assert answer.headers['allow'] == 'POST'


def test_the_root_says_what_runs_here(client, service):
    answer = client.get('/').json()
    assert answer['classes'] == list(CLASSES)
    assert answer['limits'] == vars(service.limits)
    assert answer['problem'] == ''
    for link in answer['links'].values():
        assert client.get(link).status_code in (200, 405)


def test_health_and_ready(client):
    assert client.get('/health').json() == {'status': 'alive'}
    assert client.get('/ready').json() == {'status': 'ready'}


def test_a_request_has_an_id_in_answer_and_log(client, capfd):
    answer = client.get('/example', headers={'x-request-id': 'mine-1'})
    assert answer.headers['x-request-id'] == 'mine-1'
    assert 'GET /example status=200' in (log := capfd.readouterr().err)
    assert 'request_id=mine-1' in log
    odd = client.get('/health', headers={'x-request-id': 'a b'})
    assert re.fullmatch('[0-9a-f]{32}', odd.headers['x-request-id'])
    client.get('/nope%0aline%1b[31m')
    # A supervisor asks for health all the time.
    assert capfd.readouterr().err.count('\n') == 1


def test_counts_for_prometheus(client, image):
    def count(text, line):
        found = re.search(rf'^{re.escape(line)} (\S+)$', text, re.M)
        return float(found[1]) if found else 0.0

    line = 'http_requests_total{route="/tag",status="200"}'
    before = client.get('/metrics').text
    client.post('/tag', files=form(image))
    after = client.get('/metrics').text
    assert count(after, line) == count(before, line) + 1
    assert count(after, 'batch_images_sum') == count(before, 'batch_images_sum') + 1
    assert count(after, 'queue_images') == 0
    assert count(after, 'ready') == 1
    assert count(after, 'resident_memory_bytes') > 1e8
    assert 'http_request_seconds_bucket{le="0.1",route="/tag"}' in after
    assert 'model_info{version="epoch_1-' in after


def test_the_description_has_an_example_and_its_answers(client):
    content = client.get('/openapi.json').json()
    operation = content['paths']['/predict']['post']
    body = operation['requestBody']['content']['application/json']['example']
    answers = operation['responses']['200']['content']['application/json']['examples']
    described = answers['one image']['value']
    actual = client.post('/predict', json=body).json()
    assert json.loads(json.dumps(described))['model'] == actual['model']
    boxes = [box['box'] for box in described['images'][0]['boxes']]
    np.testing.assert_allclose(
        boxes, [box['box'] for box in actual['images'][0]['boxes']], atol=1e-3
    )
    assert client.get('/example').content == base64.b64decode(body['image'])
    assert set(operation['responses']) >= {'400', '413', '415', '422', '429', '503'}


def test_the_page_of_the_description_asks_no_other_host(client):
    page = client.get('/docs').text
    assert 'swagger-ui-bundle.js' in page
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links and all(link.startswith('/') for link in links)
    for link in links:
        assert client.get(link).status_code == 200
