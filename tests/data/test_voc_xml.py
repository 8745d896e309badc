import pytest

from custom_datasets.data.voc import clip_box, parse_voc_xml
from custom_datasets.errors import UserError

BOX = '<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>'


def obj(box=BOX, name='<name>RBC</name>', rest=''):
    return f'<object>{name}<bndbox>{box}</bndbox>{rest}</object>'


def parse(tmp_path, text, encoding='utf-8'):
    path = tmp_path / 'a.xml'
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return parse_voc_xml(str(path))


def parse_body(tmp_path, body):
    return parse(tmp_path, f'<annotation>{body}</annotation>')


def test_plain_file(tmp_path):
    head = '<filename>a.png</filename><size><width>64</width><height>48</height></size>'
    assert parse_body(tmp_path, head + obj() + obj()) == (
        'a.png',
        (64, 48),
        (('RBC', (1, 2, 30, 40), False),) * 2,
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
    assert parse_body(tmp_path, body) == (
        'a b.png',
        (64, 48),
        (('RBC', (-1.5, 2, 30, 40.25), True),),
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
    ((_, _, difficult),) = parse_body(tmp_path, obj(rest=rest)).objects
    assert difficult is expected


def test_difficult_may_be_absent(tmp_path):
    assert parse_body(tmp_path, obj()).objects[0][2] is False


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
    assert parse(tmp_path, text, encoding).objects[0][0] == 'Größe'


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
    assert parse(tmp_path, text).objects == (('RBC', (1, 2, 30, 40), False),)


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
    with pytest.raises(UserError, match='broken XML'):
        parse(tmp_path, content)


def test_file_that_is_missing_or_a_folder(tmp_path):
    with pytest.raises(UserError, match='cannot be read'):
        parse_voc_xml(str(tmp_path / 'nothing.xml'))
    with pytest.raises(UserError, match='cannot be read'):
        parse_voc_xml(str(tmp_path))


def test_another_kind_of_xml_is_not_an_image_without_objects(tmp_path):
    with pytest.raises(UserError, match='root is <annotations>, not <annotation>'):
        parse(tmp_path, '<annotations><image/></annotations>')


@pytest.mark.parametrize(
    ('body', 'reason'),
    [
        (obj(name=''), 'object 0: no <name>'),
        (obj(name='<name> </name>'), 'object 0: no <name>'),
        ('<object><name>RBC</name></object>', 'object 0: RBC has no <bndbox>'),
        (obj(BOX.replace('<xmin>1</xmin>', '')), 'without four finite'),
        (obj(BOX.replace('<xmin>1', '<xmin>')), 'no number'),
        (obj(BOX.replace('<xmin>1', '<xmin>1,5')), 'no number'),
        (obj(BOX.replace('<xmin>1', '<xmin>NaN')), 'without four finite'),
        (obj(BOX.replace('<xmin>1', '<xmin>inf')), 'without four finite'),
    ],
)
def test_malformed_object(tmp_path, body, reason):
    with pytest.raises(UserError, match=reason):
        parse_body(tmp_path, body)


def test_all_malformed_objects_are_named(tmp_path):
    body = obj(name='') + obj() + '<object><name>WBC</name></object>'
    with pytest.raises(UserError) as caught:
        parse_body(tmp_path, body)
    assert str(caught.value) == 'object 0: no <name>; object 2: WBC has no <bndbox>'


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
        ((5, -9, 9, -1), True, (None, True)),
        ((5, 48, 9, 60), False, (None, True)),
    ],
)
def test_clip_box(box, one_based, expected):
    assert clip_box(box, (64, 48), one_based) == expected
