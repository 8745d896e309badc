"""A network as a file of OpenVINO or ONNX."""

import errno
import inspect
import os
import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from custom_datasets.errors import UserError
from custom_datasets.export.tracing import (
    Classifying,
    Detecting,
    means_in_two_steps,
    trace,
)
from custom_datasets.predicting.config import quiet
from custom_datasets.predicting.exported import (
    INPUTS,
    RUNTIMES,
    InputSpec,
    import_openvino,
    openvino_core,
)
from custom_datasets.predicting.model import Network

OPSET = 17
"""The version of ONNX's operators: RoiAlign with half pixels came with 16."""
_LARGEST_HALF = float(np.finfo(np.float16).max)


def write_model(
    network: Network, spec: InputSpec, batch: int | None, runtime: str, folder: str
) -> None:
    """Write the file or the files of a model, in float32.

    Raises:
        UserError: It cannot be exported.
    """
    detects = network.task == 'detection'
    model = (Detecting if detects else Classifying)(network.model)
    # As the loader has the weights, they lie channels last, which no file keeps.
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    height, width = spec['padded_height'], spec['padded_width']
    count = 2 if batch is None else batch
    write = _write_openvino if runtime == 'openvino' else _write_onnx
    path = os.path.join(folder, RUNTIMES[runtime])
    try:
        example = [torch.rand(count, 3, height, width)]
        if detects:
            # Boxes beyond these are cut, and those without any area left dropped.
            example.append(torch.tensor([[height / 2, width / 2]] * count))
        with quiet(), network.scope(), torch.no_grad():
            warnings.simplefilter('ignore')
            # OpenVINO would make one mean of the two, and its own is closer.
            with means_in_two_steps() if runtime == 'onnx' else nullcontext():
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
        (converted.inputs, INPUTS),
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

    inputs = INPUTS[: len(example)]
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


def write_half(source: str, runtime: str, folder: str) -> None:
    """Write a model of ``source`` again, with its weights as float16.

    Raises:
        OSError: There is no room for it.
    """
    name = RUNTIMES[runtime]
    read, path = os.path.join(source, name), os.path.join(folder, name)
    if runtime == 'openvino':
        openvino = import_openvino()
        model = openvino_core().read_model(read)
        try:
            openvino.save_model(model, path, compress_to_fp16=True)
        except RuntimeError as error:
            raise OSError(errno.EIO, 'OpenVINO cannot write it', path) from error
        return
    import onnx

    model = onnx.load(read)
    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or abs(values).max(initial=0) > _LARGEST_HALF:
            continue
        half = f'{tensor.name}_half'
        casts.append(onnx.helper.make_node('Cast', [half], [tensor.name], to=1))
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), half))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)
