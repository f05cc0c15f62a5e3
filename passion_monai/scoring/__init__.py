"""Scores against references: of a model on every subset, of label maps on disk.

Here: `model` (evaluation of a network), `label_maps` (files of predictions and references), and what both write.
Not here: the metrics themselves (`metrics`), and how scores are shown (`reports`).
"""
