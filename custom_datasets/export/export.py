"""From a checkpoint to a folder that runs without PyTorch."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from custom_datasets.config import iter_dicts
from custom_datasets.errors import UserError
from custom_datasets.export.inputs import input_spec
from custom_datasets.export.parity import Parity, Progress, choose_images, compare
from custom_datasets.export.tracing import Classifying, Detecting, trace
from custom_datasets.files import (
    file_digest,
    json_bytes,
    new_folder,
    require_free,
    write_files,
)
from custom_datasets.predicting.config import quiet
from custom_datasets.predicting.exported import (
    ABOUT,
    FORMAT,
    RUNTIMES,
    About,
    ExportedNetwork,
    InputSpec,
    decision_spec,
    import_openvino,
)
from custom_datasets.predicting.model import Network, read_network
from custom_datasets.predicting.run_folder import (
    Decision,
    decide,
    find_checkpoint,
    find_config,
)
from custom_datasets.text import counted
from custom_datasets.versions import installed_version

OPSET = 17
"""The version of ONNX's operators: RoiAlign with half pixels came with 16."""

_INPUTS = 'images', 'shapes'


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
    images: int | None = None
    overwrite: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    trust: bool = False


def export_model(request: Request, progress: Progress) -> list[str]:
    """Write a folder, compare what is in it with PyTorch, and say what was found.

    Raises:
        UserError: Something is missing or damaged; the network cannot be exported; or
            the exported one differs.
    """
    require_free(request.out, request.overwrite)
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
    with new_folder(request.out, request.overwrite, checkpoint) as folder:
        for runtime in request.runtimes:
            _write_model(network, spec, request.batch, runtime, folder)
        about: About = {
            'format': FORMAT,
            'task': network.task,
            'architecture': type(network.model).__name__,
            'classes': list(network.classes),
            'palette': network.palette,
            'batch': request.batch,
            'input': spec,
            'decision': decision_spec(decision, per_class),
            'files': {name: _digests(folder, name) for name in request.runtimes},
            'parity': {},
            'source': _source(network, config, checkpoint),
            'versions': _versions(request.runtimes),
        }
        write_files(folder, {ABOUT: json_bytes(about)})
        parity = compare(
            network,
            [ExportedNetwork(folder, name) for name in request.runtimes],
            decision,
            choose_images(network, spec, request.images),
            progress,
        )
        about['parity'] = parity.to_dict()
        labels = ''.join(f'{name}\n' for name in network.classes)
        script = Path(__file__).with_name('templates') / 'predict.py'
        write_files(
            folder,
            {
                ABOUT: json_bytes(about),
                'labels.txt': labels.encode(),
                'predict.py': script.read_bytes(),
                'README.md': _readme(about, parity).encode(),
            },
        )
        sizes = {
            name: sum(os.path.getsize(os.path.join(folder, file)) for file in files)
            for name, files in about['files'].items()
        }
    return _notes(request, about, parity, sizes)


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


def _write_model(
    network: Network, spec: InputSpec, batch: int | None, runtime: str, folder: str
) -> None:
    """Write the file or the files of a model."""
    detects = network.task == 'detection'
    model = (Detecting if detects else Classifying)(network.model)
    # As the loader has the weights, they lie channels last, which no file keeps.
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    height, width = spec['padded_height'], spec['padded_width']
    count = 2 if batch is None else batch
    example = [torch.rand(count, 3, height, width)]
    if detects:
        # Boxes beyond these are cut off, and those without any area left are dropped.
        example.append(torch.tensor([[height / 2, width / 2]] * count))
    write = _write_openvino if runtime == 'openvino' else _write_onnx
    path = os.path.join(folder, RUNTIMES[runtime])
    try:
        with quiet(), network.scope(), torch.no_grad():
            warnings.simplefilter('ignore')
            traced = trace(model.eval(), tuple(example))
            write(traced, tuple(example), batch, path)
    except (UserError, OSError):
        raise
    except Exception as error:  # Tracers raise whatever a model makes of them.
        lines = str(error).strip().splitlines() or ['']
        raise UserError(
            f'{type(network.model).__name__}: cannot be exported to {runtime} at '
            f'{width} x {height} pixels ({type(error).__name__}: {lines[0]}); '
            'docs/export.md lists what can'
        ) from error


def _write_openvino(
    model: Any,
    example: tuple[torch.Tensor, ...],
    batch: int | None,
    path: str,
) -> None:
    openvino = import_openvino()
    converted = openvino.convert_model(model, example_input=example)
    shapes = [list(tensor.shape) for tensor in example]
    if batch is None:
        shapes = [[-1, *shape[1:]] for shape in shapes]
    converted.reshape(dict(enumerate(map(openvino.PartialShape, shapes))))
    for ports, names in (
        (converted.inputs, _INPUTS),
        (converted.outputs, _output_names(len(converted.outputs))),
    ):
        for port, name in zip(ports, names, strict=False):
            port.get_tensor().set_names({name})
    openvino.save_model(converted, path, compress_to_fp16=False)


def _write_onnx(
    model: Any,
    example: tuple[torch.Tensor, ...],
    batch: int | None,
    path: str,
) -> None:
    import onnx

    inputs = _INPUTS[: len(example)]
    # The newer exporter takes no post-processing, and writes weights to a second file.
    older: dict[str, Any] = {'dynamo': False} if _takes_dynamo() else {}
    outputs = _output_names(3 * len(example[0]) if len(example) > 1 else 1)
    torch.onnx.export(
        model,
        example,
        path,
        opset_version=OPSET,
        input_names=list(inputs),
        output_names=outputs,
        dynamic_axes={'images': {0: 'n'}, outputs[0]: {0: 'n'}}
        if batch is None
        else {},
        **older,
    )
    onnx.checker.check_model(path, full_check=True)


def _takes_dynamo() -> bool:
    """Tell whether torch's exporter has to be told which of two it is to be."""
    import inspect

    return 'dynamo' in inspect.signature(torch.onnx.export).parameters


def _output_names(count: int) -> list[str]:
    """Name the outputs: of a classifier one, of detectors three for each image."""
    if count == 1:
        return ['probabilities']
    parts = 'boxes', 'scores', 'labels'
    return [
        f'{part}_{image}' if count > 3 else part
        for image in range(count // 3)
        for part in parts
    ]


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


def _versions(runtimes: Sequence[str]) -> dict[str, str]:
    names = ['torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain']
    versions = {name: installed_version(name) or 'not installed' for name in names}
    for runtime in runtimes:
        packages = ('openvino',) if runtime == 'openvino' else ('onnx', 'onnxruntime')
        versions |= {name: version(name) for name in packages}
    return versions


def _readme(about: About, parity: Parity) -> str:
    spec, source = about['input'], about['source']
    runtimes = ' or '.join(
        'openvino' if name == 'openvino' else 'onnxruntime' for name in about['files']
    )
    answer = (
        'boxes with name, score and `[x1, y1, x2, y2]` in pixels'
        if about['task'] == 'detection'
        else 'the probability of each class'
    )
    rows = [
        f'| {name} | {difference} |' for name, difference in parity.by_runtime.items()
    ]
    return '\n'.join(
        [
            f'# {about["architecture"]}: {", ".join(about["classes"])}',
            '',
            f'From `{source["checkpoint"]}`, for images of {spec["width"]} x '
            f'{spec["height"]} pixels; others are resized.',
            '',
            '```bash',
            f'pip install numpy opencv-python {runtimes.split(" or ")[0]}',
            'python predict.py photo.jpg',
            '```',
            '',
            f'It prints {answer}. `model.json` says how pixels become the input, '
            '`labels.txt` has the classes in their order.',
            '',
            f'Against PyTorch, on {parity.images} images ({parity.kind}):',
            '',
            '| run by | differs by |',
            '|---|---|',
            *rows,
            '',
        ]
    )


def _notes(
    request: Request, about: About, parity: Parity, sizes: Mapping[str, int]
) -> list[str]:
    lines = []
    for name, difference in parity.by_runtime.items():
        lines.append(
            f'{name}: {sizes[name] / 1e6:.1f} MB, differs from PyTorch by {difference}'
        )
    lines.append(f'Compared on {counted(parity.images, "images")}: {parity.kind}')
    if parity.same_input < parity.images:
        spec, others = about['input'], parity.images - parity.same_input
        lines.append(
            f'{others} of them have another shape than {spec["width"]} x '
            f'{spec["height"]}: the test pipeline pads them less, or scales them '
            'otherwise'
        )
    lines.append(f'{request.out}: done; python {request.out}/predict.py IMAGE')
    return lines
