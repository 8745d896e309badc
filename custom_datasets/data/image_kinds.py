"""Which files are images: their suffixes, first and last bytes, and largest size."""

IMAGE_SUFFIXES = (
    *('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp'),
    *('.gif', '.ppm', '.pgm', '.pbm', '.pnm'),
)
"""Suffixes, in lower case, of what counts as an image."""

STARTS = {
    b'\xff\xd8': 'JPEG',
    b'\x89PNG': 'PNG',
    b'RIFF': 'WEBP',
    b'GIF8': 'GIF',
    b'BM': 'BMP',
    b'II*\0': 'TIFF',
    b'MM\0*': 'TIFF',
    **{b'P%d%c' % (kind, c): 'PPM' for kind in range(1, 7) for c in b' \t\n\r'},
}
"""How the files of each kind of image begin; PPM is Pillow's name for all of
Netpbm's, plain and raw."""

MAX_PIXELS = 64 << 20
"""Larger images are not decoded, so that memory stays below 1 GB."""

ENDS = {b'\xff\xd8': b'\xff\xd9', b'\x89PNG': b'IEND'}
"""The marks of the end, by the start: JPEG's (ITU-T T.81, B.2.1), PNG's."""

HEIC_BRANDS = (b'heic', b'heix', b'heim', b'heis', b'mif1', b'msf1')
"""What follows ``ftyp`` in an image of HEIF (ISO/IEC 23008-12)."""
