"""Advice on the classes: what the check finds, and the files that are shipped."""

import re
from pathlib import Path

import pytest

from custom_datasets.checks.check import check_config
from custom_datasets.checks.config import check_advice
from custom_datasets.data.advice import LANGUAGES, match_advice, read_advice
from custom_datasets.data.config_sources import find_sources
from custom_datasets.settings import load_config
from tests.leaves import LEAVES, ROOT, SAMPLE

SHIPPED = sorted((ROOT / 'configs').glob('*/advice.yaml'))
TRASHNET = ['cardboard', 'glass', 'metal', 'paper', 'plastic', 'trash']
ENTRY = '  en: {sort: a, becomes: b}\n  ko: {sort: 가, becomes: 나}\n'
WASTE = next(leaf for leaf in LEAVES if leaf.parent.name == 'waste')


def found(leaf, **options):
    cfg = load_config(str(leaf), options)
    return check_advice(cfg, find_sources(cfg)[0])


@pytest.fixture
def advise(tmp_path):
    """Write a file with an entry for each name; return its path."""

    def write(*names):
        path = tmp_path / 'advice.yaml'
        path.write_text(''.join(f'{name}:\n{ENTRY}' for name in names), 'utf-8')
        return str(path)

    return write


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.parent.name)
def test_a_shipped_file_covers_all_classes_in_both_languages(path):
    leaf = next(leaf for leaf in LEAVES if leaf.parent == path.parent)
    cfg = load_config(str(leaf))
    assert Path(cfg.advice).resolve() == path
    classes = find_sources(cfg)[0][0].classes
    advice = read_advice(path)
    assert list(match_advice(advice, classes)) == list(classes)
    for entry in advice.values():
        for language in LANGUAGES:
            text = entry.text(language)
            for words in (text.sort, text.becomes):
                korean, latin = (
                    len(re.findall(letters, words)) for letters in ('[가-힣]', '[a-z]')
                )
                assert (korean > latin) == (language == 'ko')
                assert words.endswith('.')


def test_waste_and_recycling_have_one_that_says_where_it_holds():
    assert [path.parent.name for path in SHIPPED] == ['recycling', 'waste']
    for path in SHIPPED:
        top = path.read_text('utf-8').partition('\n\n')[0]
        assert 'General advice' in top
        assert 'Korea' in top


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)
def test_a_shipped_leaf_has_advice_on_all_its_classes_or_none(leaf):
    assert {finding.severity for finding in found(leaf)} <= {'note'}
    advised = load_config(str(leaf)).get('advice') is not None
    dataset = leaf.stem.rpartition('_')[2].replace('-', '_')
    assert advised == (ROOT / 'configs' / dataset / 'advice.yaml').exists()


def test_trashnets_six_classes_are_fine():
    assert found(WASTE, classes=TRASHNET) == []


def test_a_class_without_an_entry(advise):
    path = advise('RBC', 'Platelet')
    first, second, spare = found(SAMPLE, advice=path)
    assert (first.code, first.severity, first.file) == (
        'class-without-advice',
        'warning',
        path,
    )
    assert first.message == 'there is no advice on WBC'
    assert second.message == "there is no advice on Platelets; is it 'Platelet' there?"
    assert (spare.code, spare.severity) == ('advice-without-class', 'note')
    assert spare.message == 'not classes here: Platelet'


def test_an_entry_of_a_class_that_classes_leaves_out_is_no_finding(advise):
    path = advise('RBC', 'WBC', 'Platelets')
    assert found(SAMPLE, advice=path, classes=['WBC']) == []
    [spare] = found(SAMPLE, advice=advise('WBC', 'tree'), classes=['WBC'])
    assert spare.message == 'not classes here: tree'


def test_the_whole_check_says_it_and_does_not_stop_a_training(bccd_root, tmp_path):
    path = tmp_path / 'advice.yaml'
    # As a dataset base names it.
    untidy = f'{tmp_path}/_base_/../advice.yaml'
    options = {'data_root': str(bccd_root), 'advice': untidy}

    def findings():
        checked = check_config(str(SAMPLE), options, images=False, cached=False)
        return [f for f in checked.findings if 'advice' in f.code]

    [finding] = findings()
    assert (finding.code, finding.severity) == ('broken-advice', 'warning')
    assert finding.file == str(path)
    assert finding.message.startswith('no such file; advice=FILE says where')
    path.write_text('RBC: [', 'utf-8')
    [finding] = findings()
    assert finding.message.startswith('broken YAML (line 1')
    options['advice'] = None
    assert findings() == []


def test_data_sets_that_cannot_be_read_leave_the_file_to_be_read(advise):
    cfg = load_config(str(SAMPLE), {'advice': advise('RBC')})
    assert check_advice(cfg, []) == []
    cfg.advice = advise('RBC', 'RBC')
    assert [finding.code for finding in check_advice(cfg, [])] == ['broken-advice']
