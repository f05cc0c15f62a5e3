"""Rigid registration of two scans of one patient, for modalities between which the head moved.

Mattes mutual information and a versor, by ITK; Mattes et al., "PET-CT image registration in the chest using free-form
deformations", IEEE TMI 2003.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passion_monai.data.scans.itk_images import RAS_FROM_LPS, scan_to_itk
from passion_monai.data.scans.scan import Scan

__all__ = ["Rigid", "register_rigid"]


class Rigid(NamedTuple):
    """What a registration found.

    Attributes:
        matrix: ``(4, 4)``, a place in the reference (mm, RAS) to the same tissue's place in the moving scan.
        degrees: angle of its rotation.
        millimetres: how far it moves the centre of the reference.
        metric: negative mutual information at the end; smaller is better.
    """

    matrix: NDArray[np.float64]
    degrees: float
    millimetres: float
    metric: float


def register_rigid(moving: Scan, reference: Scan, seed: int = 0) -> Rigid:
    """Find the rotation and translation between two scans that start roughly in place (one scanner, one visit).

    Args:
        moving: any modality.
        reference: any other, of the same patient.
        seed: of the voxels that are compared.

    Raises:
        ValueError: when ITK finds too little overlap, or an image has oblique axes that are not orthogonal.
    """
    import itk

    fixed, image = scan_to_itk(reference), scan_to_itk(moving)
    kind = itk.Image[itk.F, 3]
    start = itk.VersorRigid3DTransform[itk.D].New()
    centre = (RAS_FROM_LPS @ reference.affine @ [*((np.asarray(reference.shape) - 1) / 2), 1])[:3]
    start.SetCenter([float(x) for x in centre])
    metric = itk.MattesMutualInformationImageToImageMetricv4[kind, kind].New(NumberOfHistogramBins=32)
    metric.SetUseMovingImageGradientFilter(False)
    metric.SetUseFixedImageGradientFilter(False)
    scales = itk.RegistrationParameterScalesFromPhysicalShift[type(metric)].New(Metric=metric)
    optimizer = itk.RegularStepGradientDescentOptimizerv4.New(
        LearningRate=1.0, MinimumStepLength=1e-3, RelaxationFactor=0.5, NumberOfIterations=100, ScalesEstimator=scales
    )
    method = itk.ImageRegistrationMethodv4[kind, kind].New(
        FixedImage=fixed, MovingImage=image, Metric=metric, Optimizer=optimizer, InitialTransform=start
    )
    method.SetNumberOfLevels(2)
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([2.0, 1.0])
    method.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    method.SetMetricSamplingStrategy(itk.ImageRegistrationMethodv4Enums.MetricSamplingStrategy_RANDOM)
    method.SetMetricSamplingPercentage(0.1)
    method.MetricSamplingReinitializeSeed(seed + 1)  # 0 means the clock
    try:
        method.Update()
    except RuntimeError as error:
        raise ValueError(
            f"{moving.path} cannot be registered to {reference.path}: {str(error).strip().splitlines()[-1]}"
        ) from error
    found = start.New()
    found.SetFixedParameters(start.GetFixedParameters())
    found.SetParameters(method.GetTransform().GetParameters())
    return _rigid(found, centre, optimizer.GetValue())


def _rigid(transform: object, centre: NDArray[np.float64], metric: float) -> Rigid:
    import itk

    matrix = np.eye(4)
    matrix[:3, :3] = itk.array_from_matrix(transform.GetMatrix())  # type: ignore[attr-defined]
    matrix[:3, 3] = list(transform.GetOffset())  # type: ignore[attr-defined]
    angle = np.degrees(np.arccos(np.clip((np.trace(matrix[:3, :3]) - 1) / 2, -1, 1)))
    moved = np.linalg.norm(matrix[:3, :3] @ centre + matrix[:3, 3] - centre)
    return Rigid(RAS_FROM_LPS @ matrix @ RAS_FROM_LPS, float(angle), float(moved), float(metric))
