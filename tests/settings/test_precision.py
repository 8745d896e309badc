"""What becomes of ``precision`` and ``--amp`` on each device, and when resumed."""

import pytest
import torch
from mmengine.config import Config

from custom_datasets.errors import ConfigError
from custom_datasets.settings import precision
from custom_datasets.settings.precision import has_fast_bfloat16, settle_precision

AMP = {'type': 'AmpOptimWrapper', 'loss_scale': 'dynamic'}
PLAIN = {'type': 'OptimWrapper'}
AMP_BF16 = {**AMP, 'dtype': 'bfloat16'}
APEX = {'type': 'ApexOptimWrapper'}
KEPT = {'optimizer': {'type': 'SGD', 'lr': 0.1}, 'clip_grad': {'max_norm': 35}}


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """The processor has bfloat16, until a test says otherwise."""
    monkeypatch.setattr(precision, 'has_fast_bfloat16', lambda: True)


@pytest.fixture
def trained_in(tmp_path):
    """Return a function that saves a checkpoint of a precision."""

    def save(numbers):
        path = tmp_path / f'{numbers}.pth'
        meta = {'epoch': 1} if numbers is None else {'epoch': 1, 'precision': numbers}
        torch.save({'meta': meta, 'state_dict': {'w': torch.zeros(2)}}, path)
        return str(path)

    return save


def settled(asked, wrapper, device='cpu', resumed=None):
    """Return precision, wrapper and notes that a config ends with."""
    cfg = Config({'optim_wrapper': {**KEPT, **wrapper}})
    if asked:
        cfg.precision = asked
    notes = settle_precision(cfg, device, resumed)
    once = cfg.to_dict()
    if not resumed:
        assert settle_precision(cfg, device, resumed) == notes
        assert cfg.to_dict() == once
    rest = dict(once['optim_wrapper'])
    assert {key: rest.pop(key) for key in KEPT} == KEPT
    return once.get('precision'), rest, notes


@pytest.mark.parametrize(
    ('asked', 'wrapper', 'device', 'precision', 'after'),
    [
        (None, PLAIN, 'cpu', None, PLAIN),
        (None, {}, 'cpu', None, {}),
        ('float32', PLAIN, 'cpu', 'float32', PLAIN),
        ('bfloat16', PLAIN, 'cpu', 'bfloat16', PLAIN),
        ('bfloat16', {}, 'cpu', 'bfloat16', {}),
        ('auto', PLAIN, 'cpu', 'bfloat16', PLAIN),
        (None, AMP, 'cpu', 'bfloat16', PLAIN),
        ('auto', AMP, 'cpu', 'bfloat16', PLAIN),
        ('bfloat16', AMP, 'cpu', 'bfloat16', PLAIN),
        (None, AMP_BF16, 'cpu', 'bfloat16', PLAIN),
        (None, PLAIN, 'cuda', None, PLAIN),
        ('auto', PLAIN, 'cuda', 'float32', PLAIN),
        ('bfloat16', PLAIN, 'cuda', 'bfloat16', PLAIN),
        (None, AMP, 'cuda', None, AMP),
        ('auto', AMP, 'cuda', None, AMP),
        (None, AMP_BF16, 'cuda', None, AMP_BF16),
        ('bfloat16', AMP, 'cuda', 'bfloat16', PLAIN),
        ('auto', PLAIN, 'mps', 'float32', PLAIN),
        ('auto', APEX, 'cuda', 'auto', APEX),
    ],
)
def test_what_is_asked_for_becomes(asked, wrapper, device, precision, after):
    assert settled(asked, wrapper, device) == (precision, after, [])


def test_auto_is_float32_where_bfloat16_is_no_faster(monkeypatch):
    monkeypatch.setattr(precision, 'has_fast_bfloat16', lambda: False)
    assert settled('auto', PLAIN) == ('float32', PLAIN, [])


@pytest.mark.parametrize(('asked', 'wrapper'), [(None, AMP), ('bfloat16', PLAIN)])
def test_what_is_no_faster_is_said_once(monkeypatch, asked, wrapper):
    monkeypatch.setattr(precision, 'has_fast_bfloat16', lambda: False)
    found, after, [note] = settled(asked, wrapper)
    assert (found, after) == ('bfloat16', PLAIN)
    assert note.endswith(
        'bfloat16 works, but is not faster than in float32, and may be much slower'
    )
    assert settled(asked, wrapper, 'cuda')[2] == []


@pytest.mark.parametrize(
    ('asked', 'wrapper', 'device', 'said'),
    [
        ('float16', PLAIN, 'cpu', 'auto, bfloat16, float32; float16 needs a GPU, and'),
        ('half', PLAIN, 'cpu', 'precision=half: no such precision; it can be auto, '),
        (True, PLAIN, 'cpu', 'precision=True: no such precision'),
        (['auto'], PLAIN, 'cpu', 'no such precision'),
        ('float32', AMP, 'cpu', 'and precision=float32: leave one out'),
        ('float32', AMP, 'cuda', 'and precision=float32: leave one out'),
        (None, {**AMP, 'dtype': 'float16'}, 'cpu', '--amp on a CPU is bfloat16'),
        (None, AMP, 'mps', '--amp is not for mps; --device cpu trains in bfloat16'),
        ('bfloat16', PLAIN, 'mps', 'bfloat16 is not trained on mps; --device'),
        ('bfloat16', APEX, 'cuda', 'has a precision of its own'),
    ],
)
def test_what_cannot_be_is_said(asked, wrapper, device, said):
    with pytest.raises(ConfigError, match=said):
        settled(asked, wrapper, device)


@pytest.mark.parametrize(
    ('asked', 'wrapper', 'device', 'kept', 'precision', 'after'),
    [
        (None, PLAIN, 'cpu', 'bfloat16', 'bfloat16', PLAIN),
        ('float32', PLAIN, 'cpu', 'bfloat16', 'bfloat16', PLAIN),
        ('auto', PLAIN, 'cpu', 'float32', 'float32', PLAIN),
        (None, AMP, 'cpu', 'float32', None, PLAIN),
        (None, AMP, 'cuda', 'float32', None, PLAIN),
        (None, AMP, 'cuda', 'bfloat16', 'bfloat16', PLAIN),
        (None, PLAIN, 'cuda', 'float16', None, {**AMP, 'dtype': 'float16'}),
    ],
)
def test_a_resumed_run_keeps_its_precision(
    trained_in, asked, wrapper, device, kept, precision, after
):
    path = trained_in(kept)
    found, rest, [note] = settled(asked, wrapper, device, path)
    assert (found, {'loss_scale': 'dynamic', **rest}) == (
        precision,
        {'loss_scale': 'dynamic', **after},
    )
    assert note.startswith(f'{path}: was trained in {kept}, and continues in it, not')


def test_numbers_that_need_a_gpu_are_not_kept_without_one(trained_in):
    path = trained_in('float16')
    assert settled(None, PLAIN, 'cpu', path) == (
        None,
        PLAIN,
        [f'{path}: was trained in float16, which needs a GPU; it continues in float32'],
    )


@pytest.mark.parametrize('kept', [None, 'bfloat16', 'float8', 3])
def test_a_checkpoint_that_says_the_same_or_nothing(trained_in, kept):
    found = settled('bfloat16', PLAIN, 'cpu', trained_in(kept))
    assert found == ('bfloat16', PLAIN, [])


def test_a_checkpoint_that_is_missing_is_for_others_to_say(tmp_path):
    missing = str(tmp_path / 'no.pth')
    assert settled('auto', PLAIN, 'cpu', missing) == ('bfloat16', PLAIN, [])


@pytest.mark.parametrize(
    ('flags', 'fast'),
    [
        ('flags\t\t: fpu avx512f avx512_bf16 sse', True),
        ('flags\t\t: fpu amx_bf16 amx_tile', True),
        ('flags\t\t: fpu avx512f avx512_vnni', False),
        ('Features\t: fp asimd avx512_bf16', False),
        ('', False),
    ],
)
def test_what_linux_says_of_the_processor(tmp_path, flags, fast):
    file = tmp_path / 'cpuinfo'
    file.write_text(f'processor\t: 0\nmodel name\t: Some CPU\n{flags}\n')
    assert has_fast_bfloat16(file) == fast
    assert not has_fast_bfloat16(tmp_path / 'missing')
