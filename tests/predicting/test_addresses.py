"""What addresses are called without their secrets, and images at them."""

import urllib.parse

import pytest

from custom_datasets.errors import ImageError
from custom_datasets.predicting import addresses
from custom_datasets.predicting.addresses import fetch_image, public_text
from tests.predicting.videos import image_bytes, send, serve


def test_an_address_with_a_space_or_hangul_is_fetched():
    asked = []

    def answer(handler):
        asked.append(handler.path)
        send(handler, 'image/png', image_bytes(2))

    with serve(answer) as address:
        fetched = fetch_image(f'{address}/a b%20/진체.png?of=a b&c=%41')

    assert fetched == image_bytes(2)
    quoted = urllib.parse.quote('진체')
    assert asked == [f'/a%20b%20/{quoted}.png?of=a%20b&c=%41']


@pytest.mark.parametrize(
    ('text', 'public'),
    [
        ('http://admin:S3CRET@host/cam.png', 'http://host/cam.png'),
        ('RTSP://me:p@ss@[::1]:554/live?key=S3CRET#top', 'RTSP://[::1]:554/live'),
        ('http://host/@me/a.png', 'http://host/@me/a.png'),
        ('http://me:S3/CRET@host/cam.png?key=1', 'http://host/cam.png'),
        ('http://me:S3?CRET@host/cam.png', 'http://host/cam.png'),
        ('http://me:S3#CRET@host:80/cam.png', 'http://host:80/cam.png'),
        ('http://me:[S3CRET@host/cam.png', 'http://host/cam.png'),
        ('http://[::1/x.png?key=S3CRET', 'http://[::1/x.png'),
        ('in/me:a@b?.png', 'in/me:a@b?.png'),
        ('0', '0'),
        ('', ''),
    ],
)
def test_what_may_be_stored_has_neither_user_password_nor_query(text, public):
    assert public_text(text) == public


def test_an_image_at_an_address_may_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(addresses, 'MAX_BYTES', 100)

    with serve(lambda handler: send(handler, 'image/png', bytes(101))) as address:
        with pytest.raises(ImageError, match='more than 100 bytes'):
            fetch_image(f'{address}/a.png')
