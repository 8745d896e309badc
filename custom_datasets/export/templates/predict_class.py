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


def fit(pixels):
    """Return the input of an image in BGR."""
    spec, (height, width) = MODEL['input'], pixels.shape[:2]
    if spec['square']:
        below, right = max(width - height, 0), max(height - width, 0)
        pixels = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT)
        height, width = pixels.shape[:2]
    w, h = spec['width'], spec['height']
    if spec['keep_ratio']:
        factor = min(w / width, h / height)
        w, h = max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1)
    large, edge = (w, h), spec['short_edge']
    if edge:  # The middle is kept.
        large = edge * width // min(width, height), edge * height // min(width, height)
    left, top = round((large[0] - w) / 2), round((large[1] - h) / 2)
    pixels = cv2.resize(pixels, large)[top : top + h, left : left + w]
    if spec['channels'] == 'RGB':
        pixels = pixels[:, :, ::-1]
    mean, std = (np.array(spec[key], np.float32) for key in ('mean', 'std'))
    inputs = np.zeros((3, spec['padded_height'], spec['padded_width']), np.float32)
    inputs[:, :h, :w] = ((pixels.astype(np.float32) - mean) / std).transpose(2, 0, 1)
    return inputs


def predict(run, pixels):
    """Return the probability of each class, the best first."""
    images = np.stack([fit(pixels)] * (MODEL['batch'] or 1))
    heat = MODEL['decision']['temperature'] or 1
    scores = np.maximum(run([images])[0][0].astype(float), 1e-37) ** (1 / heat)
    shares = (scores / scores.sum()).round(4).tolist()
    return dict(sorted(zip(MODEL['classes'], shares), key=lambda pair: -pair[1]))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', nargs='+')
    args, run, failed = parser.parse_args(), open_model(), 0
    for path in args.images:
        row = {'image': path, 'error': 'no such file, or no image'}
        pixels = cv2.imread(path) if Path(path).is_file() else None
        failed |= pixels is None
        if pixels is not None:
            row = {'image': path, 'answer': predict(run, pixels)}
        print(json.dumps(row, ensure_ascii=False))
    raise SystemExit(failed)
