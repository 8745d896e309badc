"""What a server takes at most, so that nobody can fill its memory or its time."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from custom_datasets.data.image_kinds import MAX_PIXELS


def _limit(default: float, text: str) -> Any:
    return field(default=default, metadata={'text': text})


@dataclass(frozen=True)
class Limits:
    """What a server takes at most; the defaults suit two cores and photographs.

    Each is an option of ``tools/serve.py`` with its text as the help.
    """

    bytes: int = _limit(20_000_000, 'bytes of a request')
    pixels: int = _limit(MAX_PIXELS, 'pixels of an image, by its header')
    images: int = _limit(16, 'images of a request')
    seconds: float = _limit(30, 'seconds from a request to its answer')
    upload_seconds: float = _limit(30, 'seconds for which a request may arrive')
    header_seconds: float = _limit(10, 'seconds for which a request may begin')
    connections: int = _limit(512, 'open connections; who waits longest makes room')
    queue: int = _limit(32, 'images that wait or are predicted on')
    uploads: int = _limit(64, 'requests whose body is arriving')
    batch: int = _limit(8, 'images per run of the network')
    batch_wait: float = _limit(
        0.003, 'seconds for which a run of the network waits for images in preparation'
    )


@dataclass(frozen=True)
class Service:
    """What is served and to whom; workers get a copy.

    Attributes:
        model: The work directory of a run, or a config.
        checkpoint: With a config, or in place of a run's best; None takes that.
        threshold: As :class:`Predictor` takes it.
        device: ``cpu``, ``cuda:1``, ...; None is the first GPU, if there is one.
        options: What ``--cfg-options`` sets.
        trust: Whether to run whatever code the checkpoint brings.
        key: What ``Authorization: Bearer`` must say; empty asks for nothing.
        origins: Of pages in a browser that may ask this server.
        example: An image for the warm-up and the documentation; None takes one of the
            test set, else a drawn one.
        load_first: Whether no connection is accepted before the model is loaded.
    """

    model: str
    checkpoint: str | None = None
    threshold: Any = None
    device: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    trust: bool = False
    key: str = field(default='', repr=False)
    origins: tuple[str, ...] = ()
    example: str | None = None
    load_first: bool = False
    limits: Limits = Limits()

    @property
    def name(self) -> str:
        """What the model is called: its run's folder, or its config."""
        name = os.path.basename(os.path.normpath(os.path.abspath(self.model)))
        return name.removesuffix('.py')
