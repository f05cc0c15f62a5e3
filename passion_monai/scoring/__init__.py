"""Scores against references: of a model on every subset, of label maps on disk.

Here: `trained_model` (a network on every subset), `label_maps` (files of predictions and references), what both write.
Not here: the metrics themselves (`metrics`), and how scores are shown (`reports`).
"""
