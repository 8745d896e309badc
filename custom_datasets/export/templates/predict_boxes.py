#!/usr/bin/env python
"""Run the model here on images; needs numpy, opencv-python, openvino or onnxruntime."""

import argparse
import hashlib
import json
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / 'model.json').read_text(encoding='utf-8'))


def open_model():
    """Return a function from the inputs to the outputs."""
    use_openvino = 'openvino' in MODEL['files'] and find_spec('openvino')
    for name, digest in MODEL['files']['openvino' if use_openvino else 'onnx'].items():
        data = (HERE / name).read_bytes() if (HERE / name).is_file() else b''
        if hashlib.sha256(data).hexdigest() != digest:
            raise SystemExit(f'error: {HERE / name}: missing or damaged; copy it again')
    if use_openvino:
        import openvino

        compiled = openvino.compile_model(HERE / 'model.xml', 'CPU', MODEL['openvino'])
        return lambda inputs: compiled(inputs).to_tuple()
    import onnxruntime

    session = onnxruntime.InferenceSession(str(HERE / 'model.onnx'))
    return lambda inputs: session.run(None, dict(zip(('images', 'shapes'), inputs)))


def letterbox(pixels):
    """Return the input of an image in BGR, the size it fills there, and its scale."""
    spec, (height, width) = MODEL['input'], pixels.shape[:2]
    w, h = spec['width'], spec['height']
    if spec['keep_ratio']:
        factor = min(w / width, h / height)
        w, h = max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1)
    pixels = cv2.resize(pixels, (w, h), interpolation=cv2.INTER_LINEAR)
    pixels = pixels[:, :, :: -1 if spec['channels'] == 'RGB' else 1]
    mean, std = (np.array(spec[key], np.float32) for key in ('mean', 'std'))
    inputs = np.zeros((3, spec['padded_height'], spec['padded_width']), np.float32)
    inputs[:, :h, :w] = ((pixels.astype(np.float32) - mean) / std).transpose(2, 0, 1)
    return inputs, (h, w), (w / width, h / height)


def predict(run, pixels, threshold):
    """Return boxes in pixels of the image, the best first."""
    (inputs, shape, scale), count = letterbox(pixels), MODEL['batch']
    images, names = np.stack([inputs] * count), MODEL['classes']
    outputs = run([images, np.array([shape] * count, np.float32)])
    boxes = (outputs[0] / np.array(scale * 2)).round(1).tolist()
    scores, labels = outputs[1].tolist(), outputs[2]
    return [
        {'name': names[labels[k]], 'score': round(scores[k], 4), 'box': boxes[k]}
        for k in np.argsort(-outputs[1], kind='stable')
        if scores[k] >= threshold
    ]


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', nargs='+')
    parser.add_argument(
        '--threshold', type=float, default=MODEL['decision']['threshold']
    )
    args, run, failed = parser.parse_args(), open_model(), 0
    for path in args.images:
        row = {'image': path, 'error': 'no such file, or no image'}
        pixels = cv2.imread(path) if Path(path).is_file() else None
        failed |= pixels is None
        if pixels is not None:
            row = {'image': path, 'answer': predict(run, pixels, args.threshold)}
        print(json.dumps(row, ensure_ascii=False))
    raise SystemExit(failed)
