import pytest

from custom_datasets.data.records import BoxRecord
from custom_datasets.data.voc import VOCFile, clip_box, looks_like_voc, read_voc_file

BOX = '<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>'


def obj(box=BOX, name='<name>RBC</name>', rest=''):
    return f'<object>{name}<bndbox>{box}</bndbox>{rest}</object>'


def parse(tmp_path, text, encoding='utf-8'):
    path = tmp_path / 'a.xml'
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return read_voc_file(str(path))


def parse_body(tmp_path, body):
    return parse(tmp_path, f'<annotation>{body}</annotation>')


def test_plain_file(tmp_path):
    head = '<filename>a.png</filename><size><width>64</width><height>48</height></size>'
    assert parse_body(tmp_path, head + obj() + obj()) == VOCFile(
        (
            BoxRecord(0, 'RBC', (1, 2, 30, 40)),
            BoxRecord(1, 'RBC', (1, 2, 30, 40)),
        ),
        (64, 48),
        'a.png',
    )


def test_children_in_any_order_floats_and_spaces(tmp_path):
    body = (
        '<object><difficult> 1 </difficult><bndbox> <ymax>40.25</ymax>'
        '<xmax> 3e1 </xmax><ymin>2</ymin>\n<xmin>-1.5</xmin></bndbox>'
        '<part><name>wheel</name><bndbox><xmin>9</xmin></bndbox></part>'
        '<name>\n RBC </name></object>'
        '<size><depth>3</depth><height>48.0</height><width>64</width></size>'
        '<filename> a b.png\n</filename>stray text'
    )
    assert parse_body(tmp_path, body) == VOCFile(
        (BoxRecord(0, 'RBC', (-1.5, 2, 30, 40.25), True),), (64, 48), 'a b.png'
    )


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('0', False),
        ('', False),
        ('Unspecified', False),
        ('false', False),
        ('1', True),
        (' 1\n', True),
        ('True', True),
        ('yes', True),
    ],
)
def test_difficult(tmp_path, text, expected):
    rest = f'<difficult>{text}</difficult>'
    (box,) = parse_body(tmp_path, obj(rest=rest)).boxes
    assert box.difficult is expected


def test_difficult_may_be_absent(tmp_path):
    assert parse_body(tmp_path, obj()).boxes[0].difficult is False


@pytest.mark.parametrize(
    'size',
    [
        '',
        '<size/>',
        '<size><width>0</width><height>48</height></size>',
        '<size><width>64</width></size>',
        '<size><width>64</width><height>-1</height></size>',
        '<size><width>wide</width><height>48</height></size>',
        '<size><width>inf</width><height>48</height></size>',
        '<size><width>nan</width><height>48</height></size>',
        '<size><width/><height>48</height></size>',
    ],
)
def test_size_that_says_nothing(tmp_path, size):
    assert parse_body(tmp_path, size).size is None


def test_filename_may_be_absent_or_empty(tmp_path):
    assert parse_body(tmp_path, '').filename is None
    assert parse_body(tmp_path, '<filename> </filename>').filename is None


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'latin-1'])
def test_encodings(tmp_path, encoding):
    declared = {'utf-8-sig': 'utf-8'}.get(encoding, encoding)
    text = (
        f'<?xml version="1.0" encoding="{declared}"?>'
        f'<annotation>{obj(name="<name>Größe</name>")}</annotation>'
    )
    assert parse(tmp_path, text, encoding).boxes[0].name == 'Größe'


@pytest.mark.parametrize(
    'text',
    [
        f'<annotation xmlns="http://voc">{obj()}</annotation>',
        '<v:annotation xmlns:v="http://voc">'
        + obj().replace('</', '</v:').replace('<', '<v:').replace('<v:/v:', '</v:')
        + '</v:annotation>',
    ],
    ids=['default', 'prefixed'],
)
def test_namespaces_hide_no_object(tmp_path, text):
    assert parse(tmp_path, text).boxes == (BoxRecord(0, 'RBC', (1, 2, 30, 40)),)


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b' \n',
        b'<annotation><object>',
        b'<annotation/><annotation/>',
        b'no xml',
        '<annotation><name>Größe</name></annotation>'.encode('latin-1'),
        b'<?xml version="1.0" encoding="gbk"?><annotation/>',
        b'<?xml version="1.0" encoding="nonsense"?><annotation/>',
        b'\x89PNG\r\n\x1a\n\0\0',
    ],
)
def test_broken_xml(tmp_path, content):
    ((text, index),) = parse(tmp_path, content).broken
    assert text.startswith('broken XML') and index is None


@pytest.mark.parametrize(
    ('content', 'is_voc'),
    [
        ('<annotation/>', True),
        (f'<?xml version="1.0"?>\n<!--{9000 * " "}-->\n<annotation/>', True),
        ('<!DOCTYPE annotation [<!ENTITY a "b">]><annotation/>', True),
        ('<v:annotation xmlns:v="http://voc"/>', True),
        # Broken, and yet meant as one.
        ('\n<?xml version="1.0"?><annotation/>', True),
        ('<v:annotation/>', True),
        ('<?xml version="1.0" encoding="cp949"?><annotation/>', True),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', True),
        ('<annotation', False),
        ('<annotations/>', False),
        ('<!-- <annotation/> --><readme/>', False),
        ('<readme><annotation/></readme>', False),
        ('', False),
    ],
)
def test_what_looks_like_voc(tmp_path, content, is_voc):
    (tmp_path / 'a.xml').write_text(content)
    assert looks_like_voc(str(tmp_path / 'a.xml')) == is_voc


def test_file_that_is_missing_or_a_folder(tmp_path):
    for path in (tmp_path / 'nothing.xml', tmp_path):
        ((text, _),) = read_voc_file(str(path)).broken
        assert text.startswith('cannot be read')


@pytest.mark.parametrize(
    ('body', 'reason'),
    [
        (obj(BOX.replace('<xmin>1</xmin>', '')), 'without four finite'),
        (obj(BOX.replace('<xmin>1', '<xmin>')), 'not a number'),
        (obj(BOX.replace('<xmin>1', '<xmin>inf')), 'without four finite'),
    ],
)
def test_malformed_object(tmp_path, body, reason):
    ((text, index),) = parse_body(tmp_path, body).broken
    assert reason in text and index == 0


@pytest.mark.parametrize(
    ('box', 'one_based', 'expected'),
    [
        ((1, 1, 64, 48), True, ((0, 0, 64, 48), False)),
        ((0, 0, 64, 48), False, ((0, 0, 64, 48), False)),
        ((2, 3, 10, 12), True, ((1, 2, 10, 12), False)),
        ((2.5, 3, 10, 12.5), False, ((2.5, 3, 10, 12.5), False)),
        ((0, 1, 65, 48), True, ((0, 0, 64, 48), True)),
        ((-5, -5, 70, 50), False, ((0, 0, 64, 48), True)),
        ((60, 40, 70, 44), False, ((60, 40, 64, 44), True)),
        ((5, 5, 5, 9), True, (None, False)),
        ((5, 9, 7, 9), True, (None, False)),
        ((9, 5, 5, 9), False, (None, False)),
        ((64, 5, 70, 9), False, (None, True)),
        ((65, 5, 70, 9), True, (None, True)),
        ((-9, 5, 0, 9), False, (None, True)),
        ((5, 5, 4.75, 9), True, ((4, 4, 4.75, 9), False)),
        ((5, 5, 4.75, 9), False, (None, False)),
        ((5, 5, 4, 9), True, (None, False)),
        ((5, -9, 9, -1), True, (None, True)),
        ((5, 48, 9, 60), False, (None, True)),
    ],
)
def test_clip_box(box, one_based, expected):
    assert clip_box(box, (64, 48), one_based) == expected
