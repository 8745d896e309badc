import pytest

from custom_datasets.data.names import (
    UnknownClasses,
    as_names,
    fold_class,
    nearest_class,
    read_classes,
    read_lines,
    require_class_map,
)
from custom_datasets.errors import MAX_SHOWN, AnnotationError, ConfigError, UserError

CLASSES = ('RBC', 'WBC', 'Platelets')


def test_an_unknown_class_that_looks_like_one():
    unknown = UnknownClasses(('ant', 'g\u00f6n'))
    unknown.add('go\u0308n', 'a.xml')
    assert unknown.problems() == [
        "a.xml: unknown class 'go\u0308n'; it looks like 'g\u00f6n': that is "
        r"'g\xf6n', and this 'go\u0308n'"
    ]


def test_classes_that_look_the_same_are_refused():
    with pytest.raises(ConfigError) as raised:
        read_classes(['go\u0308n', 'ant', 'g\u00f6n'])
    assert str(raised.value) == (
        r"'go\u0308n' and 'g\xf6n' look the same, "
        'go\u0308n; rename one of them'
    )


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [
        ('rbc', 'RBC'),
        ('Platelet', 'Platelets'),
        ('plate-lets', 'Platelets'),
        (' W_B C', 'WBC'),
        ('neutrophil', None),
        ('', None),
    ],
)
def test_nearest_class(name, nearest):
    assert nearest_class(name, CLASSES) == nearest


def test_nearest_class_with_underscores_in_the_known_name():
    assert nearest_class('mask weared-Incorect', ('mask_weared_incorrect',))


def test_unknown_classes_become_one_problem_a_class():
    unknown = UnknownClasses(CLASSES)
    unknown.add('rbc', 'a.xml')
    unknown.add('tree', 'a.xml')
    assert unknown.problems() == [
        "a.xml: unknown class 'rbc'; did you mean 'RBC'?",
        "a.xml: unknown class 'tree'; known: RBC, WBC, Platelets",
    ]


def test_unknown_class_in_many_files_names_some_and_counts_all():
    unknown = UnknownClasses(CLASSES)
    for index in range(9):
        unknown.add('rbc', f'{index}.xml')
        unknown.add('rbc', f'{index}.xml')
    assert unknown.problems() == [
        "0.xml: unknown class 'rbc'; did you mean 'RBC'? "
        '(18 times, also in 1.xml; 2.xml; 3.xml; 4.xml; 5.xml, ...)'
    ]


def test_a_single_name_is_not_read_as_letters():
    assert as_names('RBC') == {'RBC'}
    assert as_names(['RBC', 'WBC']) == {'RBC', 'WBC'}


@pytest.mark.parametrize(
    'content',
    [b'a b\n\nc\n', b'\xef\xbb\xbfa b\r\n\r\nc\r\n', b'  a b \t\n\n c'],
    ids=['plain', 'bom and crlf', 'spaces'],
)
def test_read_lines(tmp_path, content):
    path = tmp_path / 'list.txt'
    path.write_bytes(content)
    assert read_lines(str(path)) == [(1, 'a b'), (3, 'c')]


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'the list is empty'),
        (b' \r\n\n', 'the list is empty'),
        ('Größe'.encode('latin-1'), 'not text in UTF-8'),
        (None, 'No such file'),
    ],
)
def test_read_lines_says_what_is_wrong(tmp_path, content, reason):
    path = tmp_path / 'list.txt'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        read_lines(str(path))
    assert str(path) in str(caught.value)


def test_read_classes_from_names_and_from_a_file(tmp_path):
    path = tmp_path / 'classes.txt'
    path.write_bytes('\ufeffoil_spot\r\n\r\ncrease \r\n'.encode())
    assert read_classes(str(path)) == ('oil_spot', 'crease')
    assert read_classes(['oil_spot', 'crease']) == ('oil_spot', 'crease')
    assert read_classes([1, 2]) == ('1', '2')


@pytest.mark.parametrize(
    ('source', 'reason'),
    [
        ([], 'empty'),
        (['a', ' '], 'empty name'),
        (['a', 'b', 'a'], 'a appears twice'),
        (['a', 'b\u200b'], r"'b\\u200b' is not a class name"),
        ('no/such/file.txt', 'no such class list'),
        (1, '^classes=1: needs a list of names, or the path'),
        (True, 'needs a list of names'),
        ({'a': 1}, 'needs a list of names'),
        ([['a', 'b']], 'needs a list of names'),
        (['a', None], 'needs a list of names'),
    ],
)
def test_read_classes_refuses(source, reason):
    with pytest.raises(ConfigError, match=reason):
        read_classes(source)


def test_read_classes_refuses_an_empty_file(tmp_path):
    path = tmp_path / 'classes.txt'
    path.write_text('\n')
    with pytest.raises(ConfigError, match='empty'):
        read_classes(str(path))


def test_annotation_error_lists_problems_and_counts_the_rest():
    one = AnnotationError('set', ['a.xml: broken'])
    assert str(one) == 'set: 1 problem\n  a.xml: broken'
    many = AnnotationError('set', [f'{i}.xml: broken' for i in range(MAX_SHOWN + 7)])
    assert len(many.problems) == MAX_SHOWN + 7
    assert str(many).startswith(f'set: {MAX_SHOWN + 7} problems\n  0.xml')
    assert str(many).endswith('99.xml: broken\n  ... and 7 more')


@pytest.mark.parametrize(
    ('name', 'folded'),
    [('cat', 'animal'), ('dog', 'dog'), ('tree', 'tree'), ('stone', 'stone')],
)
def test_a_map_without_a_star_leaves_other_names(name, folded):
    assert fold_class(name, {'cat': 'animal'}, {'dog', 'tree'}) == folded


@pytest.mark.parametrize(
    ('name', 'folded'),
    [('cat', 'animal'), ('dog', 'dog'), ('tree', 'tree'), ('stone', 'thing')],
)
def test_a_star_takes_what_has_no_other_place(name, folded):
    class_map = {'cat': 'animal', '*': 'thing'}
    assert fold_class(name, class_map, {'dog', 'tree'}) == folded


def test_a_map_may_exchange_two_names():
    class_map = {'cat': 'dog', 'dog': 'cat'}
    assert [fold_class(n, class_map, ('cat', 'dog')) for n in ('cat', 'dog')] == [
        'dog',
        'cat',
    ]


def test_a_map_into_no_class_is_an_error():
    require_class_map({'cat': 'animal', '*': 'thing'}, ('animal', 'thing'))
    with pytest.raises(
        ConfigError, match="'cat' becomes 'animl', which is not a class"
    ):
        require_class_map({'dog': 'animal', 'cat': 'animl'}, ('animal',))
