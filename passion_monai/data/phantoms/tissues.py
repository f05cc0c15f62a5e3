"""What tissues look like in four MR sequences: relaxation times and signal equations.

Times at 3 T in ms, from the literature where there is any: white matter T1/T2 (Stanisz 2005; MR fingerprinting, de
Blank), grey matter (Stanisz), cerebrospinal fluid, peritumoral oedema and solid tumour (MR fingerprinting), shifts by
gadolinium (Frankfurt 2020, n = 33). T2 and proton density of oedema, enhancing tumour and necrosis are choices
consistent with these sources, not measurements. T1 and T1c are the same sequence (MPRAGE): in a spin echo, oedema falls
between grey and white matter and a T1 image alone would show nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["TISSUES", "Tissue", "signals"]


class Tissue(NamedTuple):
    """Relaxation times in ms (T1 before and after gadolinium, T2) and relative proton density."""

    t1: float
    t1_post: float
    t2: float
    density: float


TISSUES = {
    "white": Tissue(950, 918, 70, 0.70),
    "grey": Tissue(1500, 1450, 95, 0.82),
    "fluid": Tissue(4200, 4100, 1800, 1.00),
    "oedema": Tissue(1450, 1330, 130, 0.86),
    "enhancing": Tissue(1750, 830, 130, 0.88),
    "necrosis": Tissue(2300, 2150, 220, 0.93),
}


def signals(tissue: Tissue, scale: float = 1.0) -> dict[str, float]:
    r"""Signal of a tissue in FLAIR, T1c, T1 and T2, relative to a unit of proton density.

    .. math::
        S_{IR} = \rho \left|1 - 2 e^{-TI / T_1} + e^{-TR / T_1}\right| e^{-TE / T_2}, \qquad
        S_{TSE} = \rho \left(1 - e^{-TR / T_1}\right) e^{-TE / T_2}

    MPRAGE (T1, T1c after gadolinium): TR 2000, TI 900, TE 4. FLAIR: TR 9000, TI 2500, TE 120. T2 TSE: TR 4500, TE 100.

    Args:
        tissue: its parameters.
        scale: multiplies inversion and echo times, the scanner's own protocol; the same for all tissues of a case.

    Example:
        >>> {name: round(value, 3) for name, value in signals(TISSUES["white"]).items()}
        {'flair': 0.108, 't1ce': 0.24, 't1': 0.229, 't2': 0.166}
    """

    def inversion_recovery(t1: float, repetition: float, inversion: float, echo: float) -> float:
        longitudinal = abs(1 - 2 * np.exp(-inversion * scale / t1) + np.exp(-repetition / t1))
        return float(tissue.density * longitudinal * np.exp(-echo * scale / tissue.t2))

    return {
        "flair": inversion_recovery(tissue.t1, 9000, 2500, 120),
        "t1ce": inversion_recovery(tissue.t1_post, 2000, 900, 4),
        "t1": inversion_recovery(tissue.t1, 2000, 900, 4),
        "t2": float(tissue.density * (1 - np.exp(-4500 / tissue.t1)) * np.exp(-100 * scale / tissue.t2)),
    }
