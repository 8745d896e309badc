"""Advice per class: what is read of a file, and what is said of a broken one."""

from unicodedata import normalize

import pytest
import yaml

from custom_datasets.data.advice import (
    AdviceText,
    match_advice,
    read_advice,
    spare_entries,
)
from custom_datasets.errors import UserError
from tests.leaves import ROOT

ENTRY = {
    'en': {'sort': 'Rinse it.', 'becomes': 'Glass.'},
    'ko': {'sort': '헹궈 주세요.', 'becomes': '유리가 됩니다.'},
}


@pytest.fixture
def write(tmp_path):
    """Write a file of advice, from text, bytes or entries; return its path."""

    def write_file(content):
        path = tmp_path / 'advice.yaml'
        if not isinstance(content, (str, bytes)):
            content = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def changed(place, value=None):
    """Return a file's entries with one key of the path set, or without it."""
    *way, key = place.split('.')
    entries = {'glass': {name: dict(texts) for name, texts in ENTRY.items()}}
    node = entries
    for step in way:
        node = node[step]
    if value is None:
        del node[key]
    else:
        node[key] = value
    return entries


def test_each_class_has_its_texts_in_both_languages(write):
    text = (
        '\ufeff# A comment.\n'
        'no:\n'
        '  ko: {becomes: 유리가 됩니다., sort: 헹궈 주세요.}\n'
        '  en:\n'
        '    sort: >-\n      Rinse it:\n      and dry it.\n'
        '    becomes: "2 "\n'
    )
    advice = read_advice(write(text))
    assert list(advice) == ['no']
    assert advice['no'].en == AdviceText(sort='Rinse it: and dry it.', becomes='2')
    assert advice['no'].ko == AdviceText(sort='헹궈 주세요.', becomes='유리가 됩니다.')


@pytest.mark.parametrize(
    ('language', 'expected'),
    [
        *(('ko', 'ko'), ('ko-KR', 'ko'), ('KO', 'ko')),
        *(('en-GB', 'en'), ('fr', 'en'), ('kok', 'en'), ('', 'en')),
    ],
)
def test_other_languages_get_english(write, language, expected):
    advice = read_advice(write({'glass': ENTRY}))['glass']
    assert advice.text(language) == getattr(advice, expected)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ('', 'names no class'),
        ('- glass', 'names no class'),
        ('glass', 'names no class'),
        ('{}', 'names no class'),
        ('glass: [', 'broken YAML (line 1: '),
        (
            'a: {b: c}\nglass: x\nglass: y\n',
            'broken YAML (line 3: glass appears twice)',
        ),
        ('? [a]\n: b', 'broken YAML (line 1: found unhashable key)'),
        ('a: b\n---\nc: d\n', 'broken YAML (line 2: '),
        ('[' * 5000, 'broken YAML (lists in lists, too deep)'),
        ('glass: \x07', 'broken YAML (unacceptable character #x0007: special'),
        (b'\xff\xfeg\0', 'not text in UTF-8; save it as such'),
        ('glass:\n', 'glass needs en, ko or both, indented below it'),
        ('glass: {}', 'glass needs en, ko or both, indented below it'),
        (changed('glass.en', {}), 'glass.en needs sort and becomes, indented below'),
        (changed('glass.fr', {}), "glass has 'fr', where only en and ko can be"),
        (changed('glass.ko', 'x'), 'glass.ko needs sort and becomes, indented below'),
        (changed('glass.ko.becomes'), 'glass.ko lacks becomes'),
        (changed('glass.en.Sort', 'x'), "glass.en has 'Sort', where only sort and "),
        (changed('glass.en.sort', ''), 'glass.en.sort has no text'),
        (changed('glass.en.sort', ' \n\u3000'), 'glass.en.sort has no text'),
        (changed('glass.en.sort', ['x']), 'glass.en.sort has no text'),
        ({' glass': ENTRY}, "' glass' is not a class name; rename it"),
        ({'gl\u200bass': ENTRY}, "'gl\\u200bass' is not a class name; rename it"),
        (
            {normalize(form, '유리'): ENTRY for form in ('NFC', 'NFD')},
            r"'\uc720\ub9ac' and '\u110b\u1172\u1105\u1175' look the same, "
            '유리; rename one of them',
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(write, content, said):
    path = write(content)
    with pytest.raises(UserError) as error:
        read_advice(path)
    text = str(error.value)
    assert text.startswith(f'{path}: {said}')
    assert '\n' not in text


@pytest.mark.parametrize('only', ['en', 'ko'])
def test_one_language_is_enough_and_stands_for_the_other(write, only):
    advice = read_advice(write({'glass': {only: ENTRY[only]}}))['glass']
    for language in ('en', 'ko', 'fr'):
        assert advice.text(language) == AdviceText(**ENTRY[only])


def test_the_example_of_the_documentation_is_read(write):
    page = (ROOT / 'docs/your_data.md').read_text('utf-8')
    advice = read_advice(write(page.partition('```yaml\n')[2].partition('```')[0]))
    assert advice['apple'].text('ko').sort == 'Put it into the left crate.'
    assert advice['pear'].text('en') == advice['pear'].ko


def test_all_that_is_wrong_is_said_at_once_and_counted(write):
    broken = {**changed('glass.ko.sort'), 'paper': '', 'metal': {'en': {'sort': 'a'}}}
    with pytest.raises(
        UserError, match=r'glass.ko lacks sort; paper needs .*; metal.en lacks'
    ):
        read_advice(write(broken))
    broken = {f'class {index}': '' for index in range(7)}
    with pytest.raises(UserError, match=r'class 4 needs [^;]*; and 2 more problems$'):
        read_advice(write(broken))


@pytest.mark.parametrize('kind', ['missing', 'folder'])
def test_a_file_that_is_not_there_says_how_to_name_it(tmp_path, kind):
    path = tmp_path if kind == 'folder' else tmp_path / 'moved.yaml'
    with pytest.raises(UserError) as error:
        read_advice(path.parent / '_base_' / '..' / path.name)
    assert str(error.value) == (
        f'{path}: no such file; advice=FILE says where it is now, advice=None does '
        'without it'
    )


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_a_class_finds_its_advice_however_its_accents_are_written(write, form):
    entries = {normalize(form, name): ENTRY for name in ('유리', 'verre brisé')}
    advice = read_advice(write({**entries, 'paper': ENTRY}))
    classes = [normalize('NFD', '유리'), normalize('NFC', 'verre brisé'), 'metal']
    matched = match_advice(advice, classes)
    assert list(matched) == classes[:2]
    assert matched[classes[0]] == advice['paper']
    assert spare_entries(advice, classes) == ['paper']
