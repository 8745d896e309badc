import threading

import pytest

from custom_datasets.predicting import threads
from custom_datasets.predicting.threads import Backlog, map_in_threads, one_ahead


@pytest.fixture(params=[1, 3], autouse=True)
def workers(request, monkeypatch):
    """On a small and on a large machine."""
    monkeypatch.setattr(threads, 'WORKERS', request.param)
    return request.param


def test_results_keep_the_order_of_their_items(workers):
    """The first of those that run together is the last to end."""
    ended = [threading.Event() for _ in range(9)]

    def work(number):
        if number % workers < workers - 1:
            assert ended[number + 1].wait(10)
        ended[number].set()
        return number

    assert list(map_in_threads(work, range(9))) == list(range(9))


def test_few_items_are_taken_before_they_are_due(workers):
    taken = []

    def items():
        for number in range(99):
            taken.append(number)
            yield number

    results = map_in_threads(str, items())
    assert next(results) == '0'
    assert len(taken) == workers + 1
    results.close()
    assert len(taken) == workers + 1


def test_an_error_comes_in_the_place_of_its_item():
    def work(number):
        return 1 / (number - 2)

    results = map_in_threads(work, range(5))
    assert [next(results), next(results)] == [-0.5, -1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_the_next_item_is_made_meanwhile():
    made = [threading.Event() for _ in range(3)]

    def items():
        for number, event in enumerate(made):
            event.set()
            yield number

    for number in one_ahead(items()):
        assert made[min(number + 1, 2)].wait(10)
    with pytest.raises(ZeroDivisionError):
        list(one_ahead(1 / number for number in (1, 0)))


def test_steps_follow_in_order_though_work_does_not(workers):
    ended = [threading.Event() for _ in range(9)]
    steps = []

    def work(number):
        if number % workers < workers - 1:
            assert ended[number + 1].wait(10)
        ended[number].set()
        return number

    with Backlog(100) as backlog:
        for number in range(9):
            backlog.submit(lambda n=number: work(n), steps.append, 1)
    assert steps == list(range(9))


@pytest.mark.parametrize('most', [0, 4])
def test_whoever_submits_too_much_waits(workers, most):
    """Not for the first piece of a thread, however large it is."""
    go, steps, waited = threading.Event(), [], []
    threading.Timer(0.2, go.set).start()
    with Backlog(most) as backlog:
        for _ in range(workers + 1):
            backlog.submit(go.wait, steps.append, 1)
            waited.append(go.is_set())
    assert waited == [False] * workers + [most == 0]
    assert steps == [True] * (workers + 1)


@pytest.mark.parametrize('fails', ['work', 'step'])
def test_after_an_error_there_are_no_steps(fails):
    steps = []

    def work(number):
        return 1 / (number - 2) if fails == 'work' else number

    def step(number, n):
        steps.append(n)
        if fails == 'step' and n == 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Backlog(100) as backlog:
        for number in range(5):
            backlog.submit(lambda n=number: work(n), lambda r, n=number: step(r, n), 1)
    assert steps == [0, 1, 2][: 2 if fails == 'work' else 3]


def test_ctrl_c_lets_what_was_submitted_be_done():
    steps = []
    with pytest.raises(KeyboardInterrupt), Backlog(100) as backlog:
        for number in range(3):
            backlog.submit(lambda n=number: n, steps.append, 1)
        raise KeyboardInterrupt
    assert steps == [0, 1, 2]
