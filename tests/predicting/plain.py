"""The papers' procedures word for word: one box after the other, slowly.

A box is ``(x1, y1, x2, y2)``; a model's prediction ``(box, score, label)``.
"""


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)


def weighted_boxes_fusion(models, threshold):
    """Solovyev et al., section 3: the seven steps, for models of one image and class.

    ``models`` holds a list of ``(box, score)`` for each model.
    """
    # 1. All boxes in one list, sorted by descending confidence.
    everything = sorted(
        (one for model in models for one in model), key=lambda one: -one[1]
    )
    # 2. Lists of clusters and of fused boxes.
    clusters, fused = [], []
    for box, score in everything:
        # 3. A match in the list of fused boxes.
        overlaps = [iou(box, other) for other, _ in fused]
        best = max(overlaps, default=0)
        if best <= threshold:
            # 4. None: a new entry at the end of both.
            clusters.append([(box, score)])
            fused.append((box, score))
            continue
        # 5. The match's cluster grows. 6. Its fused box is calculated anew.
        place = overlaps.index(best)
        cluster = clusters[place]
        cluster.append((box, score))
        total = sum(c for _, c in cluster)
        corners = tuple(sum(c * b[k] for b, c in cluster) / total for k in range(4))
        fused[place] = (corners, total / len(cluster))
    # 7. Confidences are rescaled by how many of the models agree, equation 5.
    return [
        (box, score * min(len(cluster), len(models)) / len(models))
        for (box, score), cluster in zip(fused, clusters, strict=True)
    ]


def nms(boxes, threshold):
    """Greedy non-maximum suppression of ``(box, score)``."""
    left, kept = sorted(boxes, key=lambda one: -one[1]), []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [one for one in left if iou(one[0], best[0]) <= threshold]
    return kept


def soft_nms(boxes, threshold):
    """Bodla et al., figure 2 with equation 2; nothing is dropped."""
    left, kept = list(boxes), []
    while left:
        best = max(left, key=lambda one: one[1])
        left.remove(best)
        kept.append(best)
        decayed = []
        for box, score in left:
            overlap = iou(box, best[0])
            decayed.append((box, score * (1 - overlap if overlap >= threshold else 1)))
        left = decayed
    return kept


def nmw(boxes, threshold):
    """Zhou et al., section 3.4: the mean of each group that NMS would suppress."""
    left, kept = sorted(boxes, key=lambda one: -one[1]), []
    while left:
        top, score = left[0]
        group = [one for one in left if one[0] == top or iou(one[0], top) > threshold]
        weights = [c * iou(box, top) for box, c in group]
        corners = tuple(
            sum(w * box[k] for w, (box, _) in zip(weights, group, strict=True))
            / sum(weights)
            for k in range(4)
        )
        kept.append((corners, score))
        left = [one for one in left if one not in group]
    return kept
