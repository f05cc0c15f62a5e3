"""Small random training passes, as a training view would produce them."""

import torch

from passion_monai.networks.contract import Decoded, TrainingOutput, students

SIZE = (6, 4)
DEEP_SIZES = ((3, 2), (2, 2))


def random_decoded(cases, num_classes=3, channels=2, size=SIZE, deep=DEEP_SIZES, dtype=torch.float64):
    def draw(*shape):
        return (2 * torch.randn(*shape, dtype=dtype)).requires_grad_()

    return Decoded(
        draw(cases, num_classes, *size),
        [draw(cases, num_classes, *level) for level in deep],
        draw(cases, channels, *size),
    )


def random_output(available, presence=None, seed=0, **kwargs):
    """A pass over cases with the given availability; everything is a leaf that wants a gradient."""
    torch.manual_seed(seed)
    available = torch.as_tensor(available, dtype=torch.bool)
    presence = available if presence is None else torch.as_tensor(presence, dtype=torch.bool)
    counts = students(presence, available).sum(dim=0).tolist()
    return TrainingOutput(
        fused=random_decoded(len(available), **kwargs),
        unimodal=[random_decoded(n, **kwargs) if n else None for n in counts],
        auxiliary=[random_decoded(n, **kwargs).logits if n else None for n in available.sum(dim=0).tolist()],
        presence=presence,
        available=available,
    )


def random_target(cases, num_classes=3, size=SIZE, seed=1):
    """Labels in which every class occurs in every case."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, num_classes, (cases, 1, *size), generator=generator)
    target.flatten(1)[:, :num_classes] = torch.arange(num_classes)
    return target


def case_of(output, m, b):
    """Index of case b in ``output.unimodal[m]``, or None when modality m is no student there."""
    rows = students(output.presence, output.available)[:, m]
    return int(rows[:b].sum()) if rows[b] else None
