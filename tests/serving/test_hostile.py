"""A server in its own process, attacked: no 500, no growth, nothing left behind."""

import base64
import gzip
import json
import signal
import time
from contextlib import ExitStack

import httpx
import pytest

from tests.predicting.conftest import LEAF
from tests.serving.hostile import (
    BOMBS,
    FRAMES,
    NAMES,
    ODD,
    TRUNCATED,
    WHOLE,
    Raw,
    chunked,
    forget_peak,
    form,
    head,
    png,
    resident,
)
from tests.serving.processes import Server

KEY = 'secret'
BEARER = f'Authorization: Bearer {KEY}'
HEAD_SECONDS, BODY_SECONDS, CONNECTIONS = 2, 3, 60
MEGABYTES = 80
"""That a process may grow by, at its peak, over what an ordinary request needs."""


@pytest.fixture(scope='module')
def server(detector, tmp_path_factory):
    folder = tmp_path_factory.mktemp('server')
    (folder / 'key').write_text(KEY)
    (folder / 'tmp').mkdir()
    options = {
        'checkpoint': detector,
        'key-file': folder / 'key',
        'max-header-seconds': HEAD_SECONDS,
        'max-upload-seconds': BODY_SECONDS,
        'max-connections': CONNECTIONS,
    }
    arguments = [f'--{name}={value}' for name, value in options.items()]
    with Server(LEAF, *arguments, env={'TMPDIR': str(folder / 'tmp')}) as server:
        assert server.address
        server.process.send_signal(signal.SIGHUP)  # That early, it ends nothing.
        server.until_ready()
        server.folder = folder / 'tmp'
        server.files = set(server.folder.rglob('*'))  # PyTorch leaves a folder.
        yield server
        assert server.stop() == 0


@pytest.fixture(scope='module')
def client(server):
    headers = {'authorization': f'Bearer {KEY}'}
    with httpx.Client(base_url=server.address, headers=headers, timeout=30) as client:
        for _ in range(20):  # What the first ones need is no growth.
            assert client.post('/tag', files={'image': WHOLE['jpeg']}).is_success
        assert client.post('/predict', files=_large(8)).is_success
        yield client


@pytest.fixture(autouse=True)
def unharmed(server, client):
    """Whatever a test does, the server goes on as before."""
    forget_peak(server.process.pid)
    before = resident(server.process.pid)
    written = len(server.log)
    yield
    assert client.get('/health').status_code == 200
    assert client.post('/tag', files={'image': WHOLE['png']}).is_success
    assert resident(server.process.pid, 'VmHWM') - before < MEGABYTES
    assert set(server.folder.rglob('*')) <= server.files
    log = server.log[written:]
    assert 'Traceback' not in log and 'status=500' not in log


def problem(answer):
    assert answer.headers['content-type'] == 'application/problem+json'
    return answer.status_code, answer.json()['detail']


@pytest.fixture
def connect(server):
    """Return a function that opens a connection; all are closed at the end."""
    with ExitStack() as stack:
        port = int(server.address.rpartition(':')[2])
        yield lambda: stack.enter_context(Raw(port))


ALL = {
    f'{name}, {group}': data
    for group, rows in (('truncated', TRUNCATED), ('bomb', BOMBS), ('odd', ODD))
    for name, data in rows.items()
}


@pytest.mark.parametrize('data', ALL.values(), ids=ALL)
def test_what_is_no_sound_image_is_refused(client, data):
    status, _ = problem(client.post('/tag', files={'image': data}))
    assert status == 422


def test_a_film_is_its_first_picture(client):
    answer = client.post('/predict', files={'image': FRAMES})
    if answer.status_code == 422:  # OpenCV reads GIF since 4.12.
        assert problem(answer)[1].endswith('is GIF, which OpenCV cannot decode')
    else:
        (row,) = answer.json()['images']
        assert (row['width'], row['height']) == (1, 1)


def test_many_large_images_do_not_stay_in_memory(server, client):
    """Each has 64 megapixels in 65 kB; those that wait for the network are small."""
    one, many = (_peak(server, client, count) for count in (1, 8))
    forget_peak(server.process.pid)  # These are within the limits.
    assert many < 2.5 * one


def _large(count):
    data = png(8192, 8190, bytes(8193 * 8190))
    return [('image', (f'{k}.png', data)) for k in range(count)]


def _peak(server, client, count):
    before = resident(server.process.pid)
    forget_peak(server.process.pid)
    rows = client.post('/predict', files=_large(count)).json()['images']
    assert {row['width'] for row in rows} == {8192}
    return resident(server.process.pid, 'VmHWM') - before


@pytest.mark.parametrize('name', NAMES)
def test_a_name_is_only_a_name(client, server, name):
    kind, body = form({name: WHOLE['png']})
    answer = client.post('/predict', content=body, headers={'content-type': kind})
    assert 'x-evil' not in answer.headers
    assert answer.status_code in (200, 400)
    log = server.log
    assert '\x1b' not in log and 'X-Evil' not in log


PART = b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
FORMS = {
    'files': (413, form({f'{k}': b'x' for k in range(5000)})[1]),
    'files elsewhere': (413, form({f'{k}': b'x' for k in range(5000)}, 'other')[1]),
    'fields': (400, PART * 5000),
    'lines of a head': (400, b'--edge\r\n' + b'A: b\r\n' * 100_000 + b'\r\n'),
    'a long line': (400, b'--edge\r\nContent-Disposition: ' + b'a' * 10_000_000),
    'parts without a head': (400, b'--edge\r\n\r\n' * 100_000),
    'edges that are none': (400, b'\r\n--edg' * 2_000_000),
    'edges inside': (422, form({'a': b'\r\n--edg' * 2_000_000})[1]),
}
TEXTS = {
    'deep': (400, b'[' * 10_000_000),
    'deeper': (400, b'{"a":' * 1_000_000),
    'digits': (400, b'{"image": ' + b'9' * 5_000_000 + b'}'),
    'no unicode': (400, b'\xff\xfe' + bytes(1000)),
    'too many': (413, json.dumps({'images': [''] * 100_000}).encode()),
    'long': (422, json.dumps({'image': 'A' * 19_000_000}).encode()),
    'bomb': (422, b'{"image": "%s"}' % base64.b64encode(BOMBS['png'])),
    'quotes': (400, b'{"image": "%s"}' % (b'"' * 1_000_000)),
    'nan': (400, b'NaN'),
}
BODIES = {
    **{
        name: ('multipart/form-data; boundary=edge', *row)
        for name, row in FORMS.items()
    },
    **{name: ('application/json', *row) for name, row in TEXTS.items()},
}


@pytest.mark.parametrize(('kind', 'status', 'body'), BODIES.values(), ids=BODIES)
def test_bodies_that_take_time(client, kind, status, body):
    answer = client.post('/predict', content=body, headers={'content-type': kind})
    assert problem(answer)[0] == status


def test_a_compressed_body_is_not_unpacked(client):
    body = gzip.compress(bytes(100_000_000))
    headers = {'content-type': 'image/png', 'content-encoding': 'gzip'}
    status, detail = problem(client.post('/tag', content=body, headers=headers))
    assert (status, 'gzip' in detail) == (415, True)


@pytest.mark.parametrize(
    'line', ['Content-Length: 1073741824', 'Transfer-Encoding: chunked']
)
def test_a_gigabyte_is_refused_before_it_is_read(server, connect, line):
    refused = server.log.count('status=413')
    raw = connect()
    assert raw.send(head('/tag', BEARER, 'Content-Type: image/png', line))
    start = time.monotonic()
    taken = raw.send(*chunked(1024))
    status, _ = raw.answer()
    assert (status in (0, 413), taken) == (True, False)
    server.wait_for(lambda: server.log.count('status=413') > refused)
    assert time.monotonic() - start < 10


def test_a_refusal_can_be_read_although_the_body_goes_on(client):
    """Clients send first and read then; a closed door would reset the connection."""
    body = bytes(25_000_000)
    for _ in range(5):
        answer = client.post(
            '/tag', content=body, headers={'content-type': 'image/png'}
        )
        assert problem(answer)[0] == 413
    wrong = {'content-type': 'image/png', 'authorization': 'Bearer wrong'}
    wrong['connection'] = 'close'
    for _ in range(5):
        answer = client.post('/tag', content=bytes(5_000_000), headers=wrong)
        assert problem(answer)[0] == 401


@pytest.mark.parametrize(
    'given', ['Bearer', 'Bearer wrong', f'Basic {KEY}', 'Bearer ä']
)
def test_a_wrong_key(connect, given):
    raw = connect()
    raw.send(head('/tag', f'Authorization: {given}', 'Content-Length: 0'))
    assert raw.answer()[0] == 401


@pytest.mark.parametrize(
    ('lines', 'body'),
    [
        (['Content-Length: -1'], b''),
        (['Content-Length: many'], b''),
        (['Content-Length: 9', 'Content-Length: 10'], b''),
        (['Content-Length: 1' + '0' * 30], b''),
        (
            ['Content-Length: 4', 'Transfer-Encoding: chunked'],
            b'4\r\nabcd\r\n0\r\n\r\n',
        ),
        (['Transfer-Encoding: gzip'], b''),
        (['Transfer-Encoding: chunked'], b'zz\r\n'),
        (['X: ' + 'a' * 100_000], b''),
        (['X: a'] * 20_000, b''),
        (['no colon'], b''),
        (['X: a\0b'], b''),
    ],
)
def test_heads_that_lie(connect, lines, body):
    raw = connect()
    raw.send(head('/tag', BEARER, 'Content-Type: image/png', *lines), body)
    assert raw.answer()[0] in (400, 413, 422, 501)


def test_what_is_not_http(connect):
    for data in (
        b'\x16\x03\x01\x02\0\x01' * 50,
        b'\0' * 100,
        b'GET\r\n\r\n',
        b'x' * 99_999,
    ):
        raw = connect()
        raw.send(data)
        status, body = raw.answer()
        assert (status, json.loads(body)['status']) == (400, 400)
        assert raw.is_closed()


def test_a_head_that_dribbles_is_ended(connect):
    raws = [connect() for _ in range(3)]
    raws[1].send(b'GET /health HTTP/1.1\r\n')
    start = time.monotonic()
    while raws[2].send(b'G') and time.monotonic() - start < 3 * HEAD_SECONDS:
        time.sleep(0.2)
    assert time.monotonic() - start < 2 * HEAD_SECONDS
    assert all(raw.is_closed() for raw in raws)


def test_a_body_that_dribbles_is_ended(connect):
    raw = connect()
    raw.send(head('/tag', BEARER, 'Content-Type: image/png', 'Content-Length: 999'))
    start = time.monotonic()
    for _ in range(2 * BODY_SECONDS):
        raw.send(b'x')
        time.sleep(0.5)
    assert raw.answer()[0] == 408
    assert raw.is_closed()
    assert time.monotonic() - start < 3 * BODY_SECONDS


def test_hanging_up_in_the_middle(connect):
    lines = [BEARER, 'Content-Type: image/png', 'Content-Length: 100000']
    for sent in (0, 1, 70_000):
        raw = connect()
        raw.send(head('/tag', *lines), bytes(sent))
        raw.socket.close()
    raw = connect()
    raw.send(head('/tag', *lines), bytes(99))
    raw.socket.shutdown(1)  # Half-closed: no more will come.
    assert raw.is_closed()


def test_connections_that_say_nothing_make_room(connect, server):
    raws = [connect() for _ in range(3 * CONNECTIONS)]
    assert httpx.get(f'{server.address}/health').is_success
    assert raws[0].is_closed()


def test_answers_that_nobody_reads(connect):
    request = head('/openapi.json', method='GET') * 50
    for _ in range(3):
        connect().send(request * 20)


def test_requests_that_do_not_wait_for_answers(connect):
    picture = head(
        '/tag',
        BEARER,
        'Content-Type: image/png',
        f'Content-Length: {len(WHOLE["png"])}',
    )
    raw = connect()
    raw.send((picture + WHOLE['png']) * 5 + head('/nope', method='GET'))
    assert [raw.answer()[0] for _ in range(6)] == [200] * 5 + [404]


@pytest.mark.parametrize(
    'method', ['PUT', 'DELETE', 'TRACE', 'CONNECT', 'PATCH', 'X' * 50]
)
def test_other_methods(connect, method):
    raw = connect()
    raw.send(head('/tag', BEARER, method=method))
    assert raw.answer()[0] == 405


PATHS = {
    'two slashes': '//tag',
    'a slash': '/tag/',
    'nan': '/tag?threshold=nan',
    'infinite': '/tag?threshold=1e999',
    'twice': '/tag?as=list&as=dict',
    'zero': '/%00',
    'long': '/' + 'a' * 9000,
    'long query': '/tag?' + 'a=b&' * 9000,
    'climbing': '/..%2f..%2fetc/passwd',
    'star': '*',
    'no integer': '/tag?top=1e9',
}


@pytest.mark.parametrize('path', PATHS.values(), ids=PATHS)
def test_odd_paths(connect, path):
    raw = connect()
    raw.send(
        head(
            path,
            BEARER,
            'Content-Type: image/png',
            f'Content-Length: {len(WHOLE["png"])}',
        ),
        WHOLE['png'],
    )
    assert raw.answer()[0] in (200, 307, 400, 404)
