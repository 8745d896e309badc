"""Predicting on all that a command names, so that it can be interrupted and continued.

The folder of a job holds what :mod:`.writers` writes, painted videos, and ``job.json``:
the command, what predicted, and whether it is finished.
"""

import json
import os
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from itertools import count, tee
from pathlib import Path
from typing import Any, Literal

from custom_datasets.errors import ImageError, UserError
from custom_datasets.files import write_json
from custom_datasets.predicting.clips import Clip
from custom_datasets.predicting.images import Picture, Pixels
from custom_datasets.predicting.predictions_log import (
    Prediction,
    prediction_of,
    tags_json,
)
from custom_datasets.predicting.predictor import Predictor
from custom_datasets.predicting.sources import Still, open_sources
from custom_datasets.predicting.video import VideoWriter, copy_sound
from custom_datasets.predicting.writers import PAINTED, Outputs, Writers
from custom_datasets.text import counted

NOTE = 'job.json'
FOLDER = 'predictions'
"""Beside the checkpoint: where jobs go that name no folder."""

Progress = Callable[[int, int | None], None]
"""Is called with the images and frames done, and of all; None where unknown."""


@dataclass(frozen=True)
class Request:
    """What to predict on, and what to write where.

    Attributes:
        sources: As :func:`.sources.open_sources` takes them.
        outputs: What is to be written.
        out: The folder; None is a new one in ``predictions`` beside the checkpoint.
        overwrite: Whether ``out`` may hold an earlier job, which is removed.
        every: Of how many frames of a video one is taken.
        batch_size: Images per run of the network.
    """

    sources: Sequence[str]
    outputs: Outputs
    out: str | None = None
    overwrite: bool = False
    every: int = 1
    batch_size: int = 1


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
) -> Outcome:
    """Predict on all sources and write what is asked for.

    After Ctrl-C, what is done is kept, and the same request goes on.

    Raises:
        UserError: A source names nothing, the folder holds something else, or a file
            cannot be written.
    """
    items = open_sources(request.sources, request.every)
    job = _Job(predictor, request, items, progress)
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
) -> tuple[str, list[str]]:
    """Return a JSON of the classes on each image, and a sentence per unusable one.

    Nothing is written; ``outputs`` and ``out`` of the request are ignored.

    Raises:
        UserError: A source names nothing, or is a camera or a stream, which has no end.
    """
    items = open_sources(request.sources, request.every)
    predictions: list[Prediction] = []
    problems: list[str] = []
    paths: dict[str, str] = {}
    typed = {os.path.abspath(text): text for text in request.sources}

    def read(still: Still) -> Picture:
        picture = still.read()
        if isinstance(picture, str):
            paths[still.name] = typed.get(picture, picture)
        return picture

    def images() -> Iterator[tuple[str, Picture | Callable[[], Picture]]]:
        for item in items:
            if isinstance(item, Still):
                yield item.name, partial(read, item)
                continue
            if item.live:
                raise UserError(f'{item.name}: has no end, and tags are printed there')
            try:
                for number, pixels in item.read():
                    yield f'{item.name}/{number:06d}', pixels
            except ImageError as error:
                problems.append(str(error))

    pictures, names = tee(images())
    for done, answer in enumerate(
        predictor.stream(
            (picture for _, picture in pictures),
            batch_size=request.batch_size,
            names=(name for name, _ in names),
        ),
        1,
    ):
        # What was typed, or where it is, if it is a file.
        name = paths.get(answer.image, answer.image)
        if isinstance(answer, ImageError):
            problems.append(f'{name}: {answer.problem}')
        else:
            predictions.append(prediction_of(name, answer))
        progress(done, None if done > len(items) else len(items))
    return tags_json(predictions, form), problems


class _Job:
    def __init__(
        self,
        predictor: Predictor,
        request: Request,
        items: Sequence[Still | Clip],
        progress: Progress,
    ) -> None:
        self.predictor, self.request, self.progress = predictor, request, progress
        command = _command(predictor, request)
        folder, note = _choose_folder(command, request, predictor.checkpoint)
        self.writers = Writers(
            folder, predictor.task, predictor.classes, request.outputs
        )
        self.note = {
            'command': command,
            'model': str(predictor),
            'clips': note.get('clips', []),
        }
        self.outcome = Outcome(folder, before=len(self.writers.done))
        self.stills = [
            item
            for item in items
            if isinstance(item, Still) and item.name not in self.writers.done
        ]
        self.clips = [
            item
            for item in items
            if isinstance(item, Clip) and item.name not in self.note['clips']
        ]
        self.names = [item.name for item in items if isinstance(item, Clip)]
        frames = [clip.frames for clip in self.clips]
        self.total = sum(n for n in frames if n is not None) + len(self.stills)
        self.endless = None in frames
        self.count = 0
        self._save_note(finished=False)

    def run(self) -> None:
        """Predict on the images first, then on each clip."""
        self._run_stills()
        for clip in self.clips:
            self._run_clip(clip)
            self.note['clips'].append(clip.name)
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

    def _run_stills(self) -> None:
        originals: dict[str, Picture] = {}

        def read(still: Still) -> Picture:
            originals[still.name] = picture = still.read()
            return picture

        answers = self.predictor.stream_pixels(
            (partial(read, still) for still in self.stills),
            self.request.batch_size,
            (still.name for still in self.stills),
        )
        for still, (answer, pixels) in zip(self.stills, answers, strict=True):
            original = originals.pop(still.name, None)
            if not isinstance(original, (str, bytes)):
                original = None  # What is no file cannot be copied.
            if isinstance(answer, ImageError):
                # A user knows the path, and not always what we call it.
                path = original if isinstance(original, str) else answer.image
                self.outcome.problems.append(f'{path}: {answer.problem}')
            elif pixels is not None:
                self.writers.add(still.name, answer, pixels, original)
            self._tell()

    def _run_clip(self, clip: Clip) -> None:
        notes, problems = self.outcome.notes, self.outcome.problems
        if clip.note:
            notes.append(clip.note)
        numbers: deque[int] = deque()

        def frames() -> Iterator[Pixels]:
            try:
                for number, pixels in clip.read():
                    numbers.append(number)
                    yield pixels
            except ImageError as error:
                problems.append(str(error))

        path = os.path.join(self.outcome.folder, PAINTED, self._video_of(clip))
        paints = self.request.outputs.painted
        done = 0
        try:
            with (
                VideoWriter(path, clip.fps, clip.size) if paints else nullcontext()
            ) as video:
                for answer, pixels in self.predictor.stream_pixels(
                    frames(),
                    1 if clip.live else self.request.batch_size,
                    (f'{clip.name}/{numbers[-1]:06d}' for _ in count()),
                ):
                    number = numbers.popleft()
                    if isinstance(answer, ImageError) or pixels is None:
                        problems.append(str(answer))
                        continue
                    self.writers.add(answer.image, answer, pixels, frame=True)
                    if video:
                        painted = answer.paint(pixels, keep_size=True)
                        video.write(painted, number // clip.every)
                    done += 1
                    self._tell()
        except KeyboardInterrupt:
            if not clip.live:  # A camera has no other end.
                raise
        if paints and done:
            notes.append(f'{path}: the painted video')
            if not clip.live and (problem := copy_sound(str(clip.address), path)):
                notes.append(problem)

    def _video_of(self, clip: Clip) -> str:
        """Return the name of a painted video: the clip's, unless another has it."""
        stem = os.path.splitext(clip.name)[0]
        alone = sum(os.path.splitext(name)[0] == stem for name in self.names) == 1
        return f'{stem if alone else clip.name}.mp4'

    def _tell(self) -> None:
        self.count += 1
        self.progress(self.count, None if self.endless else self.total)

    def _summary(self) -> list[str]:
        """Say what was found, most frequent first."""
        predictions = self.writers.predictions
        if not predictions:
            return []
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
        return [f'{images}: {text or "nothing"}{empty if text else ""}']

    def _save_note(self, finished: bool) -> None:
        note = {**self.note, 'finished': finished, 'problems': self.outcome.problems}
        write_json(os.path.join(self.outcome.folder, NOTE), note)


_MOST_NAMES = 10


def _command(predictor: Predictor, request: Request) -> dict[str, Any]:
    """Return what makes two jobs the same."""
    return {
        'sources': [
            os.path.abspath(text) if os.path.exists(text) else text
            for text in request.sources
        ],
        'checkpoint': os.path.abspath(predictor.checkpoint),
        'decision': str(predictor.decision),
        'outputs': asdict(request.outputs),
        'every': request.every,
    }


def _choose_folder(
    command: dict[str, Any], request: Request, checkpoint: str
) -> tuple[str, dict[str, Any]]:
    """Return the folder of a job and the note there, if the job was begun before."""
    if request.out is None:
        root = Path(os.path.dirname(checkpoint), FOLDER)
        for path in sorted(root.glob(f'*/{NOTE}'), reverse=True):
            note = _read_note(path)
            if not note.get('finished', True) and note.get('command') == command:
                return str(path.parent), note
        name = f'{datetime.now():%Y%m%d_%H%M%S}'
        return next(
            (str(folder), {})
            for number in count()
            if not (folder := root / (f'{name}_{number}' if number else name)).exists()
        )
    if not os.path.isdir(request.out) or not os.listdir(request.out):
        return request.out, {}
    note = _read_note(Path(request.out, NOTE))
    if not note:
        raise UserError(
            f'{request.out}: is not empty, and holds no predictions; name another --out'
        )
    if not note.get('finished', True) and note.get('command') == command:
        return request.out, note
    if not request.overwrite:
        raise UserError(
            f'{request.out}: holds the predictions of another command; name another '
            '--out, or --overwrite replaces them'
        )
    shutil.rmtree(request.out)
    return request.out, {}


def _read_note(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
