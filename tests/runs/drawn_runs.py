"""Work directories of runs, written as a training and a test leave them."""

import copy
import json
import pickle

import numpy as np

CLASSES = ('cat', 'dog')
GOOD = np.arange(60) % 10 != 0
POOR = np.arange(60) % 2 == 0
"""On which images a run is right: 90 % of them, and 50 %."""
CONFIG = """
model = dict(type='Net', head=dict(num_classes=2))
optim_wrapper = dict(optimizer=dict(type='SGD', lr={lr}))
randomness = dict(seed={seed})
train_pipeline = [dict(type='Load')]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
work_dir = {folder!r}
"""
RECORD = {
    'format': 1,
    'status': 'finished',
    'reason': None,
    'wall_seconds': 576.2,
    'git': {'commit': '6ad5f96e0c', 'dirty': True, 'changed': []},
    'config': {'path': 'configs/pets/net.py', 'dumped': 'net.py', 'overrides': {}},
    'data': {
        part: {'classes': list(CLASSES), 'list': f'{part}.txt', 'images': 30}
        for part in ('train', 'val')
    },
    'hardware': {'cores': 2, 'gpus': []},
    'seed': 0,
    'batch': {'images': 4, 'ranks': 1, 'accumulated': 1, 'total': 4},
    'optimizer': {'type': 'SGD', 'lr': 0.1},
    'schedule': {'epochs': 3, 'iterations': 24},
    'model': {'type': 'Net', 'parameters': 19823000},
    'speed': {'images_per_second': 9.06, 'peak_memory_mb': 2100.0},
    'best': {
        'metric': 'accuracy/top1',
        'value': 80.5,
        'epoch': 2,
        'iteration': 16,
        'checkpoint': 'best.pth',
    },
    'epochs': [
        {
            'epoch': epoch,
            'iteration': 8 * epoch,
            'losses': {'loss': 2 / epoch},
            'metrics': {'accuracy/top1': 60.0 + 10 * epoch} if epoch > 1 else None,
        }
        for epoch in (1, 2, 3)
    ],
    'checkpoints': ['best.pth', 'epoch_3.pth'],
    'tests': [],
}


def write_run(folder, samples=None, *, seed=0, lr=0.1, lists='abc', **changes):
    """Write a run's folder; ``changes`` replace parts of the record."""
    folder.mkdir(parents=True)
    record = {**copy.deepcopy(RECORD), 'seed': seed, **changes}
    record['optimizer']['lr'] = lr
    for part, data in record['data'].items():
        data['sha256'] = f'{part} {lists}'
    (folder / 'run.json').write_text(json.dumps(record))
    text = CONFIG.format(lr=lr, seed=seed, folder=str(folder))
    (folder / 'net.py').write_text(text)
    for name in record['checkpoints'] or ():
        (folder / name).touch()
    if samples is not None:
        (folder / 'test_predictions.pkl').write_bytes(pickle.dumps(samples))
    return folder


def classified(right, truth=None):
    """Return a classifier's predictions: ``right`` says of which images it is right."""
    right = np.asarray(right, dtype=bool)
    truth = np.arange(len(right)) % 2 if truth is None else np.asarray(truth)
    predicted = np.where(right, truth, 1 - truth)
    return [
        {
            'img_path': f'/data/{index}.png',
            'gt_label': np.array([true]),
            'pred_score': np.eye(2)[said] * 0.8 + 0.1,
        }
        for index, (true, said) in enumerate(zip(truth, predicted, strict=True))
    ]


def detected(truth, predicted, difficult=False):
    """Return a detector's predictions.

    Args:
        truth: For each image its objects: label and box.
        predicted: For each image what is found: label, box and score.
        difficult: Whether the objects are, all of them.
    """
    return [
        {
            'img_id': str(index),
            'img_path': f'/data/{index}.png',
            'ori_shape': (100, 100),
            'instances': [
                {'bbox_label': label, 'bbox': list(box), 'ignore_flag': int(difficult)}
                for label, box in objects
            ],
            'pred_instances': {
                'labels': np.array([label for label, _, _ in found], dtype=int),
                'bboxes': np.array([box for _, box, _ in found]).reshape(-1, 4),
                'scores': np.array([score for _, _, score in found]),
            },
        }
        for index, (objects, found) in enumerate(zip(truth, predicted, strict=True))
    ]
