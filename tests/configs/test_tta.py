"""Test-time augmentation changes nothing where a model sees the same in each view.

The models here stand in for networks and look at what a network would get: the
batch behind the leaf's own pipeline and data preprocessor. One finds painted
rectangles, one knows the mean colour, and neither is misled by flips and scales;
``--tta`` must then give what plain testing gives.
"""

import copy
import functools

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, default_collate, pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData

from custom_datasets.settings import load_config
from tests.leaves import CLASSIFIERS, DETECTORS, LEAVES

SIZES = [(120, 88), (72, 104)]
"""Width and height of a batch's two images, which are padded on different sides."""
RECTANGLES = [
    ((0.05, 0.10, 0.40, 0.35), 0, 250),
    ((0.55, 0.15, 0.75, 0.60), 1, 230),
    ((0.10, 0.50, 0.35, 0.90), 2, 210),
    ((0.60, 0.70, 0.95, 0.95), 0, 190),
]
"""Box in shares of the image, class (a channel of the file) and brightness. No
flip moves one onto another."""


@functools.cache
def read(leaf):
    return load_config(str(leaf))


def each(leaves):
    return pytest.mark.parametrize('leaf', leaves, ids=lambda leaf: leaf.stem)


def several_scales(leaf):
    """Tell whether ``--tta`` resizes to more than one."""
    return leaf.parent.name not in ('age_gender', 'metal_surface')


def one_a_data_set(leaves):
    return {leaf.parent.name: leaf for leaf in leaves}.values()


@pytest.fixture(scope='module')
def painted(tmp_path_factory):
    """Rectangles on black, and what a data set says of the images."""
    images = []
    for width, height in SIZES:
        image = np.zeros((height, width, 3), np.uint8)
        for share, label, light in RECTANGLES:
            x1, y1, x2, y2 = pixels(share, width, height)
            image[y1:y2, x1:x2, label] = light
        images.append(image)
    return write(images, tmp_path_factory.mktemp('painted'))


@pytest.fixture(scope='module')
def shaded(tmp_path_factory):
    """Shades that rise to the right, downwards, and from the middle to both sides."""
    images = []
    for width, height in SIZES:
        right, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
        channels = [250 * right, 180 * down, 240 * (2 * right - 1) ** 2]
        images.append(np.stack(channels, axis=2).astype(np.uint8))
    return write(images, tmp_path_factory.mktemp('shaded'))


def write(images, folder):
    infos = []
    for number, image in enumerate(images):
        path = str(folder / f'{number}.png')
        cv2.imwrite(path, image)
        infos.append({'img_path': path, 'img_id': number, 'instances': []})
    return infos


def pixels(share, width, height):
    return np.round(np.array(share) * ([width, height] * 2)).astype(int).tolist()


class Seeing(BaseModel):
    """A model behind a leaf's data preprocessor."""

    def __init__(self, data_preprocessor):
        super().__init__(data_preprocessor)

    def images(self, inputs):
        """Return the batch in the file's colours."""
        steps = self.data_preprocessor
        own = 'to_rgb' if hasattr(steps, 'to_rgb') else '_channel_conversion'
        images = inputs * steps.std + steps.mean
        return images.flip(1) if getattr(steps, own) else images


class Detector(Seeing):
    """Finds rectangles, and in each a less tall one that its own NMS would keep.

    Each batch makes it a hair surer, so that of boxes which are the same those of
    the last view stay, which is flipped and may be large.

    Args:
        threshold: The leaf's own, of overlaps.
        blind: Whether it overlooks the right half of what it sees.
        surer: Whether a larger view makes it surer.
    """

    def __init__(self, data_preprocessor, threshold, blind=False, surer=False):
        super().__init__(data_preprocessor)
        self.threshold, self.blind, self.surer = threshold, blind, surer
        self.extra = 0.0

    def forward(self, inputs, data_samples, mode):
        assert mode == 'predict'
        self.extra += 1e-5
        for image, sample in zip(self.images(inputs), data_samples, strict=True):
            scale = np.array(sample.scale_factor)
            width, height = np.round(scale * sample.ori_shape[1::-1]).astype(int)
            image = image[:, :height, :width]  # Without what it was padded with.
            found = [one for label in range(3) for one in self.find(image, label)]
            found.sort(key=lambda one: -one[1])
            boxes, scores, labels = zip(*found, strict=True)
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor(boxes / np.tile(scale, 2)).float(),
                scores=torch.tensor(scores),
                labels=torch.tensor(labels),
            )
        return data_samples

    def find(self, image, label):
        channel = image[label].numpy()
        bright = np.ascontiguousarray(channel > 20, dtype=np.uint8)
        count, parts = cv2.connectedComponents(bright)
        for part in range(1, count):
            inside = np.where(parts == part, channel, 0)
            light = float(inside.max())
            # An edge is where the light is half.
            solid = (inside > light / 2).astype(np.uint8)
            x, y, width, height = map(float, cv2.boundingRect(solid))
            if self.blind and x + width / 2 > channel.shape[1] / 2:
                continue
            score = light / 255
            score *= len(channel) / 10_000 if self.surer else 1
            yield (x, y, x + width, y + height), score + self.extra, label
            # Of the same width and middle: the overlap is the share of the height.
            cut = height * (1 - (self.threshold - 0.05)) / 2
            lower = x, y + cut, x + width, y + height - cut
            yield lower, score / 2 + self.extra, label


class Classifier(Seeing):
    """Knows the mean colour.

    Args:
        blind: Whether it overlooks the right half of what it sees.
        surer: Whether a larger view makes it surer.
    """

    def __init__(self, data_preprocessor, blind=False, surer=False):
        super().__init__({'type': 'ClsDataPreprocessor', **data_preprocessor})
        self.blind, self.surer = blind, surer

    def forward(self, inputs, data_samples, mode):
        assert mode == 'predict'
        for image, sample in zip(self.images(inputs), data_samples, strict=True):
            seen = image[:, :, : image.shape[2] // 2] if self.blind else image
            logits = seen.mean(dim=(1, 2)) / 20
            logits *= image.shape[1] / 100 if self.surer else 1
            sample.set_pred_score(logits.softmax(0))
        return data_samples


def run(leaf, images, make, collate):
    """Return what plain testing gives and what ``--tta`` does, as the scripts do."""
    cfg = copy.deepcopy(read(leaf))
    init_default_scope(cfg.default_scope)
    model = make(cfg)
    pipeline = cfg.test_dataloader.dataset.pipeline
    default = {'type': 'mmpretrain.AverageClsScoreTTA'}
    merging = MODELS.build({**cfg.get('tta_model', default), 'module': model})
    told = []
    for tested, steps in ((model, pipeline), (merging, cfg.tta_pipeline)):
        load = Compose(steps)
        with torch.no_grad():
            batch = collate([load(copy.deepcopy(info)) for info in images])
            told.append(tested.test_step(batch))
    return told


def detect(leaf, images, **options):
    def make(cfg):
        own = cfg.model.test_cfg.get('rcnn', cfg.model.test_cfg)
        # DINO needs no NMS, so that of the views is the only one.
        nms = own.get('nms', cfg.tta_model.tta_cfg.nms)
        threshold = nms.iou_threshold
        return Detector(cfg.model.data_preprocessor, threshold, **options)

    return run(leaf, images, make, pseudo_collate)


def classify(leaf, images, **options):
    return run(
        leaf,
        images,
        lambda cfg: Classifier(cfg.data_preprocessor, **options),
        default_collate,
    )


def assert_same_boxes(plain, with_tta):
    for one, other in zip(plain, with_tta, strict=True):
        first, second = one.pred_instances, other.pred_instances
        assert first.labels.tolist() == second.labels.tolist()
        assert second.scores.tolist() == pytest.approx(first.scores.tolist(), abs=1e-4)
        # In a view an edge is found at the nearest pixel, so half a pixel of it off;
        # two views are compared, of which plain testing's is the smaller.
        off = abs(first.bboxes - second.bboxes)
        assert float(off.max()) <= 1 / min(one.scale_factor) + 1e-3


def assert_same_probabilities(plain, with_tta):
    for one, other in zip(plain, with_tta, strict=True):
        # A view is cut at whole pixels, which can take half of one from a side.
        np.testing.assert_allclose(one.pred_score, other.pred_score, rtol=0, atol=5e-3)


@each(one_a_data_set(LEAVES))
def test_scales_of_the_views(leaf):
    choices = read(leaf).tta_pipeline[-1].transforms
    several = any(sum(step.type == 'Resize' for step in one) > 1 for one in choices)
    assert several == several_scales(leaf)


@each(DETECTORS)
def test_boxes_and_scores_stay(leaf, painted):
    plain, with_tta = detect(leaf, painted)
    assert_same_boxes(plain, with_tta)
    for sample, size in zip(plain, SIZES, strict=True):
        found = sample.pred_instances
        wanted = torch.tensor([pixels(box, *size) for box, *_ in RECTANGLES])
        # The four rectangles come before the lower ones, which have half the score.
        off = abs(found.bboxes[: len(RECTANGLES)] - wanted).max()
        assert float(off) <= 0.5 / min(sample.scale_factor) + 1e-3
        assert found.labels.tolist() == [label for _, label, _ in RECTANGLES] * 2


@each(one_a_data_set(DETECTORS))
def test_a_detector_blind_on_one_side_would_be_seen(leaf, painted):
    with pytest.raises(AssertionError):
        assert_same_boxes(*detect(leaf, painted, blind=True))


@each(one_a_data_set(filter(several_scales, DETECTORS)))
def test_a_detector_surer_of_what_is_large_would_be_seen(leaf, painted):
    with pytest.raises(AssertionError):
        assert_same_boxes(*detect(leaf, painted, surer=True))


@each(DETECTORS)
def test_as_many_boxes_are_kept(leaf):
    cfg = read(leaf)
    own = cfg.model.test_cfg.get('rcnn', cfg.model.test_cfg)
    assert cfg.tta_model.tta_cfg.max_per_img == own.max_per_img


@each(CLASSIFIERS)
def test_probabilities_stay(leaf, shaded):
    plain, with_tta = classify(leaf, shaded)
    assert_same_probabilities(plain, with_tta)
    for sample in plain:
        assert np.ptp(sample.pred_score) > 0.1


@each(one_a_data_set(CLASSIFIERS))
def test_a_classifier_blind_on_one_side_would_be_seen(leaf, shaded):
    with pytest.raises(AssertionError):
        assert_same_probabilities(*classify(leaf, shaded, blind=True))


@each(one_a_data_set(filter(several_scales, CLASSIFIERS)))
def test_a_classifier_surer_of_what_is_large_would_be_seen(leaf, shaded):
    with pytest.raises(AssertionError):
        assert_same_probabilities(*classify(leaf, shaded, surer=True))
