"""Timing of steps, with a clock that is turned by hand."""

import pytest

from custom_datasets.training.progress import Pace


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pace(clock):
    return Pace(clock)


def step(pace, clock, waited, worked, images=4):
    clock.now += waited
    pace.data_came()
    clock.now += worked
    pace.step_done(images)


def test_nothing_is_known_before_the_first_step(pace):
    assert pace.images_per_second() is None
    assert pace.data_share is None
    assert (pace.steps, pace.seconds) == (0, 0)


def test_the_rate_is_the_median_without_the_first_step(pace, clock):
    step(pace, clock, 9, 1)
    assert pace.images_per_second() is None
    for seconds in (1, 2, 4):
        step(pace, clock, 0, seconds)
    assert pace.images_per_second() == 2  # Of 4, 2 and 1.
    assert pace.images_per_second(last=2) == 1.5
    assert pace.steps == 4


def test_waiting_for_data_is_a_share_of_all_steps(pace, clock):
    step(pace, clock, 3, 1)
    step(pace, clock, 0, 4)
    assert pace.data_share == 3 / 8
    assert pace.seconds == 8


def test_what_lies_between_epochs_does_not_count(pace, clock):
    step(pace, clock, 0, 1)
    clock.now += 1000
    pace.start()
    step(pace, clock, 1, 1)
    assert pace.seconds == 3
    assert pace.images_per_second() == 2
