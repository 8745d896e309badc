#!/usr/bin/env python
"""Run the model here on images; needs numpy, opencv-python, openvino or onnxruntime."""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / 'model.json').read_text(encoding='utf-8'))


def open_model():
    """Return a function from the inputs to the outputs."""
    if 'openvino' in MODEL['files'] and find_spec('openvino'):
        import openvino

        compiled = openvino.compile_model(HERE / 'model.xml', 'CPU', MODEL['openvino'])
        return lambda inputs: compiled(inputs).to_tuple()
    import onnxruntime

    session = onnxruntime.InferenceSession(str(HERE / 'model.onnx'))
    return lambda inputs: session.run(None, dict(zip(('images', 'shapes'), inputs)))


def letterbox(pixels):
    """Return the input of an image in BGR, the size it fills there, and its scale."""
    spec, (height, width) = MODEL['input'], pixels.shape[:2]
    if spec['square']:
        below, right = max(width - height, 0), max(height - width, 0)
        pixels = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT)
        height, width = pixels.shape[:2]
    w, h = spec['width'], spec['height']
    if spec['keep_ratio']:
        factor = min(w / width, h / height)
        w, h = max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1)
    pixels = cv2.resize(pixels, (w, h), interpolation=cv2.INTER_LINEAR)
    if spec['channels'] == 'RGB':
        pixels = pixels[:, :, ::-1]
    mean, std = (np.array(spec[key], np.float32) for key in ('mean', 'std'))
    inputs = np.zeros((3, spec['padded_height'], spec['padded_width']), np.float32)
    inputs[:, :h, :w] = ((pixels.astype(np.float32) - mean) / std).transpose(2, 0, 1)
    return inputs, (h, w), (w / width, h / height)


def predict(run, pixels, threshold):
    """Return boxes in pixels of the image, or all probabilities, the best first."""
    (inputs, shape, scale), count = letterbox(pixels), MODEL['batch'] or 1
    images, names = np.stack([inputs] * count), MODEL['classes']
    if MODEL['task'] == 'classification':
        heat = MODEL['decision']['temperature'] or 1
        scores = np.maximum(run([images])[0][0].astype(float), 1e-37) ** (1 / heat)
        shares = (scores / scores.sum()).round(4).tolist()
        return dict(sorted(zip(names, shares), key=lambda pair: -pair[1]))
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
    usual = MODEL['decision']['threshold']
    parser.add_argument('--threshold', type=float, default=usual)
    args, run, failed = parser.parse_args(), open_model(), 0
    for path in args.images:
        pixels = cv2.imread(path)
        failed |= pixels is None
        answer = None if pixels is None else predict(run, pixels, args.threshold)
        print(json.dumps({'image': path, 'answer': answer}, ensure_ascii=False))
    raise SystemExit(failed)
