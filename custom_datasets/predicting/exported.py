"""An exported model: a folder that runs without PyTorch and mmdet."""

import functools
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.image_kinds import MAX_PIXELS
from custom_datasets.errors import UserError
from custom_datasets.files import file_digest
from custom_datasets.predicting.images import Pixels
from custom_datasets.predicting.outputs import BoxArrays, RawAnswer
from custom_datasets.predicting.run_folder import (
    DEFAULT_THRESHOLD,
    Decision,
    Threshold,
    require_threshold,
)

ABOUT = 'model.json'
"""The file that makes a folder an exported model."""

FORMAT = 1

RUNTIMES = {'openvino': 'model.xml', 'onnx': 'model.onnx'}
"""What can run a model, the faster first, and the file that it opens."""

WEIGHTS = 'model.bin'
"""What OpenVINO reads beside its file."""

EXACT = {'INFERENCE_PRECISION_HINT': 'f32'}
"""OpenVINO's property for float32, where some processors would take bfloat16."""

MAX_BATCH = 1024
"""Images in a run at most."""

_LONGEST = 16384
_LEAST = 1e-6

INPUTS = 'images', 'shapes'
"""What the inputs are called; classifiers have the first alone."""

_PACKAGES = {'openvino': 'openvino', 'onnx': 'onnxruntime'}

Array = NDArray[np.float32]
Run = Callable[[Sequence[Array]], list[NDArray[Any]]]
"""From the inputs of a model to its outputs, in their order."""


class InputSpec(TypedDict):
    """How pixels become the network's input; lengths are in pixels.

    ``square`` fills an image up with black to a square before anything else.
    ``keep_ratio`` fits it into ``width`` and ``height``, else it is stretched to them.
    With ``short_edge`` its shorter side becomes so long instead, and the middle, of
    ``width`` and ``height``, is cut out.
    Then each channel is ``(value - mean) / std``, in the order of ``channels``, and
    zeros on the right and below fill it up to ``padded_width`` and ``padded_height``.
    """

    width: int
    height: int
    padded_width: int
    padded_height: int
    keep_ratio: bool
    square: bool
    short_edge: int | None
    channels: str
    mean: list[float]
    std: list[float]


class DecisionSpec(TypedDict):
    """Which answers count; ``per_class`` is None where no report has chosen any."""

    threshold: float
    why: str
    per_class: list[float] | None
    temperature: float | None


class About(TypedDict):
    """The content of ``model.json``.

    ``batch`` is the number of images in a run, None where any number is taken;
    ``files`` are, by what runs them, the SHA-256 of each file. ``precision`` is
    ``float32``, ``float16`` or ``int8``, ``openvino`` its properties for that;
    ``parity`` is what was found between PyTorch
    and float32, ``measured`` how good and how fast each is; ``source`` and ``versions``
    say of what it was made.
    """

    format: int
    task: str
    architecture: str
    classes: list[str]
    palette: Any
    batch: int | None
    input: InputSpec
    decision: DecisionSpec
    files: dict[str, dict[str, str]]
    parity: dict[str, Any]
    precision: str
    openvino: dict[str, str]
    measured: dict[str, Any]
    source: dict[str, Any]
    versions: dict[str, str]


def is_export(folder: str) -> bool:
    """Tell whether a path is the folder of an exported model."""
    return os.path.isfile(os.path.join(folder, ABOUT))


class ExportedNetwork:
    """The model of a folder, in a run-time for CPUs; stands where a Network may.

    Attributes:
        about: What ``model.json`` says.
        runtime: ``openvino`` or ``onnx``.
        task: ``detection`` or ``classification``.
        classes: The names of the classes, in the order of the labels.
        palette: The colours of the classes, or None.
        batch_size: How many images a run takes; 1 where it takes any number.
    """

    def __init__(
        self, folder: str, runtime: str | None = None, threads: int | None = None
    ) -> None:
        """Load the model.

        Args:
            folder: What ``tools/export.py`` wrote.
            runtime: ``openvino`` or ``onnx``; None is the first that is in the folder
                and installed here.
            threads: How many a run takes; None leaves it to the run-time.

        Raises:
            UserError: It is incomplete or damaged, or nothing here can run it.
        """
        self.about = read_about(folder)
        self.runtime = _choose_runtime(folder, self.about, runtime)
        _require_files(folder, self.about['files'][self.runtime])
        self.task = self.about['task']
        self.classes = tuple(self.about['classes'])
        self.palette = self.about['palette']
        self.batch_size = self.about['batch'] or 1
        self._path = path = os.path.join(folder, RUNTIMES[self.runtime])
        try:
            if self.runtime == 'openvino':
                self._run = _open_openvino(path, self.about['openvino'], threads)
            else:
                self._run = onnx_run(path, threads)
        except (OSError, RuntimeError, ValueError) as error:
            reason = f'{type(error).__name__}: {error}'.splitlines()[0]
            raise UserError(f'{path}: cannot be opened ({reason})') from error
        self._lock = threading.Lock()

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that decides about answers, beside the weights."""
        return {**self.about, 'runtime': self.runtime}

    def pipeline(self, pixels: Pixels, name: str) -> dict[str, Any]:
        """Return the network's input of an image, as :func:`letterbox` does."""
        inputs, shape, scale = letterbox(pixels, self.about['input'])
        return {'inputs': inputs, 'shape': shape, 'scale': scale}

    def answers(self, batch: Sequence[Mapping[str, Any]]) -> list[RawAnswer]:
        """Predict on what the pipeline returned; threads take turns."""
        size = self.about['batch'] or len(batch)
        answers: list[RawAnswer] = []
        for start in range(0, len(batch), size):
            rows = batch[start : start + size]
            try:
                with self._lock:
                    answers += read_answers(self.about, self._run, rows)
            except (RuntimeError, ValueError) as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
                raise UserError(
                    f'{self._path}: does not run as {ABOUT} says ({reason}); copy the '
                    'folder again, or export the model again'
                ) from error
        return answers

    def decide(self, threshold: Threshold | None = None) -> Decision:
        """Choose threshold and temperature as the export did, or as given.

        Raises:
            UserError: There is no threshold that was asked for.
        """
        spec = self.about['decision']
        if threshold is not None:
            require_threshold(threshold)
        if isinstance(threshold, (int, float)):
            return Decision(float(threshold), 'as given', spec['temperature'])
        if threshold == 'per-class':
            if spec['per_class'] is None:
                raise UserError(
                    f'threshold {threshold!r}: no report had chosen any when the model '
                    'was exported'
                )
            return Decision(tuple(spec['per_class']), spec['why'], spec['temperature'])
        return Decision(spec['threshold'], spec['why'], spec['temperature'])


def letterbox(
    pixels: Pixels, spec: InputSpec
) -> tuple[Array, tuple[int, int], tuple[float, float]]:
    """Return an input (3, height, width), and how an image lies in it.

    That is the height and width that it fills, and by how much its width and its
    height were multiplied. Sizes are rounded as mmcv does.
    """
    height, width = pixels.shape[:2]
    if spec['square']:
        below, right = max(width - height, 0), max(height - width, 0)
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)))
        height, width = pixels.shape[:2]
    size = spec['width'], spec['height']
    if spec['keep_ratio']:
        factor = min(size[0] / width, size[1] / height)
        size = max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1)
    if edge := spec['short_edge']:
        resized = _middle(pixels, edge, *size)
    else:
        resized = _resize(pixels, *size)
    values = resized[:, :, :: -1 if spec['channels'] == 'RGB' else 1]
    mean, std = (np.array(spec[key], np.float32) for key in ('mean', 'std'))  # type: ignore[literal-required]
    inputs = np.zeros((3, spec['padded_height'], spec['padded_width']), np.float32)
    inputs[:, : size[1], : size[0]] = (
        (values.astype(np.float32) - mean) / std
    ).transpose(2, 0, 1)
    return inputs, (size[1], size[0]), (size[0] / width, size[1] / height)


def _middle(pixels: Pixels, edge: int, width: int, height: int) -> Pixels:
    """Resize the shorter side to ``edge`` and cut the middle out, rounded as mmcv."""
    high, wide = pixels.shape[:2]
    size = [edge * side // min(wide, high) for side in (wide, high)]
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    return _resize(pixels, *size)[top : top + height, left : left + width]


def _resize(pixels: Pixels, width: int, height: int) -> Pixels:
    resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized  # type: ignore[return-value]


def run_inputs(about: About, rows: Sequence[Mapping[str, Any]]) -> list[Array]:
    """Return the inputs of a run on what :meth:`ExportedNetwork.pipeline` returned.

    A run of a fixed size is filled up with the first image.
    """
    size = about['batch'] or len(rows)
    filled = [*rows, *[rows[0]] * (size - len(rows))]
    inputs = [np.stack([row['inputs'] for row in filled])]
    if about['task'] == 'detection':
        inputs.append(np.array([row['shape'] for row in filled], np.float32))
    return inputs


def read_answers(
    about: About, run: Run, rows: Sequence[Mapping[str, Any]]
) -> list[RawAnswer]:
    """Run a model on as many images as it takes at most, and read its outputs."""
    outputs = run(run_inputs(about, rows))
    classes = len(about['classes'])
    if about['task'] == 'classification':
        if outputs[0].shape[1:] != (classes,):
            raise ValueError(f'{classes} classes, and outputs of {outputs[0].shape}')
        return [scores.astype(np.float64) for scores in outputs[0][: len(rows)]]
    if any(labels.max(initial=0) >= classes for labels in outputs[2::3]):
        raise ValueError(f'{classes} classes, and a label beyond them')
    return [
        BoxArrays(
            boxes.reshape(-1, 4).astype(np.float64) / np.array(row['scale'] * 2),
            scores.astype(np.float64),
            labels.astype(np.intp),
        )
        for row, boxes, scores, labels in zip(
            rows, outputs[::3], outputs[1::3], outputs[2::3], strict=False
        )
    ]


def decision_spec(
    decision: Decision, per_class: Decision | None = None
) -> DecisionSpec:
    """Return decisions as ``model.json`` has them."""
    threshold, classes = decision.threshold, per_class and per_class.threshold
    return {
        'threshold': threshold if isinstance(threshold, float) else DEFAULT_THRESHOLD,
        'why': decision.why,
        'per_class': list(classes) if isinstance(classes, tuple) else None,
        'temperature': decision.temperature,
    }


def read_about(folder: str) -> About:
    """Read ``model.json``; a UserError where it is missing or damaged."""
    path = os.path.join(folder, ABOUT)
    try:
        about: About = json.loads(Path(path).read_text(encoding='utf-8'))
        number = about['format']
        missing = sorted(About.__annotations__.keys() - about.keys())
    except FileNotFoundError as error:
        raise UserError(
            f'{folder}: has no {ABOUT}; name a folder that tools/export.py wrote'
        ) from error
    except (
        *(OSError, ValueError, LookupError, TypeError, AttributeError),
        RecursionError,
    ) as error:
        raise UserError(
            f'{path}: incomplete or damaged ({type(error).__name__}: {error}); export '
            'the model again'
        ) from error
    if number != FORMAT:
        raise UserError(f'{path}: has format {number}, and this reads {FORMAT} only')
    if missing:
        raise UserError(
            f'{path}: incomplete or damaged (has no {missing[0]!r}); export the model '
            'again'
        )
    faults = [name for name, is_sound in _SOUND.items() if not is_sound(about)]
    if faults:
        raise UserError(
            f'{path}: {faults[0]!r} is not what an export writes; export the model '
            'again'
        )
    return about


def _check(sound: Callable[[About], bool]) -> Callable[[About], bool]:
    """Let what has another type be unsound, too."""

    def check(about: About) -> bool:
        try:
            return bool(sound(about))
        except (TypeError, KeyError, AttributeError):
            return False

    return check


def _is_input(spec: InputSpec) -> bool:
    sides = spec['width'], spec['height'], spec['padded_width'], spec['padded_height']
    return (
        all(type(side) is int and 0 < side <= _LONGEST for side in sides)
        and spec['padded_width'] * spec['padded_height'] <= MAX_PIXELS
        and spec['width'] <= spec['padded_width']
        and spec['height'] <= spec['padded_height']
        and spec['channels'] in ('RGB', 'BGR')
        and {type(spec['keep_ratio']), type(spec['square'])} == {bool}
        and _is_edge(spec['short_edge'], max(spec['width'], spec['height']))
        and len(spec['mean']) == len(spec['std']) == 3
        and all(abs(value) <= 1 / _LEAST for value in spec['mean'])
        and all(_LEAST <= value <= 1 / _LEAST for value in spec['std'])
    )


def _is_edge(edge: Any, side: int) -> bool:
    return edge is None or (type(edge) is int and side <= edge <= _LONGEST)


def _is_decision(spec: DecisionSpec, classes: int) -> bool:
    own, temperature = spec['per_class'], spec['temperature']
    return (
        0 <= spec['threshold'] <= 1
        # A class for which no threshold was found has 2, which no score reaches.
        and all(0 <= each <= 1 or each == 2 for each in own or ())
        and (own is None or len(own) == classes)
        and (temperature is None or _LEAST <= temperature <= 1 / _LEAST)
        and isinstance(spec['why'], str)
    )


def _are_files(files: Mapping[str, Mapping[str, str]]) -> bool:
    """Tell whether each run-time has its files, all of them and no others."""
    own = {name: {RUNTIMES[name]} for name in files}
    if 'openvino' in own:
        own['openvino'].add(WEIGHTS)
    return bool(files) and all(
        set(digests) == own[name] and all(isinstance(x, str) for x in digests.values())
        for name, digests in files.items()
    )


_SOUND = {
    'task': _check(lambda about: about['task'] in ('detection', 'classification')),
    'classes': _check(
        lambda about: (
            isinstance(about['classes'], list)
            and all(isinstance(name, str) for name in about['classes'])
            and 0 < len(about['classes']) == len(set(about['classes']))
        )
    ),
    'batch': _check(
        lambda about: (
            about['batch'] is None
            or (type(about['batch']) is int and 1 <= about['batch'] <= MAX_BATCH)
        )
    ),
    'input': _check(lambda about: _is_input(about['input'])),
    'decision': _check(
        lambda about: _is_decision(about['decision'], len(about['classes']))
    ),
    # Others would write files, or compute otherwise.
    'openvino': _check(lambda about: about['openvino'] in ({}, EXACT)),
    'files': _check(lambda about: _are_files(about['files'])),
}
"""By its name, whether a part of ``model.json`` is what everything relies on."""


def _choose_runtime(folder: str, about: About, wanted: str | None) -> str:
    in_folder = [name for name in RUNTIMES if name in about['files']]
    if wanted is not None and wanted not in in_folder:
        raise UserError(
            f'{folder}: has no model for {wanted}, only for {", ".join(in_folder)}'
        )
    choice = in_folder if wanted is None else [wanted]
    for name in choice:
        if find_spec(_PACKAGES[name]) is not None:
            return name
    packages = ' or '.join(_PACKAGES[name] for name in choice)
    raise UserError(f'{folder}: cannot be run here; run pip install {packages}')


def _require_files(folder: str, digests: Mapping[str, str]) -> None:
    for name, digest in digests.items():
        path = os.path.join(folder, name)
        try:
            if file_digest(path) == digest:
                continue
        except OSError as error:
            raise UserError(f'{path}: cannot be read ({error.strerror})') from error
        raise UserError(
            f'{path}: is not the file that was exported; copy the folder again, or '
            'export the model again'
        )


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which is on unless told otherwise."""
    sys.modules.setdefault('openvino_telemetry', None)  # type: ignore[arg-type]
    import openvino

    return openvino


@functools.cache
def openvino_core() -> Any:
    """Return OpenVINO's core, of which a process has one until it ends.

    Each core lays down a stack for signal handlers, and gives back the one that was
    there before: of two that overlap, the first to go leaves its own, unmapped, and the
    next signal, such as Ctrl-C, is a segmentation fault.
    """
    return import_openvino().Core()


def _open_openvino(
    path: str, properties: Mapping[str, Any], threads: int | None
) -> Run:
    settings = dict(properties)
    if threads is not None:
        settings['INFERENCE_NUM_THREADS'] = threads
    return openvino_run(openvino_core().compile_model(path, 'CPU', settings))


def openvino_run(compiled: Any) -> Run:
    """Return what runs a model that OpenVINO has compiled."""

    def run(inputs: Sequence[Array]) -> list[NDArray[Any]]:
        answers = compiled(list(inputs))
        return [np.array(answers[port]) for port in compiled.outputs]

    return run


def onnx_run(model: str | bytes, threads: int | None = None) -> Run:
    """Open a file, or what would be in it, in ONNX Runtime.

    Raises:
        RuntimeError: It cannot be opened.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    try:
        session = onnxruntime.InferenceSession(
            model, options, providers=['CPUExecutionProvider']
        )
    except Exception as error:  # Its errors derive from Exception alone.
        raise RuntimeError(str(error)) from error
    names = [port.name for port in session.get_inputs()]

    def run(inputs: Sequence[Array]) -> list[NDArray[Any]]:
        feed = dict(zip(names, inputs, strict=True))
        try:
            outputs: list[NDArray[Any]] = session.run(None, feed)
        except Exception as error:  # As above.
            raise RuntimeError(str(error)) from error
        return outputs

    return run
