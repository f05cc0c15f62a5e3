"""A backbone the paper never saw: the mean of what is present, decoded by a small U-shaped decoder (the idea of HeMIS).

Havaei et al., "HeMIS: Hetero-Modal Image Segmentation", MICCAI 2016. Tests use it to show that losses, methods and
engines know nothing of the published backbones.
"""

from monai.networks.layers import Conv
from torch import Tensor

from passion_monai.networks.blocks import AuxiliaryDecoder, Encoder, Merge, Rise
from passion_monai.networks.contract import Decoded, IncompleteSegmenter
from passion_monai.networks.per_modality import PerModality, keep_only

__all__ = ["MeanFusion"]


class MeanFusion(IncompleteSegmenter):
    def __init__(self, spatial_dims: int, num_modalities: int, num_classes: int, channels=(4, 6)) -> None:
        super().__init__(spatial_dims, num_modalities, num_classes, divisor=2)
        self.encoders = PerModality(Encoder(spatial_dims, channels) for _ in range(num_modalities))
        self.rise = Rise(spatial_dims, channels[1], channels[0], "post")
        self.merge = Merge(spatial_dims, channels[0], "post")
        self.head = Conv[Conv.CONV, spatial_dims](channels[1], num_classes, 1)
        self.classifier = Conv[Conv.CONV, spatial_dims](channels[0], num_classes, 1)
        self.auxiliary_decoder = AuxiliaryDecoder(spatial_dims, channels, num_classes, "post")

    def encode(self, x: Tensor, available: Tensor) -> list[Tensor]:
        return self.encoders(x.unsqueeze(2), available)

    def decode(self, features: list[Tensor], presence: Tensor) -> Decoded:
        count = presence.sum(dim=1).reshape([-1, 1] + [1] * self.spatial_dims)
        fine, deep = [keep_only(level, presence).sum(dim=1) / count for level in features]
        features_out = self.merge(self.rise(deep), fine)
        return Decoded(self.classifier(features_out), [self.head(deep)], features_out)

    def auxiliary(self, features: list[Tensor]) -> list[Tensor]:
        return self.auxiliary_decoder.per_modality(features)
