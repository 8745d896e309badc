"""``tools/analysis_tools/dataset_report.py``."""

import re
import shutil

import pytest

from tests.leaves import ROOT, SAMPLE
from tests.pages.parsing import Page
from tools.analysis_tools import dataset_report

EVERY = ['findings', 'classes', 'images', 'boxes', 'examples', 'pipeline', 'repeats']
METAL = ROOT / 'configs/metal_surface/resnet18_1xb32-30e_metal-surface.py'
MEGABYTE = 1_000_000


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def write(tmp_path, config, *options):
    out = tmp_path / 'page.html'
    arguments = [str(config), '--out', str(out), '--cfg-options', *options]
    assert dataset_report.main(arguments) == 0
    assert out.stat().st_size < 8 * MEGABYTE
    html = out.read_text(encoding='utf-8')
    page = Page(html)
    assert not page.outside
    return page


def test_a_detection_set(bccd_root, tmp_path, capsys):
    page = write(tmp_path, SAMPLE, f'data_root={bccd_root}')
    assert page.sections() == EVERY
    out, err = capsys.readouterr()
    assert re.fullmatch(
        r'.*/page\.html: 0\.\d MB; 0 errors, \d+ warnings?, \d+ notes?; 16 images\n',
        out,
    )
    assert 'error:' not in err
    boxes = len(re.findall('<name>', ''.join(map(xml, bccd_root.glob('*/*.xml')))))
    facts = re.search(r'images16objects(\d+)classes3errors0', page.text)
    assert int(facts[1]) == boxes
    assert len(page.all('div', 'before-after')) == 4
    gallery = [
        svg for svg in page.all('svg', 'picture') if 'on disk' in svg['aria-label']
    ]
    assert len(gallery) == 4
    assert len(page.all('svg', 'picture')) == 16 + 4 * 3


def xml(path):
    return path.read_text()


def test_crops_with_labels(metal_crops, tmp_path):
    classes = f'classes={metal_crops}/classes.txt'
    page = write(tmp_path, METAL, f'data_root={metal_crops}', classes)
    assert page.sections() == [name for name in EVERY if name != 'boxes']
    assert len(page.all('div', 'before-after')) == 4
    assert 'Images of each class.' in page.text


def test_data_with_errors_have_a_page(bccd_root, tmp_path):
    root = tmp_path / 'bccd'
    shutil.copytree(bccd_root, root)
    path = root / 'Annotations/train_0003.xml'
    path.write_text(path.read_text().replace('<name>RBC<', '<name>&lt;script&gt;<', 1))
    (root / 'JPEGImages/train_0002.png').write_bytes(b'broken')
    shutil.copy(root / 'JPEGImages/train_0001.png', root / 'JPEGImages/val_0001.png')
    page = write(tmp_path, SAMPLE, f'data_root={root}')
    assert page.sections() == EVERY
    assert "unknown class '<script>'" in page.text
    assert 'Not shown: BCCDDataset' in page.text
    assert 'the findings say why' in page.text
    assert 'identical pixelsboxes differin several splits' in page.text
    shown = [svg['aria-label'] for svg in page.all('svg', 'picture')]
    assert len(shown) == 15 + 2
    assert not any('train_0002' in label for label in shown)


def test_where_there_are_no_data_the_page_says_so(tmp_path):
    page = write(tmp_path, SAMPLE, f'data_root={tmp_path}/nowhere')
    assert 'no-list' in page.text
    assert 'No image could be read.' in page.text


def test_the_page_goes_to_work_dirs_and_is_the_same_each_time(
    bccd_root, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'work_dirs').mkdir()
    options = ['--cfg-options', f'data_root={bccd_root}']
    assert dataset_report.main([str(SAMPLE), *options]) == 0
    path = f'work_dirs/{SAMPLE.stem}/dataset_report.html'
    assert capsys.readouterr().out.startswith(f'{path}: ')
    write(tmp_path, SAMPLE, f'data_root={bccd_root}')
    free = re.compile(r'[\d.]+ GB free')
    first, again = (
        free.sub('', (tmp_path / name).read_text()) for name in (path, 'page.html')
    )
    assert first == again


@pytest.mark.real_data
def test_real_pairs_are_side_by_side(real_data_root, tmp_path):
    """The five byte-identical pairs of the face mask set, with other boxes."""
    from custom_datasets.data.face_mask import write_split
    from custom_datasets.datasets.face_mask import FaceMaskDataset

    root = tmp_path / 'face_mask'
    root.mkdir()
    for name in ('images', 'annotations'):
        (root / name).symlink_to(real_data_root / 'face_mask' / name)
    write_split(str(root), FaceMaskDataset.METAINFO['classes'])
    leaf = ROOT / 'configs/face_mask/retinanet_r18_fpn_1xb4-24e_face-mask.py'
    page = write(tmp_path, leaf, f'data_root={root}')
    assert page.text.count('identical pixelsboxes differ') == 5
    for pair in ('13 737', '146 219', '410 428', '653 775', '656 690'):
        for number in pair.split():
            assert f'maksssksksss{number}.png' in page.text
