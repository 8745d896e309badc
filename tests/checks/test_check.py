"""The whole check, on drawn data with every fault planted; shipped leaves; the memo."""

import os
import shutil
import time

import pytest

from custom_datasets.checks import check as module
from custom_datasets.checks.anchors import find_anchors
from custom_datasets.checks.check import check_config
from custom_datasets.checks.config import check_heads, check_overrides
from custom_datasets.checks.parameters import check_parameters, check_values
from custom_datasets.checks.scale import full_pipeline, measure_scaling
from custom_datasets.data.config_sources import Source
from custom_datasets.settings import load_config
from tests.checks.faults import ALONE, FAULTS, HARMLESS, draw_clean, matches, plant_all
from tests.leaves import LEAVES, SAMPLE


@pytest.fixture(scope='module')
def clean(tmp_path_factory):
    return draw_clean(tmp_path_factory.mktemp('check') / 'clean')


@pytest.fixture
def root(clean, tmp_path):
    return shutil.copytree(clean, tmp_path / 'set')


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def check(root, *, settings=(), **options):
    """Check the sample's leaf on this set; the room left on the disk may change."""
    options = {'cached': False, **options}
    given = {'data_root': str(root), **dict(settings)}
    findings = check_config(str(SAMPLE), given, **options).findings
    return [finding for finding in findings if finding.code != 'disk-space']


def errors(findings):
    return [finding for finding in findings if finding.severity == 'error']


def contents(root):
    files = [path for path in root.rglob('*') if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope='module')
def usual(clean):
    """Codes of what is said about the clean set: its schedule, the machine."""
    findings = check(clean)
    assert not errors(findings)
    return {finding.code for finding in findings}


@pytest.mark.parametrize('name', [*FAULTS, *ALONE])
def test_each_fault_is_found_where_it_is_and_nothing_else(
    in_this_process, usual, root, name
):
    expected = {**FAULTS, **ALONE}[name](root)
    findings = check(root)
    assert [finding for finding in findings if matches(expected, finding, root)]
    others = {finding.code for finding in findings if finding.severity != 'note'}
    assert others <= usual | {expected.code} | expected.also


@pytest.mark.parametrize('name', HARMLESS)
def test_what_only_looks_odd_is_at_most_a_note(in_this_process, usual, root, name):
    image = HARMLESS[name](root)
    about = [finding for finding in check(root) if image in (finding.file or '')]
    assert {finding.severity for finding in about} <= {'note'}
    assert not errors(check(root, images=False))


def test_all_faults_together_are_found_from_the_cache_too(clean, root):
    planted = plant_all(root)
    harmless = {plant(root) for plant in HARMLESS.values()}
    first, second, third = (
        check(root, cached=cached) for cached in (False, True, True)
    )
    assert first == second == third
    for expected in planted.values():
        assert [finding for finding in first if matches(expected, finding, root)]
    places = {(e.code, e.file, e.object) for e in planted.values()}
    assert len(places) == len(FAULTS)
    assert not any(name in e.file for e in planted.values() for name in harmless)
    free = (clean / 'ImageSets/Main/train.txt').read_text().split()
    before, after = contents(clean), contents(root)
    for name in free[len(FAULTS) + len(HARMLESS) :]:
        for file in (f'JPEGImages/{name}.png', f'Annotations/{name}.xml'):
            assert before[file] == after[file]


@pytest.mark.parametrize(
    'name',
    ['jpeg-without-tail', 'png-without-tail', 'text-called-jpg', 'file-without-a-byte'],
)
def test_what_would_end_training_is_found_without_decoding(root, name, monkeypatch):
    monkeypatch.setattr(module, 'scan_images', None)
    assert not errors(check(root, images=False))
    expected = FAULTS[name](root)
    [finding] = errors(check(root, images=False))
    assert matches(expected, finding, root)


def test_progress_ends_with_all_files(clean):
    calls = []
    check(clean, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1][0] == calls[-1][1] > len(FAULTS)


def test_a_folder_that_does_not_exist(tmp_path):
    findings = check(tmp_path / 'none', images=False)
    assert ('no-folder', str(tmp_path / 'none')) in {(f.code, f.file) for f in findings}


def test_an_epoch_draws_repeated_images_as_often(clean):
    dataset = load_config(str(SAMPLE)).train_dataloader.dataset
    repeated = {'type': 'RepeatDataset', 'times': 3, 'dataset': dataset}
    late = {'param_scheduler': [{'type': 'MultiStepLR', 'milestones': [999]}]}
    totals = []
    for changes in ({}, {'train_dataloader.dataset': repeated}):
        findings = check(clean, images=False, settings={**late, **changes})
        [finding] = [f for f in findings if f.code == 'scheduler-too-late']
        totals.append(int(finding.message.split(' iterations')[0].rpartition(' ')[2]))
    assert totals[1] == pytest.approx(3 * totals[0], rel=0.2)


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)
def test_nothing_is_wrong_with_a_shipped_leaf(leaf):
    cfg = load_config(str(leaf))
    assert not check_overrides(str(leaf), {}, cfg)
    assert not check_parameters(cfg)
    assert not check_values(cfg)
    names = tuple(str(number) for number in range(cfg.num_classes))
    for classes, codes in ((names, set()), ((*names, 'one more'), {'class-count'})):
        source = Source('train', 'voc', 'X', classes, {}, '.', 'x.txt', False)
        assert {f.code for f in check_heads(cfg, [source])} == codes
    for loader in ('train_dataloader', 'val_dataloader'):
        steps = full_pipeline(cfg[loader].dataset)
        assert steps and not measure_scaling(steps, (640, 480)).not_followed
    heads = [
        head
        for head in ('bbox_head', 'rpn_head')
        if any(key.endswith('_generator') for key in cfg.model.get(head, ()))
    ]
    anchors = list(find_anchors(cfg.model))
    assert [each.head for each in anchors] == heads
    if 'retinanet' in leaf.name or 'faster-rcnn' in leaf.name:
        assert [a.assigner['type'] for a in anchors] == ['MaxIoUAssigner']


class TestMemo:
    """Findings of an unchanged data set are not worked out again."""

    @pytest.fixture(autouse=True)
    def only_here(self, in_this_process):
        pass

    @pytest.fixture
    def root(self, tmp_path):
        root = draw_clean(tmp_path / 'set', (64, 48))
        then = time.time() - 60  # Older than what could still be changing.
        for path in root.rglob('*'):
            os.utime(path, (then, then))
        return root

    @pytest.fixture
    def reads(self, monkeypatch):
        """Has an entry for each time that the data were read."""
        calls = []
        real = module.read_sources
        monkeypatch.setattr(
            module, 'read_sources', lambda *args: calls.append(1) or real(*args)
        )
        return calls

    def check(self, root, **options):
        return check(root, **{'cached': True, **options})

    def test_the_second_time_nothing_is_read(self, root, reads):
        assert self.check(root) == self.check(root)
        [finding] = [f for f in self.check(root, ranks=4) if f.code == 'learning-rate']
        assert '32, so it trains' in finding.message
        assert len(reads) == 1

    @pytest.mark.parametrize('name', ['dark', 'class-with-typo', 'listed-twice'])
    def test_a_changed_file_counts(self, root, reads, name):
        before = self.check(root)
        expected = FAULTS[name](root)
        os.utime(root / expected.file, (time.time() - 30,) * 2)
        after = self.check(root)
        assert len(reads) == 2
        assert not [f for f in before if matches(expected, f, root)]
        assert [f for f in after if matches(expected, f, root)]

    def test_a_new_and_a_lost_file_count(self, root, reads):
        self.check(root)
        new = shutil.copy(root / 'JPEGImages/val_0000.png', root / 'JPEGImages/new.png')
        os.utime(new, (0, 0))
        assert 'unlisted-image' in {f.code for f in self.check(root)}
        (root / 'JPEGImages/val_0000.png').unlink()
        assert 'missing-image' in {f.code for f in self.check(root)}
        assert len(reads) == 3

    def test_what_may_still_be_changing_is_read_again(self, root, reads):
        """Its time may stay the same when it is written once more."""
        os.utime(root / 'JPEGImages/val_0000.png', (time.time() + 60,) * 2)
        self.check(root)
        self.check(root)
        assert len(reads) == 2

    def test_other_settings_count(self, root, reads):
        self.check(root)
        scale = {'model.bbox_head.anchor_generator.octave_base_scale': 8}
        self.check(root, settings=scale)
        assert len(reads) == 2

    def test_the_quick_part_is_kept_beside_the_whole(self, root, reads):
        for _ in range(2):
            self.check(root)
            self.check(root, images=False)
        assert len(reads) == 2

    def test_no_cache_keeps_and_takes_nothing(self, root, reads):
        for cached in (False, False, True):
            self.check(root, cached=cached)
        assert len(reads) == 3

    def test_files_outside_of_the_root_always_count_as_changed(
        self, root, reads, tmp_path
    ):
        (tmp_path / 'lists').mkdir()
        path = shutil.move(root / 'ImageSets/Main/val.txt', tmp_path / 'lists/val.txt')
        for _ in range(2):
            self.check(root, settings={'val_dataloader.dataset.ann_file': str(path)})
        assert len(reads) == 2

    def test_too_many_files_are_not_compared(self, root, reads, monkeypatch):
        monkeypatch.setattr(module, 'MOST_FILES', 5)
        self.check(root)
        self.check(root)
        assert len(reads) == 2

    def test_without_a_root_nothing_is_kept(self, root, reads, monkeypatch):
        monkeypatch.chdir(root)
        self.check('')
        self.check('')
        assert len(reads) == 2
