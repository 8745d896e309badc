"""How fast a training goes."""

import time
from collections.abc import Callable
from statistics import median


class Pace:
    """Times the steps of a training.

    Call :meth:`start` before the first step of an epoch, :meth:`data_came` when
    a batch is there, and :meth:`step_done` after it.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Begin without steps."""
        self._clock = clock
        self._last = clock()
        self._waited = 0.0
        self._took = 0.0
        self._rates: list[float] = []
        self._steps = 0

    def start(self) -> None:
        """Let the time since the last step count for nothing."""
        self._last = self._clock()

    def data_came(self) -> None:
        """Count the time since the last step as waiting for data."""
        self._waited += self._clock() - self._last

    def step_done(self, images: int) -> None:
        """Count a step with so many images."""
        now = self._clock()
        seconds = now - self._last
        self._last = now
        self._took += seconds
        self._steps += 1
        # The first step reserves memory and compiles kernels.
        if self._steps > 1:
            self._rates.append(images / max(seconds, 1e-9))

    def images_per_second(self, last: int | None = None) -> float | None:
        """Return the median over all steps but the first, or over the last few."""
        rates = self._rates[-last:] if last else self._rates
        return median(rates) if rates else None

    @property
    def steps(self) -> int:
        """How many steps there were."""
        return self._steps

    @property
    def data_share(self) -> float | None:
        """Share of the steps' time that went by waiting for data, 0 to 1."""
        return self._waited / self._took if self._took else None

    @property
    def seconds(self) -> float:
        """What all steps took together."""
        return self._took
