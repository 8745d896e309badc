"""The demo in a browser: `make test-browser`."""

import os
import shutil
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from tests.predicting.conftest import CLASSES, LEAF, WASTE
from tests.serving.processes import PATIENCE, Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif('BROWSER' not in os.environ, reason='BROWSER names no Chromium'),
]

FLAGS = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
]
KEPT_SECONDS = 20
"""In which an upload must be gone."""


@pytest.fixture(scope='module')
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which(os.environ['BROWSER']), args=FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture(scope='module')
def uploads(tmp_path_factory):
    """The folder in which each demo makes its own."""
    return tmp_path_factory.mktemp('uploads')


@pytest.fixture(scope='module')
def detecting(detector, uploads, bccd_root, tmp_path_factory):
    """A detector's page with three pictures of its test set."""
    root = tmp_path_factory.mktemp('data') / 'drinks'
    shutil.copytree(bccd_root, root)
    for path in root.rglob('*.xml'):
        text = path.read_text('utf-8')
        for cell, drink in zip(('RBC', 'WBC', 'Platelets'), CLASSES, strict=True):
            text = text.replace(f'<name>{cell}</name>', f'<name>{drink}</name>')
        path.write_text(text, 'utf-8')
    data = (f'data_root={root}', f'classes=[{",".join(CLASSES)}]')
    arguments = (LEAF, '--checkpoint', detector, '--with-api', '--examples', '3')
    with start(uploads, *arguments, '--cfg-options', *data) as server:
        yield f'{server.address}/demo/'


@pytest.fixture(scope='module')
def classifying(classifier, uploads, tmp_path_factory):
    advice = tmp_path_factory.mktemp('advice') / 'advice.yaml'
    advice.write_text(
        'coffee:\n  en: {sort: Empty it., becomes: New cups.}\n'
        '  ko: {sort: 비워 주세요., becomes: 새 컵}\n',
        encoding='utf-8',
    )
    arguments = (WASTE, '--checkpoint', classifier, '--advice', advice)
    with start(uploads, *arguments) as server:
        yield server.address + '/'


def start(uploads, *arguments):
    server = Server(*arguments, tool='demo_app.py', env={'TMPDIR': str(uploads)})
    server.wait_for(lambda: ' answers; ' in server.log)
    return server


@pytest.fixture
def visit(chromium):
    """Open a page; in the end, all of it came from its host and no script failed."""
    contexts, asked, failures = [], [], []

    def open_page(address, language='en-US', width=1280):
        context = chromium.new_context(
            locale=language,
            viewport={'width': width, 'height': 900},
            permissions=['camera'],
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on('request', lambda request: asked.append(request.url))
        page.on('pageerror', lambda error: failures.append(error))
        page.goto(address)
        page.locator('h1 + p').wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert len(asked) > 50
    near = ('http://127.0.0.1:', 'data:', 'blob:http://127.0.0.1:')
    assert not [url for url in asked if not url.startswith(near)]
    assert not failures


def upload(page, photo):
    page.locator('input[type=file]').first.set_input_files(photo)
    page.locator('.block.painted:visible img').wait_for()
    return page.locator('.block.painted:visible')


def says(place, text):
    place.filter(has_text=text).wait_for()


def test_upload_threshold_and_download(visit, detecting, photo):
    page = visit(detecting)
    shown = upload(page, photo)
    says(shown, 'coffee: ')
    assert 'coffee: ' in shown.get_by_role('img').get_attribute('alt')
    says(page.get_by_role('tabpanel').first, 'Best score of each class')
    with page.expect_download() as download:
        shown.get_by_role('link', name='Download the painted picture').click()
    assert download.value.suggested_filename == 'photo-painted.jpg'
    painted = Image.open(BytesIO(Path(download.value.path()).read_bytes()))
    assert painted.format == 'JPEG' and min(painted.size) > 60
    slider = page.get_by_role('slider', name='Threshold')
    assert slider.input_value() == '0.3'
    slider.focus()
    slider.press('End')
    says(shown, 'Nothing reaches the threshold 1.')


def test_an_example_fills_the_picture(visit, detecting):
    page = visit(detecting)
    example = page.get_by_role('button', name='Example 2: ')
    example.focus()
    page.keyboard.press('Enter')
    page.locator('.block.painted:visible img').wait_for()
    picture = page.locator('[data-testid=image] img, .image-frame img').first
    assert picture.get_attribute('src').startswith('data:image/png;base64,')
    assert picture.evaluate('image => image.naturalWidth') == 96


def test_what_is_no_picture_is_said(visit, detecting, tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(b'no image')
    page = visit(detecting)
    page.locator('input[type=file]').first.set_input_files(path)
    says(page.get_by_role('alert'), 'The picture cannot be used: it is not an image')


def test_korean_on_a_narrow_screen(visit, classifying, photo):
    page = visit(classifying, 'ko-KR', 390)
    assert page.evaluate('document.documentElement.lang') == 'ko'
    shown = upload(page, photo)
    says(shown, 'coffee, 67%')
    # The answer is below the picture, and comes into view.
    page.wait_for_function('scrollY > 100')
    box = shown.bounding_box()
    assert box['y'] >= 0 and box['y'] + box['height'] <= 900
    page.get_by_role('link', name='결과 사진 내려받기').wait_for()
    says(page.locator('.block.advice:visible'), '비워 주세요.')
    page.get_by_role('slider', name='기준 점수').wait_for()
    page.get_by_text('분류별 확률').locator('visible=true').wait_for()
    for tab in ('사진 올리기', '웹캠'):
        page.get_by_role('tab', name=tab).click()
        wide = page.evaluate('document.documentElement.scrollWidth')
        assert wide <= 390, tab


def test_advice_on_a_small_picture_is_seen_at_once(visit, classifying, tmp_path):
    path = tmp_path / 'photo.png'
    Image.new('RGB', (200, 200), 'green').save(path)
    page = visit(classifying)
    upload(page, path)
    advice = page.locator('.block.advice:visible')
    says(advice, 'Empty it.')
    box = advice.bounding_box()
    assert box['y'] + box['height'] < 900 and page.evaluate('scrollY') == 0


def open_camera(page, tab):
    page.get_by_role('tab', name='Webcam').click()
    page.get_by_role('tab', name=tab).click()
    page.get_by_text('Click to Access Webcam').locator('visible=true').click()
    page.locator('video:visible').evaluate(
        'video => video.videoWidth || new Promise((go) => video.onplaying = go)'
    )
    return page.locator('button[aria-label="capture photo"]:visible')


def test_a_live_webcam_is_answered_again_and_again(visit, classifying, uploads):
    page = visit(classifying)
    # The uploads of other tests may still be there.
    before = set(uploads.rglob('*.*'))
    open_camera(page, 'Live').click()
    image = page.locator('.block.painted:visible img')
    image.wait_for()
    sources = set()
    end = time.monotonic() + PATIENCE
    while len(sources) < 3 and time.monotonic() < end:
        sources.add(image.get_attribute('src'))
        page.wait_for_timeout(100)
    assert len(sources) == 3
    says(page.locator('.block.advice:visible'), 'Empty it.')
    page.get_by_text('Stop', exact=True).click()
    assert set(uploads.rglob('*.*')) <= before


def test_one_picture_of_the_webcam(visit, classifying):
    page = visit(classifying)
    open_camera(page, 'One picture').click()
    says(page.locator('.block.painted:visible'), 'coffee, 67%')
    page.get_by_role('slider', name='Threshold').focus()
    page.keyboard.press('End')
    says(page.locator('.block.painted:visible'), 'Nothing reaches the threshold 1.')


def test_an_upload_is_soon_gone_and_the_threshold_still_works(
    visit, classifying, photo, uploads
):
    page = visit(classifying)
    shown = upload(page, photo)
    end = time.monotonic() + KEPT_SECONDS
    while any(path.is_file() for path in uploads.rglob('*')):
        assert time.monotonic() < end
        page.wait_for_timeout(200)
    page.get_by_role('slider', name='Threshold').focus()
    page.keyboard.press('End')
    says(shown, 'Nothing reaches the threshold 1.')


def test_a_page_that_is_open_does_not_hold_the_server(
    visit, classifier, photo, uploads
):
    before = set(uploads.iterdir())
    with start(uploads, WASTE, '--checkpoint', classifier) as server:
        page = visit(server.address + '/')
        upload(page, photo)
        assert set(uploads.iterdir()) > before
        began = time.monotonic()
        assert server.stop() == 0
        # Its requests may take 30 s and more.
        assert time.monotonic() - began < 20
        assert set(uploads.iterdir()) == before
