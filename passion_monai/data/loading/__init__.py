"""From the files of a case to the tensors of a training step: transforms, cached data set, sampler, fingerprint.

Here: what the configs' `preprocessing` and `dataset` are made of.
Not here: scans of a single patient on different grids (`data.scans`).
"""
