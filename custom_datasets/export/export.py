"""From a checkpoint to a folder that runs without PyTorch."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from custom_datasets.config import iter_dicts
from custom_datasets.errors import UserError
from custom_datasets.evaluation.intervals import Estimate
from custom_datasets.export.inputs import input_spec
from custom_datasets.export.measuring import Measurements, measure_exports
from custom_datasets.export.parity import (
    EAGER,
    Parity,
    Progress,
    choose_images,
    compare,
    images_of,
)
from custom_datasets.export.quantising import Outcome, Task, quantise
from custom_datasets.export.writing import write_half, write_model
from custom_datasets.files import (
    MARK,
    file_digest,
    json_bytes,
    new_folder,
    require_free,
    write_files,
)
from custom_datasets.predicting.config import quiet, same_data
from custom_datasets.predicting.exported import (
    ABOUT,
    EXACT,
    FORMAT,
    RUNTIMES,
    About,
    ExportedNetwork,
    InputSpec,
    decision_spec,
    is_export,
)
from custom_datasets.predicting.model import Network, read_network
from custom_datasets.predicting.run_folder import (
    Decision,
    decide,
    find_checkpoint,
    find_config,
    require_model,
)
from custom_datasets.runs.tables import Difference, markdown_table, write_cell
from custom_datasets.text import counted
from custom_datasets.versions import installed_version

PRECISIONS = 'float32', 'float16', 'int8'
_TITLES = {'openvino': 'OpenVINO', 'onnx': 'ONNX Runtime'}
_PACKAGES = {'openvino': ('openvino',), 'onnx': ('onnx', 'onnxruntime')}
_SCRIPTS = {'detection': 'predict_boxes.py', 'classification': 'predict_class.py'}
_PAPERS = 'labels.txt', 'predict.py', 'README.md'
MAX_DROP = 0.003
"""What int8 may lose of COCO AP or top-1 on the validation set."""


@dataclass(frozen=True)
class Request:
    """What is to be exported.

    Attributes:
        model: A run's work directory, or a config.
        out: The folder to make.
        checkpoint: With a config, or in place of a run's best.
        runtimes: For which of ``openvino`` and ``onnx``.
        size: Width and height instead of those of the test pipeline.
        batch: Images in a run; None is any number.
        precision: One of ``PRECISIONS``.
        max_drop: What int8 may lose of COCO AP or top-1 on the validation set before
            layers stay in float.
        images: On how many images it is compared at most; None is all of a set.
        overwrite: Whether an earlier export in ``out`` is replaced.
        options: What ``--cfg-options`` sets.
        trust: Whether to run whatever code the checkpoint brings.
    """

    model: str
    out: str
    checkpoint: str | None = None
    runtimes: Sequence[str] = ('openvino',)
    size: tuple[int, int] | None = None
    batch: int | None = 1
    precision: str = 'float32'
    max_drop: float = MAX_DROP
    images: int | None = None
    overwrite: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    trust: bool = False


def export_model(
    request: Request, progress: Progress, say: Callable[[str], None] = lambda line: None
) -> list[str]:
    """Write a folder, compare what is in it with PyTorch, and say what was found.

    ``say`` is told what takes a while.

    Raises:
        UserError: Something is missing or damaged; the network cannot be exported; or
            the exported one differs.
    """
    require_model(request.model)
    _require_replaceable(request)
    config, checkpoint = request.model, request.checkpoint
    if os.path.isdir(config):
        config = find_config(request.model)
        checkpoint = checkpoint or find_checkpoint(request.model)[0]
    if checkpoint is None:
        raise UserError(f'{config}: is a config; name a checkpoint as well')
    with quiet():
        network = read_network(
            config, checkpoint, request.options, device='cpu', trust=request.trust
        )
    decision, per_class = _decisions(network, checkpoint)
    if place := os.path.dirname(
        checkpoint
    ):  # It means nothing where this is copied to.
        decision = replace(decision, why=decision.why.replace(place + os.sep, ''))
    spec = input_spec(network.cfg, request.size)
    _require_possible(network, spec, request)
    task = _calibration(network, request) if request.precision == 'int8' else None
    with (
        new_folder(request.out, request.overwrite, checkpoint) as folder,
        TemporaryDirectory(prefix='.float32-', dir=folder) as exact,
    ):
        for runtime in request.runtimes:
            write_model(network, spec, request.batch, runtime, exact)
        about: About = {
            'format': FORMAT,
            'task': network.task,
            'architecture': type(network.model).__name__,
            'classes': list(network.classes),
            'palette': network.palette,
            'batch': request.batch,
            'precision': 'float32',
            'openvino': EXACT,
            'input': spec,
            'decision': decision_spec(decision, per_class),
            'files': {name: _digests(exact, name) for name in request.runtimes},
            'parity': {},
            'measured': {},
            'source': _source(network, config, checkpoint),
            'versions': _versions(request),
        }
        write_files(exact, {ABOUT: json_bytes(about)})
        originals = {
            runtime: ExportedNetwork(exact, runtime) for runtime in request.runtimes
        }
        parity = compare(
            network,
            list(originals.values()),
            decision,
            choose_images(network, spec, request.images),
            progress,
        )
        exported = {
            f'{_TITLES[name]} float32': (model, exact)
            for name, model in originals.items()
        }
        outcomes = _lower(request, task, exact, folder, say)
        if request.precision != 'float32':
            about |= {
                'precision': request.precision,
                'openvino': {} if request.precision == 'float16' else EXACT,
                'files': {name: _digests(folder, name) for name in request.runtimes},
            }
            write_files(folder, {ABOUT: json_bytes(about)})
            exported |= {
                f'{_TITLES[name]} {request.precision}': (
                    ExportedNetwork(folder, name),
                    folder,
                )
                for name in request.runtimes
            }
        measured = measure_exports(network, parity, exported)
        about |= {
            'parity': parity.to_dict(),
            'measured': {**measured, 'quantisation': outcomes},
        }
        labels = ''.join(f'{name}\n' for name in network.classes)
        script = Path(__file__).with_name('templates') / _SCRIPTS[network.task]
        write_files(
            folder,
            {
                ABOUT: json_bytes(about),
                'labels.txt': labels.encode(),
                'predict.py': script.read_bytes(),
                'README.md': _readme(about, parity, measured).encode(),
            },
        )
    return _notes(request, about, parity, measured, outcomes)


def _require_replaceable(request: Request) -> None:
    """Raise a UserError where ``out`` is there, and has more than an export."""
    out = request.out
    require_free(out, request.overwrite)
    if not os.path.isdir(out) or not os.listdir(out):
        return
    files = {ABOUT, *_PAPERS, *RUNTIMES.values(), 'model.bin', MARK}
    others = sorted(set(os.listdir(out)) - files)
    if others or not is_export(out):
        raise UserError(
            f'{out}: {f"has {others[0]}, which" if others else "is no export, and"} '
            'would be lost; remove it yourself or choose another folder'
        )


def _calibration(network: Network, request: Request) -> Task:
    """Return what int8 is calibrated on, with the places still empty."""
    try:
        images = images_of(network, 'validation')
    except UserError as error:
        raise UserError(
            f'int8 is calibrated on the validation set, which cannot be read: {error}; '
            '--cfg-options data_root=... says where it is'
        ) from error
    if images.labelled is None:
        raise UserError(
            'int8 is calibrated on the validation set, and its images have no labels'
        )
    if same_data(network.cfg):
        raise UserError(
            f'{network.cfg.filename}: its validation set is its test set, on which '
            'int8 is not calibrated; split one off (tools/dataset_converters/split.py)'
        )
    return {
        'source': '',
        'runtime': '',
        'out': '',
        'images': [
            os.path.abspath(sample['img_path']) for sample in images.labelled.truth
        ],
        'classes': list(images.labelled.classes),
        'truth': images.labelled.truth,
        'max_drop': request.max_drop,
    }


def _lower(
    request: Request,
    task: Task | None,
    exact: str,
    folder: str,
    say: Callable[[str], None],
) -> dict[str, Outcome]:
    """Write the float32 models of ``exact`` in the precision that was asked for."""
    outcomes = {}
    for runtime in request.runtimes:
        if task:
            say(f'{_TITLES[runtime]}: int8, calibrated on the validation set, ...')
            path = os.path.join(folder, RUNTIMES[runtime])
            outcomes[runtime] = quantise(
                {**task, 'source': exact, 'runtime': runtime, 'out': path}
            )
        elif request.precision == 'float16':
            write_half(exact, runtime, folder)
        else:
            for name in _digests(exact, runtime):
                shutil.copy(os.path.join(exact, name), folder)
    return outcomes


def _decisions(network: Network, checkpoint: str) -> tuple[Decision, Decision | None]:
    folder = os.path.dirname(checkpoint)
    facts, classes, task = network.facts, network.classes, network.task
    decision = decide(folder, checkpoint, facts, classes, task)
    if task == 'classification':
        return decision, None
    try:
        return decision, decide(folder, checkpoint, facts, classes, task, 'per-class')
    except UserError:  # No report has chosen any.
        return decision, None


def _require_possible(network: Network, spec: InputSpec, request: Request) -> None:
    name = network.cfg.filename
    if request.batch is None and network.task == 'detection':
        raise UserError(
            f'{name}: a detector is exported for a fixed number of images, since each '
            'has boxes of its own; give --batch N'
        )
    if network.task == 'detection' and (spec['square'] or spec['short_edge']):
        raise UserError(
            f'{name}: its test pipeline fills up or cuts images, which an exported '
            'detector does not; it resizes them (Resize)'
        )
    for settings in iter_dicts(network.cfg.model.get('test_cfg')):
        nms = settings.get('nms') or {}
        if nms.get('type', 'nms') != 'nms':
            raise UserError(
                f'{name}: its test_cfg has {nms["type"]}, and only plain NMS can be '
                "exported; set it to dict(type='nms', iou_threshold=...)"
            )
    if network.cfg.model.type.split('.')[-1] == 'SingleStageDetector':
        generator = network.cfg.model.bbox_head.get('anchor_generator') or {}
        side = generator.get('input_size')
        if side and (spec['width'], spec['height']) != (side, side):
            raise UserError(
                f'{name}: its anchors are those of {side} x {side} pixels; leave out '
                '--size'
            )


def _digests(folder: str, runtime: str) -> dict[str, str]:
    main = RUNTIMES[runtime]
    files = [main, 'model.bin'] if runtime == 'openvino' else [main]
    return {name: file_digest(os.path.join(folder, name)) for name in files}


def _source(network: Network, config: str, checkpoint: str) -> dict[str, Any]:
    is_file = os.path.isfile(checkpoint)
    return {
        'config': os.path.basename(config),
        'checkpoint': os.path.basename(checkpoint),
        'sha256': file_digest(checkpoint) if is_file else None,
        'epoch': network.facts.epoch,
    }


def _versions(request: Request) -> dict[str, str]:
    names = ['torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain']
    versions = {name: installed_version(name) or 'not installed' for name in names}
    packages = [name for to in request.runtimes for name in _PACKAGES[to]]
    if request.precision == 'int8':
        packages.append('nncf')
    return {**versions, **{name: version(name) for name in packages}}


def _readme(about: About, parity: Parity, measured: Measurements) -> str:
    spec, source = about['input'], about['source']
    packages = ' or '.join(_PACKAGES[name][-1] for name in about['files'])
    answer = (
        'boxes with name, score and `[x1, y1, x2, y2]` in pixels'
        if about['task'] == 'detection'
        else 'the probability of each class'
    )
    turned = f'{spec["height"]} {spec["width"]}'
    upright = (
        'Images of another shape are fitted into that size, too, and get smaller: for '
        f'upright ones export the model anew with `--size {turned}`.\n'
    )
    return '\n'.join(
        [
            f'# {about["architecture"]}: {", ".join(about["classes"])}',
            '',
            f'From `{source["checkpoint"]}`, in {about["precision"]}, for images of '
            f'{spec["width"]} x {spec["height"]} pixels; others are resized.',
            '',
            '```bash',
            f'pip install numpy opencv-python {packages.split()[0]}',
            'python predict.py photo.jpg',
            '```',
            '',
            f'It needs {packages}, and prints {answer}. `model.json` says how '
            'pixels become the input, '
            '`labels.txt` has the classes in their order.',
            '',
            *[upright] * (spec['keep_ratio'] and spec['width'] != spec['height']),
            f'Measured on {counted(parity.images, "images")} ({parity.kind}), with '
            f'{counted(measured["threads"], "threads")}:',
            '',
            markdown_table(_table(measured)),
            '',
            *(f'- {line}' for line in _differences(parity)),
            '',
        ]
    )


def _notes(
    request: Request,
    about: About,
    parity: Parity,
    measured: Measurements,
    outcomes: Mapping[str, Outcome],
) -> list[str]:
    lines = [markdown_table(_table(measured)), *_differences(parity)]
    lines.append(f'Compared on {counted(parity.images, "images")}: {parity.kind}')
    if parity.same_input < parity.images:
        spec, others = about['input'], parity.images - parity.same_input
        lines.append(
            f'{others} of them have another shape than {spec["width"]} x '
            f'{spec["height"]}, to which an export fits every image and the test '
            'pipeline does not; the row of PyTorch is what that leads to'
        )
    losses = [
        row['difference']['value'] or 0
        for row in measured['rows']
        if row['difference'] and row['precision'] == 'float32'
    ]
    if min(losses, default=0) < -MAX_DROP:
        lines.append(
            'warning: that costs more than it should; --size WIDTH HEIGHT fits images '
            'of another shape'
        )
    for name, outcome in outcomes.items():
        left = len(outcome['left'])
        lines.append(
            f'{_TITLES[name]}: {outcome["layers"] - left} of '
            f'{counted(outcome["layers"], "layers")} are int8; {outcome["metric"]} on '
            f'the validation set: {outcome["float32"]:.4f} in float32, '
            f'{outcome["int8"]:.4f} in int8'
        )
        if outcome['left']:
            lines.append(f'In float stayed: {", ".join(outcome["left"])}')
    lines.append(f'{request.out}: done; python {request.out}/predict.py IMAGE')
    return lines


def _differences(parity: Parity) -> list[str]:
    return [
        f'{_TITLES[name]} float32 differs from PyTorch by {difference}'
        for name, difference in parity.by_runtime.items()
    ]


def _table(measured: Measurements) -> list[list[str]]:
    """Return the rows of a table, the first of them the head."""
    metric = measured['metric']
    heads = [metric, 'more than PyTorch'] if metric else []
    rows = [['', 'MB', *heads, 'ms an image']]
    for row in measured['rows']:
        quality = []
        if row['metric'] and row['difference']:
            difference = Difference(*Estimate.from_json(row['difference']))
            quality = [
                write_cell(Estimate.from_json(row['metric'])),
                '' if row['model'] == EAGER else write_cell(difference),
            ]
        size, duration = f'{row["megabytes"]:.1f}', f'{row["milliseconds"]:.1f}'
        rows.append([row['model'], size, *quality, duration])
    return rows
