"""One training step on the CPU: thread waiting and memory layout.

    python benchmarks/cpu_step.py [BCCD_FOLDER] [> benchmarks/results/cpu_step.json]

RTMDet-tiny, four images of 320x256 (real ones if the folder is given, else
drawn), forward, backward and AdamW. Each process times both memory layouts in
turn; processes with OMP_WAIT_POLICY unset and PASSIVE take turns, first on a
quiet machine, then beside one busy single-threaded process. Prints medians in
seconds, one JSON line a condition.
"""

import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEAF = ROOT / 'configs/bccd/rtmdet_tiny_1xb4-24e_bccd.py'
PROCESSES, STEPS, WARM_UP = 2, 5, 1


def time_steps(data_root: str) -> dict[str, float]:
    """Time training steps with contiguous and channels-last weights."""
    sys.path.insert(0, str(ROOT))
    import torch
    from mmengine.config import Config
    from mmengine.dataset import pseudo_collate
    from mmengine.registry import DATASETS, MODELS, init_default_scope

    cfg = Config.fromfile(LEAF)
    init_default_scope('mmdet')
    cfg.train_dataloader.dataset.data_root = data_root
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([dataset[index] for index in range(4)])
    formats = {
        'contiguous': torch.contiguous_format,
        'channels_last': torch.channels_last,
    }
    models = {}
    for name, memory_format in formats.items():
        torch.manual_seed(0)
        model = MODELS.build(cfg.model).train().to(memory_format=memory_format)
        models[name] = model, torch.optim.AdamW(model.parameters(), lr=1e-4)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(WARM_UP + STEPS):
        for name, (model, optimizer) in models.items():
            start = time.perf_counter()
            data = model.data_preprocessor(copy.deepcopy(batch), True)
            loss, _ = model.parse_losses(model(**data, mode='loss'))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seconds[name].append(time.perf_counter() - start)
    return {n: statistics.median(times[WARM_UP:]) for n, times in seconds.items()}


def run_process(data_root: str, policy: str | None) -> dict[str, float]:
    """Run :func:`time_steps` in a process with a waiting policy."""
    environment = {k: v for k, v in os.environ.items() if k != 'OMP_WAIT_POLICY'}
    if policy:
        environment['OMP_WAIT_POLICY'] = policy
    command = [sys.executable, __file__, '--steps', data_root]
    done = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(data_root: str) -> None:
    """Print the medians of all conditions."""
    spin = [sys.executable, '-c', 'while True: pass']
    for busy in (False, True):
        neighbour = subprocess.Popen(spin) if busy else None
        try:
            rounds = [
                (policy, run_process(data_root, policy))
                for _ in range(PROCESSES)
                for policy in (None, 'PASSIVE')
            ]
        finally:
            if neighbour:
                neighbour.kill()
        for policy in (None, 'PASSIVE'):
            medians = [times for given, times in rounds if given == policy]
            row = {n: statistics.median(m[n] for m in medians) for n in medians[0]}
            label = {'busy_neighbour': busy, 'OMP_WAIT_POLICY': policy}
            row = {name: round(value, 3) for name, value in row.items()}
            print(json.dumps({'benchmark': 'cpu_step', **label, **row}), flush=True)


if __name__ == '__main__':
    if sys.argv[1:2] == ['--steps']:
        print(json.dumps(time_steps(sys.argv[2])))
    elif len(sys.argv) > 1:
        compare(sys.argv[1])
    else:
        sys.path.insert(0, str(ROOT))
        from custom_datasets.samples.boxes import draw_bccd

        with tempfile.TemporaryDirectory() as folder:
            draw_bccd(folder, {'train': 4})
            compare(folder)
