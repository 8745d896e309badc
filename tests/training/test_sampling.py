"""Sampling and weights for uneven classes, on labels that are counted by hand."""

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger

from custom_datasets.errors import ConfigError
from custom_datasets.training import sampling as balancing
from custom_datasets.training.sampling import (
    ClassBalancedSampler,
    ClassWeightHook,
    RepeatFactorDataset,
)


class Labelled(BaseDataset):
    """Images without pixels: the classes of the objects on each."""

    def __init__(self, labels, classes=('a', 'b', 'c')):
        self.labels = labels
        super().__init__(metainfo={'classes': classes})

    def load_data_list(self):
        return [{'labels': labels} for labels in self.labels]

    def get_cat_ids(self, index):
        return self.labels[index]


UNEVEN = [[0]] * 20 + [[1]] * 8 + [[2]] * 2


def test_an_epoch_is_as_long_as_ever_and_each_class_as_frequent():
    sampler = ClassBalancedSampler(Labelled(UNEVEN), seed=0)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 30
    assert Counter(UNEVEN[index][0] for index in drawn) == {0: 10, 1: 10, 2: 10}
    times = Counter(drawn)
    # Eight images of the second class are through once before one comes again.
    assert sorted(times[index] for index in range(20, 28)) == [1] * 6 + [2] * 2
    assert times[28] == times[29] == 5
    assert max(times[index] for index in range(20)) == 1


def test_the_classes_are_mixed_and_an_epoch_differs_from_the_next():
    sampler = ClassBalancedSampler(Labelled(UNEVEN), seed=0)
    first = list(sampler)
    assert first == list(sampler)
    runs = sum(UNEVEN[a] != UNEVEN[b] for a, b in pairwise(first))
    assert runs > 10
    sampler.set_epoch(1)
    assert first != list(sampler)


def test_a_class_without_an_image_is_none_to_draw():
    sampler = ClassBalancedSampler(Labelled([[0]] * 5 + [[2]]), seed=0)
    drawn = Counter(index == 5 for index in sampler)
    assert drawn == {False: 3, True: 3}


@pytest.mark.parametrize('processes', [2, 3, 4])
def test_processes_draw_shares_of_one_epoch(processes, monkeypatch):
    shares = []
    for rank in range(processes):
        monkeypatch.setattr(
            'mmengine.dataset.sampler.get_dist_info',
            lambda rank=rank: (rank, processes),
        )
        sampler = ClassBalancedSampler(Labelled(UNEVEN), seed=0)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler)
    assert len({len(share) for share in shares}) == 1
    counts = Counter(UNEVEN[index][0] for share in shares for index in share)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_rare_classes_are_shown_several_times():
    """A tenth of the images holds the rare class: root of t/f decides."""
    images = [[0]] * 90 + [[0, 1]] * 10
    shown = RepeatFactorDataset(Labelled(images, ('a', 'b')), oversample_thr=0.35)
    rare = sum(1 in shown.get_cat_ids(index) for index in range(len(shown)))
    assert len(shown) == 90 + 2 * 10
    assert rare == 20
    found = RepeatFactorDataset(Labelled(images, ('a', 'b')))
    rare = sum(1 in found.get_cat_ids(index) for index in range(len(found)))
    # 4 is the most that an image is repeated, and it evens out the most.
    assert rare == 40


def test_the_loss_weighs_a_class_by_its_rarity():
    head = SimpleNamespace(loss_module=SimpleNamespace(class_weight=None))
    runner = SimpleNamespace(
        model=torch.nn.Module(),
        train_dataloader=SimpleNamespace(dataset=Labelled(UNEVEN)),
        logger=MMLogger.get_instance('weights'),
    )
    runner.model.head = head
    ClassWeightHook().before_train(runner)
    weights = head.loss_module.class_weight
    assert weights == pytest.approx([30 / 60, 30 / 24, 30 / 6])
    total = sum(weights[labels[0]] for labels in UNEVEN)
    assert total == pytest.approx(30)


def test_an_absent_class_has_no_weight():
    runner = SimpleNamespace(
        model=torch.nn.Module(),
        train_dataloader=SimpleNamespace(dataset=Labelled([[0], [2]])),
        logger=MMLogger.get_instance('weights'),
    )
    with pytest.raises(ConfigError, match='no image of b to weight'):
        ClassWeightHook().before_train(runner)


def test_labels_come_in_the_order_of_the_images():
    labels = balancing.image_labels(Labelled([[2], [0], [1]]))
    assert labels.tolist() == [2, 0, 1]
