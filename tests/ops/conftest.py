"""Runs mmcv's own operators on the stand-in, even where mmcv is compiled."""

import importlib
import importlib.util
import sys
from contextlib import contextmanager

import pytest
import torch

import custom_datasets  # noqa: F401  (has to come before mmcv.ops)
from custom_datasets.ops.extension import EXTENSION, StandIn

USERS = (
    'deform_conv',
    'focal_loss',
    'modulated_deform_conv',
    'nms',
    'roi_align',
    'roi_pool',
)
DEVICES = ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']


@contextmanager
def _operators_of(extension):
    importlib.import_module('mmcv.ops')
    with pytest.MonkeyPatch.context() as patch:
        for user in USERS:
            module = sys.modules[f'mmcv.ops.{user}']
            patch.setattr(module, 'ext_module', extension)
        yield


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(scope='session')
def extension():
    spec = StandIn().find_spec(EXTENSION)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _stand_in(extension):
    torch.manual_seed(0)
    with _operators_of(extension):
        yield


@pytest.fixture
def as_compiled(extension):
    """Return a function that asserts a call gives what compiled mmcv gives."""
    compiled = importlib.import_module(EXTENSION)
    if isinstance(compiled.__spec__.loader, StandIn):
        pytest.skip('mmcv has no compiled operators')

    def check(call, **tolerance):
        ours = call()
        with _operators_of(compiled):
            theirs = call()
        torch.testing.assert_close(ours, theirs, **tolerance)

    return check
