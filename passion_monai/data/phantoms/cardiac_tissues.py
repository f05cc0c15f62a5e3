"""What the heart looks like in three MR sequences: bSSFP shows its shape, LGE the scar, black-blood T2w the oedema.

Times at 1.5 T in ms. Myocardium (Dabir; Granitz), oedema (Ugander 2012), scar and the state 15 min after gadolinium
(JCMR) are within the published ranges; blood after gadolinium is a compromise between reports of 350 and 450. Liver,
spleen, muscle, fat and lung are generic: they only have to look like what surrounds a heart.
"""

from __future__ import annotations

import math

from passion_monai.data.phantoms.tissues import Tissue

__all__ = ["CARDIAC_TISSUES", "cardiac_signals", "nulling_time"]

_REPETITION = 1800.0  # of the LGE sequence: every second heart beat

CARDIAC_TISSUES = {
    "blood": Tissue(1500, 380, 200, 0.95),
    "myocardium": Tissue(1000, 480, 52, 0.80),
    "oedema": Tissue(1130, 430, 70, 0.86),
    "scar": Tissue(1150, 310, 58, 0.84),
    "obstruction": Tissue(1100, 520, 56, 0.84),
    "fat": Tissue(300, 280, 60, 1.00),
    "muscle": Tissue(950, 560, 42, 0.78),
    "liver": Tissue(590, 400, 45, 0.75),
    "spleen": Tissue(1050, 430, 75, 0.82),
    "lung": Tissue(1200, 500, 30, 0.20),
}


def nulling_time(t1: float) -> float:
    r"""Inversion time at which a tissue gives no signal, :math:`TI = T_1 \ln \frac{2}{1 + e^{-TR / T_1}}`, in ms.

    Args:
        t1: of the tissue after contrast agent, in ms.

    Example:
        >>> round(nulling_time(CARDIAC_TISSUES["myocardium"].t1_post))
        322
    """
    return t1 * math.log(2 / (1 + math.exp(-_REPETITION / t1)))


def cardiac_signals(tissue: Tissue, inversion: float, scale: float = 1.0) -> dict[str, float]:
    r"""Signal of a tissue in bSSFP, LGE and T2w, relative to a unit of proton density.

    .. math::
        S_{bSSFP} = \rho \frac{\sin\alpha (1 - E_1)}{1 - (E_1 - E_2) \cos\alpha - E_1 E_2} e^{-TE / T_2}, \quad
        S_{LGE} = \rho \left|1 - 2 e^{-TI / T_1} + e^{-TR / T_1}\right|, \quad
        S_{T2w} = \rho \left(1 - e^{-TR / T_1}\right) e^{-TE / T_2}

    bSSFP: flip angle 55 degrees, TR 3, TE 1.5. LGE: TR 1800, T1 after gadolinium. T2w: TR 2000, TE 64; blood is bright
    here, the black-blood preparation is the phantom's.

    Args:
        tissue: its parameters.
        inversion: of LGE in ms, see `nulling_time`.
        scale: multiplies the echo time of T2w and the flip angle, the scanner's own protocol.

    Example:
        >>> for name in ("myocardium", "oedema", "scar"):
        ...     print(name, {k: round(v, 3) for k, v in cardiac_signals(CARDIAC_TISSUES[name], 322.0).items()})
        myocardium {'bssfp': 0.067, 'lge': 0.001, 't2': 0.202}
        oedema {'bssfp': 0.083, 'lge': 0.06, 't2': 0.286}
        scar {'bssfp': 0.069, 'lge': 0.248, 't2': 0.23}
    """
    angle = math.radians(55 * scale)
    e1, e2 = math.exp(-3 / tissue.t1), math.exp(-3 / tissue.t2)
    steady = math.sin(angle) * (1 - e1) / (1 - (e1 - e2) * math.cos(angle) - e1 * e2)
    recovered = 1 - 2 * math.exp(-inversion / tissue.t1_post) + math.exp(-_REPETITION / tissue.t1_post)
    spin_echo = (1 - math.exp(-2000 / tissue.t1)) * math.exp(-64 * scale / tissue.t2)
    return {
        "bssfp": tissue.density * steady * math.exp(-1.5 / tissue.t2),
        "lge": tissue.density * abs(recovered),
        "t2": tissue.density * spin_echo,
    }
