"""Files made into one: what is asked for, what is written, what is refused."""

import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import read_results, read_samples
from custom_datasets.predicting.ensemble import Request, make_ensemble
from tests.predicting.files import (
    classify,
    draw_labels,
    judged,
    seen,
    write,
)

BOX, MOVED = (0, 0, 10, 10), (2, 0, 12, 10)


@pytest.fixture
def detectors(tmp_path):
    """Two models that see one object, a little apart."""
    samples = [
        [seen('x', [(BOX, 0)], [(BOX, 0, 0.75)])],
        [seen('x', [(BOX, 0)], [(MOVED, 0, 0.25)])],
    ]
    return [write(tmp_path / f'd{n}.pkl', one) for n, one in enumerate(samples)]


@pytest.fixture
def classifiers(tmp_path):
    samples = [[judged('x', 0, [0.75, 0.25])], [judged('x', 0, [0.25, 0.75])]]
    return [write(tmp_path / f'c{n}.pkl', one) for n, one in enumerate(samples)]


def found_in(path):
    (sample,) = read_samples(path)
    found = sample['pred_instances']
    return found['bboxes'].tolist(), found['scores'].tolist()


def test_detectors_by_default(detectors, tmp_path):
    out = str(tmp_path / 'new' / 'out.pkl')
    text = make_ensemble(Request(detectors, out))
    # (0.75 * 0 + 0.25 * 2) / (0.75 + 0.25) = 0.5.
    assert found_in(out) == ([[0.5, 0, 10.5, 10]], [0.5])
    assert text.startswith(
        'wbf, IoU 0.55, weights 1 1 (equal weights)\n\ntest: 1 image'
    )
    assert text.endswith(f'\n\nwrote {out}')


@pytest.mark.parametrize(
    ('options', 'described', 'boxes', 'scores'),
    [
        (
            {'weights': [1, 3]},
            'wbf, IoU 0.55, weights 0.333 1 (as given)',
            # 0.75 of the second is as much as 0.75 of the first; 1.5 / 4.
            [[1, 0, 11, 10]],
            [0.375],
        ),
        (
            {'method': 'nms', 'iou': 0.7},
            'nms, IoU 0.7, weights 1 1 (equal weights)',
            [list(BOX), list(MOVED)],
            [0.75, 0.25],
        ),
        (
            {'method': 'nms', 'iou': 0.6, 'weights': [0, 2]},
            'nms, IoU 0.6, weights 0 1 (as given)',
            [list(MOVED)],
            [0.25],
        ),
    ],
)
def test_detectors_as_asked(detectors, tmp_path, options, described, boxes, scores):
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request(detectors, out, **options))
    assert text.splitlines()[0] == described
    assert found_in(out) == (boxes, scores)


def test_classifiers(classifiers, tmp_path):
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request(classifiers, out, weights=[3.0, 1.0]))
    assert text.startswith('mean, weights 1 0.333 (as given)\n\ntest: 1 images\n')
    # (3 * 0.75 + 0.25) / 4.
    np.testing.assert_allclose(read_results(out).scores, [[0.625, 0.375]])
    text = make_ensemble(Request(classifiers, out, method='logits'))
    assert text.startswith('logits, weights 1 1 (equal weights)')
    np.testing.assert_allclose(read_results(out).scores, [[0.5, 0.5]], rtol=1e-6)


def test_one_model_alone_is_as_it_was(detectors, tmp_path):
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request(detectors[1:], out))
    assert text.splitlines()[0] == 'wbf, IoU 0.55 (equal weights)'
    assert found_in(out) == ([list(MOVED)], [0.25])


def test_without_truth_it_is_made_and_not_judged(detectors, tmp_path):
    secret = write(tmp_path / 's.pkl', [seen('x', None, [(MOVED, 0, 0.25)])])
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request([secret, detectors[0]], out))
    said = 'wbf, IoU 0.55, weights 1 1 (equal weights)'
    assert text == f'{said}\n\nwrote {out}'
    assert found_in(out) == ([[0.5, 0, 10.5, 10]], [0.5])
    assert 'instances' not in read_samples(out)[0]


def test_an_image_keeps_as_many_boxes_as_a_model_may_have(tmp_path):
    def crowd(shift, count):
        corners = [(20.0 * n + shift, 0.0) for n in range(count)]
        return [((x, y, x + 9, y + 9), 0, 0.5) for x, y in corners]

    for name, counts in (('usual', (70, 60)), ('many', (70, 130))):
        paths = [
            write(
                tmp_path / f'{name}{n}.pkl', [seen('x', [(BOX, 0)], crowd(9.5 * n, c))]
            )
            for n, c in enumerate(counts)
        ]
        make_ensemble(Request(paths, str(tmp_path / f'{name}.pkl')))
    assert len(found_in(str(tmp_path / 'usual.pkl'))[0]) == 100
    assert len(found_in(str(tmp_path / 'many.pkl'))[0]) == 130


@pytest.fixture
def searched(tmp_path):
    """A weak and a strong classifier on validation and test, and what was tried."""
    val, test = draw_labels('val', 60, 0), draw_labels('test', 40, 1)
    files = {
        f'{part}_{name}': write(
            tmp_path / f'{part}_{name}.pkl', classify(drawn, strength, seed)
        )
        for part, drawn in (('val', val), ('test', test))
        for seed, (name, strength) in enumerate((('weak', -2.0), ('strong', 3.0)))
    }
    return {
        'paths': [files['test_weak'], files['test_strong']],
        'val_paths': [files['val_weak'], files['val_strong']],
    }


def test_a_search_takes_the_weight_from_a_model_that_misleads(searched, tmp_path):
    out, val_out = str(tmp_path / 'out.pkl'), str(tmp_path / 'val_out.pkl')
    tries = []
    text = make_ensemble(
        Request(**searched, out=out, val_out=val_out), lambda *done: tries.append(done)
    )
    first, *_ = text.splitlines()
    assert first.startswith('mean, weights 0 1 (NLL on validation ')
    assert first.endswith(f' in {len(tries) + 1} tries)')
    for path, alone in (
        (out, searched['paths'][1]),
        (val_out, searched['val_paths'][1]),
    ):
        wanted = read_results(alone).scores
        np.testing.assert_allclose(read_results(path).scores, wanted, atol=1e-7)
    assert text.index('validation, searched on: 60') < text.index('test: 40 images')
    assert text.endswith(f'wrote {val_out} and {out}')


def test_what_is_given_is_not_searched_for(searched, tmp_path):
    request = Request(
        **searched, out=str(tmp_path / 'out.pkl'), method='mean', weights=[1.0, 1.0]
    )
    text = make_ensemble(request)
    assert 'in 1 tries)' in text.splitlines()[0]
    assert text.startswith('mean, weights 1 1 (NLL on validation')
    named = Request(**searched, out=str(tmp_path / 'out.pkl'), method='logits')
    assert make_ensemble(named).startswith('logits, weights 0 1 (')


def test_a_threshold_is_searched_for_unless_it_is_given(tmp_path):
    # Two objects overlap by 90 / 130 = 0.69: below it they are taken for one.
    objects = [((0, 0, 11, 10), 0), ((2, 0, 13, 10), 0)]
    paths = {
        part: write(
            tmp_path / f'{part}.pkl',
            [seen(part, objects, [(*objects[0], 0.75), (*objects[1], 0.5)])],
        )
        for part in ('val', 'test')
    }
    files = {'paths': [paths['test']], 'val_paths': [paths['val']]}
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request(**files, out=out, method='nms'))
    assert text.startswith('nms, IoU 0.7 (COCO AP on validation 0.505 -> 1.000 in 9 ')
    assert len(found_in(out)[0]) == 2
    text = make_ensemble(Request(**files, out=out, method='nms', iou=0.6))
    assert text.startswith('nms, IoU 0.6 (COCO AP on validation 0.505 -> 0.505 in 1 ')
    assert len(found_in(out)[0]) == 1


REFUSED = [
    ({'out': 'd0.pkl'}, 'd0.pkl: is one of the files to read; name another --out'),
    (
        {'out': 'link.pkl'},
        'link.pkl: is one of the files to read; name another --out',
    ),
    (
        {'val_paths': ['d0.pkl', 'd1.pkl'], 'val_out': 'out.pkl'},
        'out.pkl: --out and --val-out are the same file',
    ),
    ({'val_out': 'v.pkl'}, 'v.pkl: --val-out needs --val'),
    (
        {'val_paths': ['d0.pkl']},
        '2 files of test predictions, but 1 behind --val: name the same models in the '
        'same order',
    ),
    ({'weights': [1.0]}, '1 weights for 2 files'),
    (
        {'weights': [1.0, -1.0]},
        '--weights are 0 or more, and one of them is above 0',
    ),
    ({'weights': [0.0, 0.0]}, '--weights are 0 or more, and one of them is above 0'),
    (
        {'weights': [float('nan'), 1.0]},
        '--weights are 0 or more, and one of them is above 0',
    ),
    (
        {'weights': [float('inf'), 1.0]},
        '--weights are 0 or more, and one of them is above 0',
    ),
    (
        {'method': 'mean'},
        '--method mean: the files are of a detector; choose one of wbf, nms, soft-nms, '
        'nmw',
    ),
    (
        {'paths': ['c0.pkl', 'c1.pkl'], 'method': 'wbf'},
        '--method wbf: the files are of a classifier of 2 classes; choose one of mean, '
        'logits',
    ),
    ({'iou': 1.0}, '--iou is a threshold for boxes, between 0 and 1'),
    ({'iou': 0.0}, '--iou is a threshold for boxes, between 0 and 1'),
    (
        {'paths': ['c0.pkl', 'c1.pkl'], 'iou': 0.5},
        '--iou is a threshold for boxes, between 0 and 1',
    ),
    (
        {'val_paths': ['secret.pkl', 'known.pkl']},
        'secret.pkl, known.pkl: not all of them have the truth, which a search needs; '
        "this package's configs keep it: PackDetInputs(meta_keys=(..., 'instances'))",
    ),
    (
        {'val_paths': ['c0.pkl', 'c1.pkl']},
        'c0.pkl is of a classifier of 2 classes, and d0.pkl of a detector',
    ),
    (
        {'paths': ['c0.pkl', 'c1.pkl'], 'val_paths': ['three.pkl', 'three.pkl']},
        'three.pkl is of a classifier of 3 classes, and c0.pkl of a classifier of 2 '
        'classes',
    ),
    (
        {'val_paths': ['d0.pkl', 'd1.pkl']},
        'd0.pkl and d0.pkl: 1 images are in both, /data/x.png for one; --val takes '
        'predictions on the validation set, the others those on the test set',
    ),
    (
        {'paths': ['d0.pkl', 'c0.pkl']},
        'd0.pkl and c0.pkl: one is of a detector and the other of a classifier',
    ),
    ({'out': 'd0.pkl/out.pkl'}, 'd0.pkl/out.pkl: cannot be written ('),
]


@pytest.mark.parametrize(('options', 'said'), REFUSED)
def test_what_makes_no_sense_is_said_and_writes_nothing(
    detectors, classifiers, tmp_path, monkeypatch, options, said
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / 'secret.pkl', [seen('y', None)])
    write(tmp_path / 'known.pkl', [seen('y', [(BOX, 0)])])
    write(tmp_path / 'three.pkl', [judged('y', 0, [0.5, 0.25, 0.25])])
    (tmp_path / 'link.pkl').symlink_to(tmp_path / 'd0.pkl')
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    request = Request(**{'paths': ['d0.pkl', 'd1.pkl'], 'out': 'out.pkl', **options})
    with pytest.raises(UserError) as error:
        make_ensemble(request)
    text = str(error.value)
    assert text.startswith(said) if said.endswith('(') else text == said
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after == before
