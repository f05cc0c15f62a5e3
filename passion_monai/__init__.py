"""Incomplete multi-modal medical image segmentation, trained on imperfect data, as MONAI building blocks.

Reference:
    Shi et al., "PASSION: Towards Effective Incomplete Multi-Modal Medical Image Segmentation with Imbalanced Missing
    Rates", ACM Multimedia 2024. https://arxiv.org/abs/2407.14796
"""

__version__ = "0.1.0"
