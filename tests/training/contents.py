"""What a run.json can hold, for tests of what reads it."""

SPLIT = {
    'dataset': 'FruitDataset',
    'classes': ['apple', 'pear'],
    'list': 'ImageSets/Main/train.txt',
    'images': 10,
    'samples': 30,
    'objects': {'apple': 12, 'pear': 3},
    'sha256': 'a' * 64,
    'why': None,
}
GIT = {
    'commit': '0123456789abcdef',
    'dirty': True,
    'changes': 4,
    'changed': ['a.py', 'b.py', 'c.py', 'd.py'],
    'why': None,
}
SESSION = {
    'log': '20260101_000000',
    'started': '2026-01-01T00:00:00+00:00',
    'seconds': 60.0,
    'status': 'finished',
    'reason': None,
    'from_epoch': 0,
    'from_iteration': 0,
    'resumed_from': None,
    'command': ['tools/train.py', 'fruit.py'],
    'git': GIT,
    'versions': {'python': '3.11.7', 'mmdet': None},
    'hardware': {'cpu': 'a CPU', 'cores': 2, 'ram_gb': 8.0, 'gpus': []},
    'ranks': 1,
    'data': {'train': 'a' * 64, 'val': None},
}


def entry(epoch, metrics=None):
    return {
        'epoch': epoch,
        'iteration': 5 * epoch,
        'lr': 0.001,
        'losses': {'loss': 1.5 / epoch},
        'seconds': 4.25,
        'images_per_second': 7.5,
        'metrics': metrics,
    }


def content(**changes):
    return {
        'format': 1,
        'status': 'finished',
        'reason': None,
        'started': SESSION['started'],
        'updated': '2026-01-01T00:01:00+00:00',
        'wall_seconds': 3725.0,
        'command': SESSION['command'],
        'git': GIT,
        'config': {
            'path': 'configs/fruit/fruit.py',
            'dumped': 'fruit.py',
            'overrides': {'fold': 2},
            'scope': 'mmdet',
        },
        'data': {'train': SPLIT, 'val': None},
        'versions': SESSION['versions'],
        'hardware': SESSION['hardware'],
        'seed': 0,
        'batch': {
            'images': 2,
            'ranks': 1,
            'accumulated': 1,
            'total': 2,
            'sampler': 'DefaultSampler(shuffle=True)',
        },
        'optimizer': {
            'type': 'SGD',
            'lr': 0.01,
            'weight_decay': 0.0001,
            'wrapper': 'OptimWrapper',
        },
        'losses': {'head.loss': 'FocalLoss(gamma=2.0)'},
        'schedule': {'epochs': 2, 'iterations': 10, 'schedulers': []},
        'augmentations': ['RandomFlip(prob=0.5)'],
        'model': {
            'type': 'Detector',
            'parameters': 1_500_000,
            'trainable': 1_000_000,
            'macs': 2_500_000_000,
            'input_shape': [3, 64, 96],
            'why': None,
        },
        'speed': {
            'images_per_second': 7.5,
            'data_share': 0.125,
            'peak_memory_mb': 1000.0,
            'memory_of': 'process',
        },
        'best': {
            'metric': 'voc/mAP',
            'rule': 'greater',
            'value': 0.5,
            'epoch': 1,
            'iteration': 5,
            'checkpoint': 'best_voc_mAP_epoch_1.pth',
        },
        'validation': {'voc/mAP': 0.25, 'voc/AP50_pear': None},
        'epochs': [entry(1, {'voc/mAP': 0.5}), entry(2, {'voc/mAP': 0.25})],
        'checkpoints': ['epoch_2.pth'],
        'sessions': [SESSION],
        'tests': [],
        **changes,
    }
