"""From float32 to int8 by NNCF, calibrated on the validation set.

NNCF imports every framework that it finds, and the one for today's OpenVINO breaks on
the torch of the original line. So it works in a process that sees no PyTorch, which
:func:`quantise` starts.
"""

import json
import logging
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypedDict

from custom_datasets.errors import ImageError, UserError
from custom_datasets.evaluation.results import Samples
from custom_datasets.export.labelled import Labelled
from custom_datasets.predicting.exported import (
    INPUTS,
    RUNTIMES,
    About,
    Array,
    Run,
    import_openvino,
    letterbox,
    onnx_run,
    openvino_core,
    openvino_run,
    read_about,
    read_answers,
    run_inputs,
)
from custom_datasets.predicting.images import read_pixels

MOST_IMAGES = 300
"""How many images a calibration sees; more change little, as NNCF has it."""

_WEIGHTED = {
    *('Convolution', 'GroupConvolution', 'ConvolutionBackpropData', 'MatMul'),
    *('Conv', 'ConvTranspose', 'Gemm'),
}
_SHAPING = {
    *('Gather', 'GatherElements', 'GatherND', 'Slice', 'StridedSlice', 'TopK'),
    *('Reshape', 'Squeeze', 'Unsqueeze', 'Transpose', 'Tile', 'Broadcast', 'Expand'),
    *('Pad', 'Split', 'VariadicSplit', 'Interpolate', 'Resize'),
    *('ROIAlign', 'RoiAlign'),
}
"""Operators of which the first input alone has features; the others say where."""
_PASSING = {
    *('Convert', 'Reshape', 'Transpose', 'Multiply', 'Subtract', 'FakeQuantize'),
    *('Identity', 'DequantizeLinear', 'QuantizeLinear'),
}
"""Operators between a learned tensor and the layer that has it."""
_MODULE = '__module.model.'
_SMOOTH = {'Swish', 'HSwish', 'Gelu', 'Erf', 'Elu', 'Sigmoid'}
"""Activations below 0, which want a zero point of their own."""


class Task(TypedDict):
    """What the process is told: the folder of a float32 model, and what to write.

    ``images`` are the paths that belong to ``truth``. Of the metric at most
    ``max_drop`` may be lost on them.
    """

    source: str
    runtime: str
    out: str
    images: list[str]
    classes: list[str]
    truth: Samples
    max_drop: float


class Outcome(TypedDict):
    """What it found on the validation set; ``left`` are layers that stay in float."""

    metric: str
    float32: float
    int8: float
    layers: int
    left: list[str]


class Node(NamedTuple):
    """An operator; ``weighted`` where it multiplies by what was learned."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    weighted: bool


def quantise(task: Task) -> Outcome:
    """Write a model as int8, in a process of its own.

    Raises:
        UserError: NNCF cannot quantise it.
    """
    # It imports from where this process does, and not from the current folder.
    code = (
        f'import sys; sys.path[:] = {sys.path!r}; '
        'from custom_datasets.export.quantising import main; main()'
    )
    with subprocess.Popen(
        [sys.executable, '-c', code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding='utf-8',
        errors='replace',
        env={**os.environ, 'PYTHONIOENCODING': 'utf-8'},
    ) as process:
        # The pipe stays open: where this process dies, the other one sees its end.
        stdin, process.stdin = process.stdin, None
        assert stdin
        try:
            with suppress(BrokenPipeError):
                stdin.write(f'{json.dumps(task)}\n')
                stdin.flush()
            output, complaint = process.communicate()
        finally:
            with suppress(BrokenPipeError):
                stdin.close()
    if process.returncode:
        lines = complaint.strip().splitlines() or [f'status {process.returncode}']
        raise UserError(f'{task["runtime"]}: cannot be quantised to int8 ({lines[-1]})')
    outcome: Outcome = json.loads(output.splitlines()[-1])
    return outcome


def float_layers(nodes: Sequence[Node]) -> list[str]:
    """Name the operators that stay in float: all that leads to no learned weights.

    These are the decoding of boxes, NMS, and what chooses proposals, whose places
    reach later layers only as places.
    """
    by_name = {node.name: node for node in nodes}
    network: set[str] = set()
    waiting = [node.name for node in nodes if node.weighted]
    while waiting:
        name = waiting.pop()
        if name in network or name not in by_name:
            continue
        network.add(name)
        node = by_name[name]
        waiting += node.inputs[:1] if node.kind in _SHAPING else node.inputs
    return [node.name for node in nodes if node.name not in network]


def allowed_drop(limit: float, metric: str, images: int) -> float:
    """Return what may be lost: of top-1 one image, which may be more than the limit."""
    return max(limit, 1.001 / images) if metric == 'top-1' else limit


def main() -> None:
    """Read a task, write a model, and print the outcome as the last line."""
    # To import these fails from here on; without telemetry NNCF sends nothing.
    for name in ('torch', 'openvino_telemetry'):
        sys.modules[name] = None  # type: ignore[assignment]
    task: Task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        outcome = _work(task)
    except UserError as error:
        sys.exit(str(error))
    print('\n' + json.dumps(outcome))


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _work(task: Task) -> Outcome:
    import nncf

    nncf.set_log_level(logging.ERROR)
    about = read_about(task['source'])
    graph: _Graph = _OpenVINO(about) if task['runtime'] == 'openvino' else _ONNX()
    labelled = Labelled(tuple(task['classes']), task['truth'])
    images = [path for path in task['images'] if _is_readable(path)]
    labelled = labelled.take(list(map(task['images'].index, images)))
    if not images:
        raise UserError('no image of the validation set can be read')

    def score(run: Run, rows: Iterable[int]) -> float:
        chosen = list(rows)
        answers = [
            read_answers(about, run, [_input(images[row], about)])[0] for row in chosen
        ]
        return labelled.take(chosen).score(answers)

    model = graph.read(os.path.join(task['source'], RUNTIMES[task['runtime']]))
    nodes = graph.nodes(model)
    ignored = set(float_layers(nodes))
    inside = [node for node in nodes if node.name not in ignored]
    attends = any(node.kind == 'MatMul' and not node.weighted for node in inside)
    smooth = any(node.kind in _SMOOTH for node in inside)
    preset = nncf.QuantizationPreset
    every = range(len(images))
    calibration = nncf.Dataset(
        every[:MOST_IMAGES],
        lambda row: graph.feed(run_inputs(about, [_input(images[row], about)])),
    )
    settings = {
        'preset': preset.MIXED if smooth else preset.PERFORMANCE,
        'target_device': nncf.TargetDevice.CPU,
        'subset_size': min(MOST_IMAGES, len(images)),
        # The other way is closer to float32, but takes a detector many minutes, and
        # does not find all nodes of ONNX.
        'fast_bias_correction': about['task'] == 'detection'
        or task['runtime'] == 'onnx',
        'model_type': nncf.ModelType.TRANSFORMER if attends else None,
        'ignored_scope': nncf.IgnoredScope(names=sorted(ignored), validate=False),
    }
    exact = score(graph.run(model), every)
    if math.isnan(exact):
        raise UserError('the validation set has no object that counts')
    quantised = nncf.quantize(model, calibration, **settings)
    after = score(graph.run(quantised), every)
    limit = allowed_drop(task['max_drop'], labelled.metric, len(images))
    if exact - after > limit:
        quantised = nncf.quantize_with_accuracy_control(
            model,
            calibration,
            nncf.Dataset(every),
            lambda part, rows: (score(graph.run(part), rows), None),
            max_drop=limit,
            **settings,
        )
        after = score(graph.run(quantised), every)
    graph.write(quantised, task['out'])
    layers = [node.name for node in nodes if node.weighted]
    return {
        'metric': labelled.metric,
        'float32': exact,
        'int8': after,
        'layers': len(layers),
        'left': graph.in_float(quantised, layers),
    }


def _is_readable(path: str) -> bool:
    try:
        read_pixels(path)
    except ImageError:  # tools/check.py finds those.
        return False
    return True


def _input(path: str, about: About) -> Mapping[str, Any]:
    inputs, shape, scale = letterbox(read_pixels(path), about['input'])
    return {'inputs': inputs, 'shape': shape, 'scale': scale}


class _OpenVINO:
    """What differs between the graphs of the two run-times."""

    def __init__(self, about: About) -> None:
        self.openvino, self.properties = import_openvino(), about['openvino']

    def read(self, path: str) -> Any:
        return openvino_core().read_model(path)

    def run(self, model: Any) -> Run:
        if isinstance(model, self.openvino.CompiledModel):
            return openvino_run(model)
        compiled = openvino_core().compile_model(model, 'CPU', self.properties)
        return openvino_run(compiled)

    def feed(self, inputs: Sequence[Array]) -> Any:
        return list(inputs)

    def write(self, model: Any, path: str) -> None:
        self.openvino.save_model(model, path, compress_to_fp16=False)

    def nodes(self, model: Any) -> list[Node]:
        return [
            Node(
                node.get_friendly_name(),
                node.get_type_name(),
                tuple(source.get_friendly_name() for source in _sources(node)),
                node.get_type_name() in _WEIGHTED
                and any(_constant(source) is not None for source in _sources(node)),
            )
            for node in model.get_ordered_ops()
        ]

    def in_float(self, model: Any, layers: Sequence[str]) -> list[str]:
        wanted = set(layers)
        return [
            _title(node)
            for node in model.get_ordered_ops()
            if node.get_friendly_name() in wanted
            and not any(
                constant.get_element_type().to_string() in ('i8', 'u8')
                for constant in map(_constant, _sources(node))
                if constant is not None
            )
        ]


def _sources(node: Any) -> list[Any]:
    return [node.input_value(k).get_node() for k in range(node.get_input_size())]


def _title(node: Any) -> str:
    """Name a layer by its module, or by that of what comes next: fusing takes names."""
    nexts = [port.get_node() for port in node.output(0).get_target_inputs()]
    for name in (other.get_friendly_name() for other in (node, *nexts)):
        if name.startswith(_MODULE):
            return str(name.removeprefix(_MODULE).split('/')[0])
    return str(node.get_friendly_name())


def _constant(node: Any) -> Any:
    """Return the constant that a node passes on, or None."""
    while node.get_type_name() != 'Constant':
        if node.get_type_name() not in _PASSING:
            return None
        node = node.input_value(0).get_node()
    return node


class _ONNX:
    """The same of ONNX: tensors have names, and nodes are found by what they make."""

    def read(self, path: str) -> Any:
        import onnx

        model = onnx.load(path)
        _name_once(model.graph)
        return model

    def run(self, model: Any) -> Run:
        return onnx_run(model.SerializeToString())

    def feed(self, inputs: Sequence[Array]) -> Any:
        return dict(zip(INPUTS, inputs, strict=False))

    def write(self, model: Any, path: str) -> None:
        import onnx

        onnx.save(model, path)
        onnx.checker.check_model(path, full_check=True)

    def nodes(self, model: Any) -> list[Node]:
        makers = {name: node for node in model.graph.node for name in node.output}
        learned = {tensor.name for tensor in model.graph.initializer}
        return [
            Node(
                node.name,
                node.op_type,
                tuple(makers[name].name for name in node.input if name in makers),
                node.op_type in _WEIGHTED and self._reaches(node, makers, learned),
            )
            for node in model.graph.node
        ]

    def in_float(self, model: Any, layers: Sequence[str]) -> list[str]:
        wanted = set(layers)
        makers = {name: node for node in model.graph.node for name in node.output}
        learned = {
            tensor.name
            for tensor in model.graph.initializer
            if tensor.data_type in (2, 3)  # uint8, int8
        }
        return [
            node.name
            for node in model.graph.node
            if node.name in wanted and not self._reaches(node, makers, learned)
        ]

    def _reaches(self, node: Any, makers: Mapping[str, Any], learned: set[str]) -> bool:
        """Tell whether one of the tensors is the second input of a node."""
        name = node.input[1]
        while name not in learned:
            maker = makers.get(name)
            if maker is None or maker.op_type not in _PASSING:
                return False
            name = maker.input[0]
        return True


def _name_once(graph: Any) -> None:
    """Give a learned tensor that several layers share one name.

    PyTorch writes the second name as an Identity of the first, and NNCF asks for the
    values by the name that the layer has, when it puts that back into float.
    """
    learned = {tensor.name for tensor in graph.initializer}
    kept = {value.name for value in graph.output}
    names: dict[str, str] = {}
    # A node comes after those that make its inputs.
    for node in list(graph.node):
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
        if node.op_type != 'Identity' or node.output[0] in kept:
            continue
        if node.input[0] in learned:
            names[node.output[0]] = node.input[0]
            graph.node.remove(node)


_Graph = _OpenVINO | _ONNX
