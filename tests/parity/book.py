"""The paper's equations as a book would print them: numpy scalars, one loop per sum, float64, nothing clever.

Arrays are of one case: logits and features (K or C, H, W), labels (H, W).
"""

import math

import numpy as np


def voxels(array):
    return np.ndindex(*array.shape[-2:])


def softmax(z, temperature=1.0):
    q = np.zeros_like(z)
    for v in voxels(z):
        powers = [math.exp(z[(k, *v)] / temperature) for k in range(len(z))]
        for k, power in enumerate(powers):
            q[(k, *v)] = power / sum(powers)
    return q


def upsample(z, size):
    """Bilinear; the corners of both grids coincide."""
    result = np.zeros((len(z), *size))
    for k in range(len(z)):
        for i, j in np.ndindex(*size):
            y = i * (z.shape[1] - 1) / (size[0] - 1)
            x = j * (z.shape[2] - 1) / (size[1] - 1)
            for a in range(z.shape[1]):
                for b in range(z.shape[2]):
                    result[k, i, j] += max(0, 1 - abs(y - a)) * max(0, 1 - abs(x - b)) * z[k, a, b]
    return result


def dice_and_cross_entropy(z, labels):
    """l_dice+ce: soft Dice over all classes, cross-entropy weighted by 1 - class frequency."""
    p, num_classes, n = softmax(z), len(z), labels.size
    dice = entropy = 0.0
    for k in range(num_classes):
        inside = [v for v in voxels(z) if labels[v] == k]
        overlap = sum(p[(k, *v)] for v in inside)
        dice += 2 * overlap / (sum(p[(k, *v)] for v in voxels(z)) + len(inside) + 1e-7)
        entropy -= (1 - len(inside) / n) * sum(math.log(p[(k, *v)]) for v in inside)
    return 1 - dice / num_classes + entropy / n


def divergence(first, second, temperature):
    """KL(first || second) of predictions softened by the temperature, mean over voxels (Eq. 3)."""
    p, q = softmax(first, temperature), softmax(second, temperature)
    total = 0.0
    for v in voxels(first):
        for k in range(len(first)):
            total += p[(k, *v)] * math.log(p[(k, *v)] / q[(k, *v)])
    return total / p[0].size


def prototype(features, labels, k):
    """Eq. 4."""
    inside = [v for v in voxels(features) if labels[v] == k]
    return np.array([sum(features[(c, *v)] for v in inside) / len(inside) for c in range(len(features))])


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def similarity(features, labels, k):
    """The map whose sum over voxels is Eq. 5 or 6."""
    center = prototype(features, labels, k)
    return {v: cosine([features[(c, *v)] for c in range(len(features))], center) for v in voxels(features)}


def map_differences(student, teacher, labels):
    """|S^s(i) - S^t(i)| for every voxel and present class: what Eq. 7 and 8 sum."""
    differences = []
    for k in sorted(set(labels.flatten().tolist())):
        s, t = similarity(student, labels, k), similarity(teacher, labels, k)
        differences += [abs(s[v] - t[v]) for v in s]
    return differences


def relative_preferences(distances, available):
    """Eq. 9 and 10 for one case; 0/0 and unavailable are balanced."""
    average = sum(d for d, c in zip(distances, available, strict=True) if c) / sum(available)
    return [1 - d / average if c and average > 0 else 0.0 for d, c in zip(distances, available, strict=True)]
