"""What the script of a page does, in a browser: `make test-browser`."""

import os

import pytest

from custom_datasets.pages.run_page import render_run
from tests.pages.browser import browser
from tests.pages.drawn import draw_content

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif('BROWSER' not in os.environ, reason='BROWSER names no Chromium'),
]

FORM = "document.querySelector('#worst form.choice')"
SHOWN = "document.querySelectorAll('#worst [data-class]:not(.left-out)').length"
DIALOG = "document.querySelector('dialog.enlarged')"


@pytest.fixture(scope='module')
def open_tab(tmp_path_factory):
    with browser(os.environ['BROWSER'], tmp_path_factory.mktemp('profile')) as open_url:
        yield open_url


@pytest.fixture(scope='module')
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp('page')
    path = folder / 'report.html'
    path.write_bytes(render_run(draw_content(folder)))
    return path


@pytest.fixture
def page(open_tab, file):
    return open_tab(file.as_uri())


def choose(page, field, value):
    page.run(
        f'{FORM}.elements.{field}.value = {value!r};'
        f"{FORM}.dispatchEvent(new Event('input'))"
    )


def press(page, key):
    page.run(f"{DIALOG}.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}'}}))")


def test_a_class_and_a_score_choose_the_boxes(page):
    assert page.run(f'{FORM}.hidden') is False
    choose(page, 'score', '0')
    every = page.run(SHOWN)
    choose(page, 'score', '1')
    # What is annotated has no score.
    annotated = page.run(SHOWN)
    assert 0 < annotated < every
    assert page.run(f"{FORM}.querySelector('output').value") == '1.000'
    choose(page, 'score', '0')
    name = page.run(f'{FORM}.elements.class.options[1].value')
    choose(page, 'class', name)
    kept = f'{SHOWN.removesuffix(".length")}'
    classes = page.run(f'[...new Set([...{kept}].map((box) => box.dataset.class))]')
    assert classes == [name]


def test_a_higher_score_makes_found_objects_missed(page):
    missed = "document.querySelectorAll('#worst .verdict-missed').length"
    choose(page, 'score', '0')
    before = page.run(missed)
    choose(page, 'score', '1')
    assert page.run(missed) > before


def test_a_click_enlarges_and_keys_lead_on(page):
    assert not page.run(f'{DIALOG}.open')
    labels = page.run(
        "[...document.querySelectorAll('svg.picture')].slice(0, 2)"
        ".map((picture) => picture.getAttribute('aria-label'))"
    )
    page.run(
        "document.querySelector('svg.picture')"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert page.run(f'{DIALOG}.open') is True
    said = f"{DIALOG}.querySelector('p').textContent"
    assert page.run(said) == labels[0]
    press(page, 'ArrowRight')
    assert page.run(said) == labels[1]
    press(page, 'ArrowLeft')
    assert page.run(said) == labels[0]
    page.run(f'{DIALOG}.click()')
    assert page.run(f'{DIALOG}.open') is False
