"""Rates of waste's step schedule, and that another step is one override."""

import pytest
import torch
from mmengine.optim import LinearLR, StepLR

from tests.leaves import LEAVES, read_leaf

STEPPED = [leaf for leaf in LEAVES if leaf.stem.endswith('-24e_waste')]
ITERATIONS = 10


def rates(cfg):
    """Return the rate at the end of each epoch, as a share of the leaf's own."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    warm_up, steps = (dict(scheduler) for scheduler in cfg.param_scheduler)
    assert (warm_up.pop('type'), steps.pop('type')) == ('LinearLR', 'StepLR')
    assert warm_up.pop('convert_to_iter_based')
    warming = LinearLR.build_iter_from_epoch(
        optimizer=optimizer, epoch_length=ITERATIONS, **warm_up
    )
    stepping = StepLR(optimizer, **steps)
    found = []
    for _ in range(cfg.train_cfg.max_epochs):
        for _ in range(ITERATIONS):
            optimizer.step()
            warming.step()
        found.append(optimizer.param_groups[0]['lr'])
        stepping.step()
    return found


@pytest.mark.parametrize('leaf', STEPPED, ids=lambda leaf: leaf.stem)
@pytest.mark.parametrize('step', [7, 9, 11])
def test_a_tenth_from_each_step_on(leaf, step):
    cfg = read_leaf(leaf)
    if step != 7:
        cfg.merge_from_dict({'param_scheduler.1.step_size': step})
    expected = [0.1 ** (epoch // step) for epoch in range(24)]
    assert rates(cfg) == pytest.approx(expected)


def test_all_three_networks_have_it():
    assert sorted(leaf.stem.partition('_1xb')[0] for leaf in STEPPED) == [
        'resnet18',
        'resnet18_light',
        'resnet50',
    ]
