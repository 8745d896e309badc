"""Predicting on all that a command names, so that it can be interrupted and continued.

The folder of a job holds what :mod:`.writers` writes, painted videos, and ``job.json``:
the command, what predicted, and whether it is finished.
"""

import math
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import count, tee
from typing import Any, Literal, NamedTuple

from custom_datasets.errors import ImageError, UserError
from custom_datasets.files import (
    clear_half_written,
    held_folder,
    write_json,
)
from custom_datasets.predicting.clips import Clip, Moment
from custom_datasets.predicting.images import Picture, Pixels
from custom_datasets.predicting.job_folder import Request, choose_folder, command_of
from custom_datasets.predicting.outputs import Answer
from custom_datasets.predicting.predictions_log import (
    Prediction,
    prediction_of,
    tags_json,
)
from custom_datasets.predicting.predictor import Predictor
from custom_datasets.predicting.sources import (
    Still,
    open_sources,
)
from custom_datasets.predicting.threads import Backlog
from custom_datasets.predicting.video import VideoWriter, copy_sound, name_videos
from custom_datasets.predicting.writers import (
    NOTE,
    PAINTED,
    Writers,
    written_names,
)
from custom_datasets.text import counted, shown

Progress = Callable[[int, int | None], None]
"""Is called with the images and frames done, and of all; None where unknown."""

Spread = Callable[[Sequence[Still], int], Iterator[Answer | ImageError]]
"""Predicts elsewhere on images that have a path, in order, some at a time."""


@dataclass
class Outcome:
    """What became of a job.

    Attributes:
        folder: Where everything is.
        images: How many images and frames were predicted, in this run and before.
        before: How many of them were done before.
        problems: A sentence for each image that could not be used.
        notes: What a user must know, and what is where.
        interrupted: Whether Ctrl-C ended it before its end.
    """

    folder: str
    images: int = 0
    before: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False


def predict_sources(
    predictor: Predictor,
    request: Request,
    progress: Progress = lambda done, total: None,
    spread: Spread | None = None,
) -> Outcome:
    """Predict on all sources and write what is asked for.

    After Ctrl-C, what is done is kept, and the same request goes on, with ``spread`` or
    without it.

    Raises:
        UserError: A source names nothing, the folder holds something else, or a file
            cannot be written; with ``spread``, a source is no image file.
    """
    notes: list[str] = []
    items = open_sources(request.sources, request.every, notes.append)
    if spread:
        _require_files(items)
    command = command_of(predictor, request)
    folder, note = choose_folder(command, request, predictor.checkpoint)
    with held_folder(folder):
        for name in written_names(folder):
            clear_half_written(os.path.join(folder, name))
        job = _Job(predictor, request, items, progress, spread, folder, note)
        job.outcome.notes += notes
        job.note |= {'command': command, 'model': str(predictor)}
        try:
            job.run()
        except KeyboardInterrupt:
            job.outcome.interrupted = True
        job.finish()
    return job.outcome


def tag_sources(
    predictor: Predictor,
    request: Request,
    form: Literal['list', 'dict'],
    progress: Progress = lambda done, total: None,
    ascii_only: bool = True,
) -> tuple[str, list[str], list[str]]:
    """Return a JSON of the classes on each image, a sentence per unusable one, notes.

    Nothing is written; ``outputs`` and ``out`` of the request are ignored.

    Raises:
        UserError: A source names nothing, or is a camera or a stream, which has no end.
    """
    notes: list[str] = []
    items = open_sources(request.sources, request.every, notes.append)
    predictions: list[Prediction] = []
    problems: list[str] = []
    typed = {os.path.abspath(text): text for text in request.sources}
    places: dict[str, str] = {}
    moments: dict[str, Moment] = {}

    def images() -> Iterator[tuple[str, Picture | Callable[[], Picture]]]:
        for item in items:
            if isinstance(item, Still):
                places[item.name] = typed.get(item.place, item.place)
                yield item.name, item.read
                continue
            if item.live:
                raise UserError(
                    f'{item.name}: tags are printed at the end, and it has none'
                )
            try:
                for moment, pixels in item.read():
                    name = _frame_name(item, moment)
                    moments[name] = moment
                    yield name, pixels
            except ImageError as error:
                problems.append(str(error))

    pictures, names = tee(images())
    for done, (answer, _) in enumerate(
        predictor.stream_pixels(
            (picture for _, picture in pictures),
            request.batch_size or predictor.network.batch_size,
            (name for name, _ in names),
            ahead=True,
        ),
        1,
    ):
        # What was typed, or where it is.
        name = places.get(answer.image, answer.image)
        if isinstance(answer, ImageError):
            problems.append(f'{name}: {answer.problem}')
        else:
            moment = moments.get(answer.image)
            predictions.append(prediction_of(name, answer, moment=moment))
        progress(done, None if done > len(items) else len(items))
    return tags_json(predictions, form, ascii_only), problems, notes


def _batched(items: Sequence[Still], size: int) -> Iterator[Sequence[Still]]:
    return (items[start : start + size] for start in range(0, len(items), size))


class _Answered(NamedTuple):
    answer: Answer | ImageError
    pixels: Pixels | None
    original: str | bytes | None


class _Job:
    def __init__(
        self,
        predictor: Predictor,
        request: Request,
        items: Sequence[Still | Clip],
        progress: Progress,
        spread: Spread | None,
        folder: str,
        note: Mapping[str, Any],
    ) -> None:
        self.predictor, self.request, self.progress = predictor, request, progress
        self.spread = spread
        self.writers = Writers(
            folder, predictor.task, predictor.classes, request.outputs
        )
        # By name, with the stamps of their files.
        self.note: dict[str, Any] = {'clips': dict(note.get('clips', {}))}
        self.outcome = Outcome(folder)
        self._forget_replaced(items)
        self.outcome.before = len(self.writers.done)
        self.batch_size = request.batch_size or predictor.network.batch_size
        stills = [item for item in items if isinstance(item, Still)]
        self.stills = [
            still
            for batch in _batched(stills, self.batch_size)
            # Those of its batch that are done help to predict the others as before.
            if not self.writers.done.issuperset(still.name for still in batch)
            for still in batch
        ]
        self.clips = [
            item
            for item in items
            if isinstance(item, Clip) and item.name not in self.note['clips']
        ]
        self.videos = name_videos([c.name for c in items if isinstance(c, Clip)])
        frames = [clip.frames for clip in self.clips]
        self.total = sum(n for n in frames if n is not None) + sum(
            still.name not in self.writers.done for still in self.stills
        )
        self.endless = None in frames
        self.count = 0

    def _forget_replaced(self, items: Sequence[Still | Clip]) -> None:
        """Predict again where a file is another than the one predicted on."""
        stamps = {item.name: item.stamp for item in items}

        def is_other(source: str, stamp: Sequence[int] | None) -> bool:
            now = stamps.get(source)
            return bool(stamp and now) and tuple(stamp or ()) != now

        clips = self.note['clips']
        replaced = [name for name, stamp in clips.items() if is_other(name, stamp)]
        for name in replaced:
            del clips[name]
        stale = []
        for prediction in self.writers.predictions:
            name = prediction.name
            source = name.rpartition('/')[0] if prediction.moment else name
            if is_other(source, prediction.stamp):
                stale.append(prediction)
                replaced.append(source)
        if stale:
            self.writers.forget(stale)
        if names := list(dict.fromkeys(replaced)):
            self.outcome.notes.append(
                f'{counted(len(names), "files")} predicted on again, replaced since: '
                f'{shown(names)}'
            )

    def run(self) -> None:
        """Predict on the images first, then on each clip."""
        self._save_note(finished=False)
        with Backlog(_MOST_WAITING) as writing:
            self._run_stills(writing)
        for clip in self.clips:
            self._run_clip(clip)
            self.note['clips'][clip.name] = clip.stamp
            self._save_note(finished=False)

    def finish(self) -> None:
        """Write the files about all images."""
        outcome = self.outcome
        outcome.images = len(self.writers.predictions)
        outcome.notes = [
            *self._summary(),
            *self.writers.finish(),
            *outcome.notes,
        ]
        self._save_note(finished=not outcome.interrupted)

    def _run_stills(self, writing: Backlog) -> None:
        answers = self._answers_of(self.spread) if self.spread else self._answers()
        for still, (answer, pixels, original) in zip(self.stills, answers, strict=True):
            if still.name in self.writers.done:
                continue
            if isinstance(answer, ImageError):
                # A user knows the place, and not always what we call it.
                self.outcome.problems.append(f'{still.place}: {answer.problem}')
            else:
                self._write(writing, still, answer, pixels, original)
            self._tell()

    def _answers(self) -> Iterator[_Answered]:
        originals: dict[str, Picture] = {}

        def read(still: Still) -> Picture:
            originals[still.name] = picture = still.read()
            return picture

        answers = self.predictor.stream_pixels(
            (partial(read, still) for still in self.stills),
            self.batch_size,
            (still.name for still in self.stills),
            ahead=True,
        )
        for still, (answer, pixels) in zip(self.stills, answers, strict=True):
            original = originals.pop(still.name, None)
            if not isinstance(original, (str, bytes)):
                original = None  # What is no file cannot be copied.
            yield _Answered(answer, pixels, original)

    def _answers_of(self, spread: Spread) -> Iterator[_Answered]:
        if not self.stills:
            return  # All is done, and nobody has to be waited for.
        answers = spread(self.stills, self.batch_size)
        for still, answer in zip(self.stills, answers, strict=True):
            yield _Answered(answer, None, still.path)

    def _write(
        self,
        writing: Backlog,
        still: Still,
        answer: Answer,
        pixels: Pixels | None,
        original: str | bytes | None,
    ) -> None:
        copied = original is not None
        prediction = self.writers.plan(still.name, answer, copied, None, still.stamp)

        def work() -> None:
            self.writers.write(prediction, answer, pixels, original)

        def step(_: None) -> None:
            self.writers.record(prediction)

        writing.submit(work, step, 3 * math.prod(answer.size))

    def _run_clip(self, clip: Clip) -> None:
        notes, problems = self.outcome.notes, self.outcome.problems
        if clip.note:
            notes.append(clip.note)
        moments: deque[Moment] = deque()

        def frames() -> Iterator[Pixels]:
            try:
                for moment, pixels in clip.read():
                    moments.append(moment)
                    yield pixels
            except ImageError as error:
                problems.append(str(error))

        path = os.path.join(self.outcome.folder, PAINTED, self.videos[clip.name])
        paints = self.request.outputs.painted
        done = 0
        try:
            with (
                (
                    VideoWriter(path, clip.fps, clip.size) if paints else nullcontext()
                ) as video,
                Backlog(_MOST_WAITING) as writing,
            ):
                for answer, pixels in self.predictor.stream_pixels(
                    frames(),
                    1 if clip.live else self.batch_size,
                    (_frame_name(clip, moments[-1]) for _ in count()),
                    ahead=not clip.live,
                ):
                    moment = moments.popleft()
                    if isinstance(answer, ImageError) or pixels is None:
                        problems.append(str(answer))
                        continue
                    self._write_frame(writing, clip, answer, pixels, moment, video)
                    done += 1
                    self._tell()
        except KeyboardInterrupt:
            if not clip.live:  # A camera has no other end.
                raise
        except ImageError as error:  # Its size or its rate cannot be written.
            problems.append(f'{error}; --no-painted predicts on it all the same')
        if paints and done:
            notes.append(f'{path}: the painted video')
            notes += [video.note] if video and video.note else []
            if not clip.live and (problem := copy_sound(str(clip.address), path)):
                notes.append(problem)

    def _write_frame(
        self,
        writing: Backlog,
        clip: Clip,
        answer: Answer,
        pixels: Pixels,
        moment: Moment,
        video: VideoWriter | None,
    ) -> None:
        name = answer.image
        prediction = self.writers.plan(name, answer, False, moment, clip.stamp)

        def work() -> Pixels | None:
            self.writers.write(prediction, answer, pixels)
            return answer.paint(pixels, keep_size=True) if video else None

        def step(painted: Pixels | None) -> None:
            self.writers.record(prediction)
            if video and painted is not None:
                video.write(painted, moment.frame // clip.every)

        writing.submit(work, step, pixels.size)

    def _tell(self) -> None:
        self.count += 1
        self.progress(self.count, None if self.endless else self.total)

    def _summary(self) -> list[str]:
        """Say what was found, most frequent first, and what was not looked at."""
        predictions = self.writers.predictions
        problems = len(self.outcome.problems)
        missed = [f'{counted(problems, "images")} could not be used'] * bool(problems)
        if not predictions:
            return missed
        names: Counter[str] = Counter()
        for prediction in predictions:
            if prediction.boxes is None:
                names.update(prediction.names[:1])
            else:
                names.update(box['name'] for box in prediction.boxes)
        text = ', '.join(f'{name} {n}' for name, n in names.most_common(_MOST_NAMES))
        if (more := len(names) - _MOST_NAMES) > 0:
            text += f' and {more} more'
        nothing = sum(not prediction.names for prediction in predictions)
        images = counted(len(predictions), 'images')
        empty = f'; nothing on {nothing} of them' * bool(nothing)
        before = self.outcome.before
        earlier = f' ({before} of them were done before)' * bool(before)
        return [f'{images}{earlier}: {text or "nothing"}{empty * bool(text)}', *missed]

    def _save_note(self, finished: bool) -> None:
        note = {**self.note, 'finished': finished, 'problems': self.outcome.problems}
        write_json(os.path.join(self.outcome.folder, NOTE), note)


_MOST_WAITING = 16 << 20
"""Of bytes of pixels that are predicted and not yet written."""

_MOST_NAMES = 10


def _require_files(items: Sequence[Still | Clip]) -> None:
    for item in items:
        if not isinstance(item, Still) or item.path is None:
            raise UserError(
                f'{item.name}: other machines are sent image files only; predict on '
                'videos, streams, zips and addresses without --engine ray'
            )


def _frame_name(clip: Clip, moment: Moment) -> str:
    return f'{clip.name}/{moment.frame:06d}'
