"""Lesion by lesion: how many lesions of a region were found, missed or invented, and how well the found ones fit.

A case's Dice is ruled by its largest lesion; a small one that is missed hardly shows. Lesions are connected components
(26 neighbours in 3D), matched and counted by panoptica, which is an extra: ``pip install "passion_monai[lesions]"``.

Source: Kofler et al., "Panoptica: instance-wise evaluation of 3D semantic and instance segmentation maps", 2023.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from passion_monai.metrics.masks import ArrayLike, as_masks

__all__ = ["LesionScores", "lesion_scores"]


class LesionScores(NamedTuple):
    """Counts of one region in one case.

    Attributes:
        found: lesions of the reference that a predicted lesion matches.
        missed: lesions of the reference that none matches.
        invented: predicted lesions that match none of the reference.
        f1: ``2 found / (2 found + missed + invented)``, panoptica's recognition quality; NaN when there is no lesion.
        dice: mean Dice of the matched pairs; NaN when nothing was found.
    """

    found: int
    missed: int
    invented: int
    f1: float
    dice: float


def lesion_scores(prediction: ArrayLike, reference: ArrayLike, overlap: float = 0.1) -> LesionScores:
    """Match the lesions of a prediction with those of the reference.

    Args:
        prediction: boolean mask, shape ``(*S)`` with two or three axes.
        reference: boolean mask, same shape.
        overlap: smallest intersection over union of a matched pair, in (0, 1]; the default asks for a hit, not for a
            good outline.

    Raises:
        ImportError: when panoptica is not installed.
        ValueError: when the shapes differ, a mask holds anything but 0 and 1, or ``overlap`` is out of range.
    """
    if not 0 < overlap <= 1:
        raise ValueError(f"overlap must lie in (0, 1], got {overlap}")
    mask, truth = as_masks(prediction, reference)
    try:
        import panoptica
    except ImportError as error:
        raise ImportError('lesion scores need panoptica: pip install "passion_monai[lesions]"') from error
    evaluator = panoptica.Panoptica_Evaluator(
        expected_input=panoptica.InputType.SEMANTIC,
        instance_approximator=panoptica.ConnectedComponentsInstanceApproximator(),
        instance_matcher=panoptica.NaiveThresholdMatching(matching_threshold=overlap),
        instance_metrics=[panoptica.Metric.DSC],
        global_metrics=[],
    )
    result = evaluator.evaluate(mask.astype(np.uint8), truth.astype(np.uint8), verbose=False)["ungrouped"]
    quality = float(result.sq_dsc) if result.tp else float("nan")
    return LesionScores(result.tp, result.fn, result.fp, float(result.rq), quality)
