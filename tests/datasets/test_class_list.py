import pytest
from mmpretrain.registry import DATASETS
from PIL import Image

from custom_datasets.datasets import class_list
from custom_datasets.datasets.class_list import ClassListDataset
from custom_datasets.datasets.metal_surface import MetalSurfaceDataset
from custom_datasets.errors import AnnotationError, ConfigError
from custom_datasets.samples.boxes import METAL_CLASSES


class SteelDataset(ClassListDataset):
    METAINFO = {'classes': ('inclusion', 'crease')}


@pytest.fixture
def load(tmp_path):
    for name in ('a.png', 'b b.png', 'crease/c.png'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new('RGB', (8, 8)).save(path)

    def load_list(listed, kind=SteelDataset, **options):
        content = listed if isinstance(listed, bytes) else listed.encode()
        (tmp_path / 'train.txt').write_bytes(content)
        return kind('train.txt', data_root=str(tmp_path), **options)

    return load_list


@pytest.fixture
def problems(load):
    def problems_of(*args, **options):
        with pytest.raises(AnnotationError) as caught:
            load(*args, **options)
        return caught.value.problems

    return problems_of


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        class_list, 'print_log', lambda text, logger: lines.append(text)
    )
    return lines


GOOD = 'a.png\tcrease\nb b.png\tinclusion\ncrease/c.png\tinclusion\n'


def test_the_list_decides_and_not_the_folder(load, tmp_path, log):
    dataset = load(GOOD)
    assert dataset.get_gt_labels().tolist() == [1, 0, 0]
    assert dataset[2]['img_path'] == str(tmp_path / 'crease/c.png')
    assert log == [
        f'SteelDataset {tmp_path}/train.txt: 3 images (inclusion 2, crease 1)'
    ]


def test_everything_wrong_comes_in_one_error(problems, tmp_path):
    listed = (
        'a.png\tCrease\nnothing.png\tinclusion\nb b.png inclusion\n'
        'a.png\tinclusion\n\tinclusion\ncrease\tinclusion\n'
    )
    at = f'{tmp_path}/train.txt'
    assert problems(listed) == (
        f'{at}: line 2: {tmp_path}/nothing.png: no such image',
        f'{at}: line 3: no tab and class after the path',
        f'{at}: line 4: a.png is in line 1 already',
        f'{at}: line 5: no tab and class after the path',
        f'{at}: line 6: {tmp_path}/crease: no such image',
        f"{at}, line 1: unknown class 'Crease'; did you mean 'crease'?",
        f'{at}: no image of class crease',
    )
    assert problems('a.png\tCrease\nb b.png\tinclusion') == (
        f"{at}, line 1: unknown class 'Crease'; did you mean 'crease'?",
        f'{at}: no image of class crease',
    )


def test_a_missing_and_an_empty_list(problems, tmp_path):
    (problem,) = problems('\n')
    assert problem.startswith(f'{tmp_path}/train.txt: the list is empty')
    with pytest.raises(AnnotationError, match=r'val\.txt: No such file .*converter'):
        SteelDataset('val.txt', data_root=str(tmp_path))


def test_a_class_without_an_image_is_an_error_in_training_only(problems, load, log):
    (problem,) = problems('a.png\tcrease\n')
    assert problem.endswith('train.txt: no image of class inclusion')
    assert len(load('a.png\tcrease\n', test_mode=True)) == 1
    assert log[-1].endswith('1 image (inclusion 0, crease 1)')


@pytest.mark.parametrize('ignored', ['dent', ['dent']])
def test_ignored_classes_are_counted(load, log, ignored):
    dataset = load(
        GOOD.replace('c.png\tinclusion', 'c.png\tdent'), ignore_classes=ignored
    )
    assert len(dataset) == 2
    assert log[-1].endswith('; 1 image of ignored classes')


def test_other_classes(load, tmp_path):
    assert load(GOOD, classes=['crease', 'inclusion'])[0]['gt_label'] == 0
    (tmp_path / 'classes.txt').write_text('crease\ninclusion\n')
    dataset = load(GOOD, classes=str(tmp_path / 'classes.txt'))
    assert dataset[0]['gt_label'] == 0
    assert dataset.metainfo['classes'] == ('crease', 'inclusion')
    with pytest.raises(ConfigError, match='twice'):
        load(GOOD, classes=['crease', 'crease'])


def test_no_classes_at_all(problems):
    assert problems(GOOD, kind=ClassListDataset) == (
        'no classes: state METAINFO or metainfo',
    )


def test_images_elsewhere_may_be_in_a_hidden_folder(load, tmp_path_factory):
    path = tmp_path_factory.mktemp('elsewhere') / '.cache/d.png'
    path.parent.mkdir()
    Image.new('RGB', (8, 8)).save(path)
    dataset = load(f'{GOOD}{path}\tcrease\n')
    assert dataset[3]['img_path'] == str(path)


def test_metal_surface_is_registered_with_its_ten_classes():
    assert DATASETS.get('MetalSurfaceDataset') is MetalSurfaceDataset
    assert MetalSurfaceDataset.METAINFO['classes'] == (
        'crease',
        'crescent_gap',
        'inclusion',
        'oil_spot',
        'punching_hole',
        'rolled_pit',
        'silk_spot',
        'waist_folding',
        'water_spot',
        'welding_line',
    )
    assert len(set(MetalSurfaceDataset.METAINFO['palette'])) == 10


@pytest.mark.parametrize('part', ['train', 'val', 'test'])
def test_drawn_crops_load(metal_crops, part):
    dataset = MetalSurfaceDataset(
        f'{part}.txt', data_root=str(metal_crops), classes=METAL_CLASSES
    )
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        assert f'/{METAL_CLASSES[info["gt_label"]]}/' in info['img_path']
    assert set(dataset.get_gt_labels()) == {0, 1, 2, 3}
