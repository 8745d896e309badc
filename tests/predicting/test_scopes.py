"""Two threads that look names up in different packages."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from mmengine.registry import DefaultScope

from custom_datasets import Predictor
from custom_datasets.predicting.scopes import use_scope
from tests.predicting.conftest import LEAF


def current():
    instance = DefaultScope.get_current_instance()
    return instance and instance.scope_name


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    """Begin without a scope, which reading a config may have set, and end so."""
    monkeypatch.setattr(DefaultScope, '_instance_dict', {})
    yield
    assert current() is None


def test_threads_of_one_scope_share_it_and_the_last_one_ends_it():
    inside, leave = threading.Barrier(2), threading.Event()

    def first():
        with use_scope('mmdet'):
            inside.wait(10)
            assert leave.wait(10)
            return current()

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(first)
        inside.wait(10)
        with use_scope('mmdet'):
            assert current() == 'mmdet'
        # The other one still needs it.
        assert current() == 'mmdet'
        leave.set()
        assert task.result() == 'mmdet'


def test_a_thread_with_another_scope_waits():
    asked = threading.Event()

    def other():
        asked.set()
        with use_scope('mmpretrain'):
            return current()

    with ThreadPoolExecutor(1) as pool:
        with use_scope('mmdet'):
            task = pool.submit(other)
            assert asked.wait(10)
            for _ in range(100):
                assert current() == 'mmdet' and not task.done()
        assert task.result(10) == 'mmpretrain'


def test_scopes_in_one_thread_stand_in_each_other():
    with use_scope('mmdet'):
        with use_scope('mmpretrain'):
            assert current() == 'mmpretrain'
        with use_scope('mmdet'):
            assert current() == 'mmdet'
        assert current() == 'mmdet'


def test_an_error_ends_a_scope():
    with pytest.raises(ValueError), use_scope('mmdet'):
        raise ValueError
    with use_scope('mmpretrain'):
        assert current() == 'mmpretrain'


def test_threads_that_predict_leave_no_scope_behind(detector):
    network = Predictor(LEAF, detector).network
    inside, leave = threading.Barrier(2), threading.Event()

    def first():
        with network.scope():
            inside.wait(10)
            assert leave.wait(10)

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(first)
        inside.wait(10)
        with network.scope():
            leave.set()
            task.result()
            assert current() == 'mmdet'
    # And nothing is left of either, which the fixture checks.
