"""Uploads that mean harm: broken images, bombs, and bytes that are hardly HTTP."""

import io
import socket
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

HUGE = 40_000
"""Pixels a side that a header claims, with few bytes behind it."""


def photo(kind: str, size: tuple[int, int] = (64, 48), **settings: object) -> bytes:
    """Return noise as an image file."""
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind, **settings)
    return file.getvalue()


WHOLE = {
    'jpeg': photo('JPEG'),
    'png': photo('PNG'),
    'webp': photo('WEBP'),
    'gif': photo('GIF'),
    'bmp': photo('BMP'),
    'tiff': photo('TIFF'),
    'ppm': photo('PPM'),
}
TRUNCATED = {name: data[: len(data) // 2] for name, data in WHOLE.items()}


def chunk(kind: bytes, data: bytes, damage: int = 0) -> bytes:
    crc = zlib.crc32(kind + data) ^ damage
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', crc)


def png(
    width: int, height: int, pixels: bytes = b'', before: bytes = b'', depth: int = 8
) -> bytes:
    """Return a PNG that claims a size, in gray, whatever pixels it has."""
    header = struct.pack('>IIBBBBB', width, height, depth, 0, 0, 0, 0)
    start = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + before
    return start + chunk(b'IDAT', zlib.compress(pixels, 9)) + chunk(b'IEND', b'')


def tiff(width: int, height: int, tags: dict[int, tuple[int, int, int]]) -> bytes:
    """Return a TIFF of gray pixels that are not there."""
    strip = {273: (4, 1, 300), 278: (4, 1, height), 279: (4, 1, 100)}
    size = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1)}
    tags = {**size, 262: (3, 1, 1), 277: (3, 1, 1), **strip, **tags}
    rows = b''.join(struct.pack('<HHII', tag, *tags[tag]) for tag in sorted(tags))
    head = b'II*\0' + struct.pack('<IH', 8, len(tags)) + rows + bytes(4)
    return head.ljust(400, b'\0')


def _patched(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    place = data.index(mark) + offset
    return data[:place] + value + data[place + len(value) :]


def _many_frames(count: int) -> bytes:
    data = photo('GIF', (1, 1))
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:start] + data[start:-1] * count + b';'


def _radiance(side: int) -> bytes:
    """Return an HDR whose rows are run lengths: a kilobyte says millions of pixels."""
    row = b'\2\2' + struct.pack('>H', side) + (b'\xff\0' * (side // 127 + 1)) * 4
    head = f'#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {side} +X {side}\n'
    return head.encode() + row * side


_SQUARE = struct.pack('>HH', HUGE, HUGE)
_COMPRESSED_ZEROS = b'a\0\0' + zlib.compress(bytes(50_000_000), 9)
BOMBS = {
    'png': png(HUGE, HUGE),
    'png with pixels': png(HUGE, HUGE, bytes(HUGE // 8 * 2000), depth=1),
    'png that Pillow refuses': png(
        16_000, 16_000, bytes(16_001 * 4000), chunk(b'tEXt', b'a\0b', damage=1)
    ),
    'png with other chunks': png(8, 8, before=chunk(b'zTXt', _COMPRESSED_ZEROS)),
    'png with a profile': png(8, 8, before=chunk(b'iCCP', _COMPRESSED_ZEROS)),
    'jpeg': _patched(photo('JPEG'), b'\xff\xc0', 5, _SQUARE),
    'webp': _patched(photo('WEBP'), b'\x9d\x01\x2a', 3, b'\xff\x3f\xff\x3f'),
    'gif': _patched(photo('GIF'), b'GIF8', 6, b'\xff' * 4),
    'bmp': _patched(photo('BMP'), b'BM', 18, struct.pack('<ii', HUGE, HUGE)),
    'tiff': tiff(HUGE, HUGE, {}),
    'tiff of a tile': tiff(
        64, 64, {322: (4, 1, 1 << 20), 323: (4, 1, 1 << 20), 324: (4, 1, 300)}
    ),
    'tiff of strips': tiff(64, 64, {273: (4, 1 << 28, 300), 279: (4, 1 << 28, 300)}),
    'tiff of samples': tiff(8000, 8000, {277: (3, 1, 60_000)}),
    'ppm': b'P6 %d %d 255\n' % (HUGE, HUGE) + bytes(100),
    'ppm in words': b'P3 %d %d 255\n' % (HUGE, HUGE) + b'0 ' * 100,
    'hdr': _radiance(10_000),
    'pfm': b'PF\n%d %d\n-1.0\n' % (20_000, 20_000) + bytes(100),
    'pam': b'P7\nWIDTH 20000\nHEIGHT 20000\nDEPTH 3\nMAXVAL 255\nENDHDR\n',
    'ras': struct.pack('>8I', 0x59A66A95, 20_000, 20_000, 24, 100, 1, 0, 0) + bytes(99),
    'psd': b'8BPS' + struct.pack('>H6sHIIHH', 1, b'', 3, 30_000, 30_000, 8, 3),
    'eps': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n',
    'ico': b'\0\0\1\0\1\0\0\0\0\0\1\0\x20\0'
    + struct.pack('<II', 60, 22)
    + png(HUGE, 9),
}
"""Files that would fill the memory, or run something, if they were decoded."""

ODD = {
    'nothing': b'',
    'text': b'no image',
    'zeros': bytes(100_000),
    'zip': b'PK\3\4' + bytes(100),
    'pointer': b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
    'svg': b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>',
    'heic': b'\0\0\0\x18ftypheic' + bytes(100),
    'no pixels': png(0, 0),
    'start only': b'\xff\xd8',
    'start and end': b'\xff\xd8\xff\xd9',
}
FRAMES = _many_frames(20_000)
"""A GIF of one pixel that is a film; its first picture counts."""

NAMES = [
    'a\r\nX-Evil: 1.png',
    'a\0b.png',
    '\x1b[31mred.png',
    '../../etc/passwd',
    'ä' * 999,
]


def form(images: dict[str, bytes], field: str = 'image') -> tuple[str, bytes]:
    """Return the type and the body of a form, with names as they are."""
    body = b''
    for name, data in images.items():
        body += (
            f'--edge\r\nContent-Disposition: form-data; name="{field}"; '
            f'filename="{name}"\r\n\r\n'.encode()
            + data
            + b'\r\n'
        )
    return 'multipart/form-data; boundary=edge', body + b'--edge--\r\n'


def head(path: str, *lines: str, method: str = 'POST') -> bytes:
    """Return the head of a request."""
    rows = [f'{method} {path} HTTP/1.1', 'Host: here', *lines, '', '']
    return '\r\n'.join(rows).encode('latin-1')


class Raw:
    """A connection on which one may say anything."""

    def __init__(self, port: int, seconds: float = 20) -> None:
        """Connect."""
        self.socket = socket.create_connection(('127.0.0.1', port), seconds)
        self.file = self.socket.makefile('rb')

    def __enter__(self) -> 'Raw':
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Hang up."""
        self.file.close()
        self.socket.close()

    def send(self, *parts: bytes) -> bool:
        """Send, and tell whether the other side still took it."""
        try:
            for part in parts:
                self.socket.sendall(part)
        except (ConnectionResetError, BrokenPipeError):
            return False
        return True

    def answer(self) -> tuple[int, bytes]:
        """Return the status and the body of the next answer; 0 where there is none."""
        try:
            first = self.file.readline()
            if not first:
                return 0, b''
            length = 0
            for line in iter(self.file.readline, b'\r\n'):
                name, _, value = line.partition(b':')
                if name.lower() == b'content-length':
                    length = int(value)
            return int(first.split()[1]), self.file.read(length)
        except ConnectionResetError:
            return 0, b''

    def is_closed(self) -> bool:
        """Wait for the other side to hang up; False where it does not in time."""
        try:
            return self.file.read(1) == b''
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def chunked(megabytes: int) -> Iterator[bytes]:
    """Return the chunks of a body whose size is not said."""
    block = b'100000\r\n' + bytes(1 << 20) + b'\r\n'
    for _ in range(megabytes):
        yield block
    yield b'0\r\n\r\n'


def resident(pid: int, row: str = 'VmRSS') -> float:
    """Return megabytes that a process has, or had at most: ``VmHWM``."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(row))
    return int(line.split()[1]) / 1024


def forget_peak(pid: int) -> None:
    """Let ``VmHWM`` begin anew (see proc(5), clear_refs)."""
    Path(f'/proc/{pid}/clear_refs').write_text('5')
