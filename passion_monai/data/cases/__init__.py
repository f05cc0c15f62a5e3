"""Which cases there are: folders, file names, known layouts, data lists, splits, and what is wrong with them.

Here: from a folder or a list to items `{case, modality: path, label: path}`; no voxel is read, but
to find channels that are copies in folders of TIFF slices.
Not here: opening images (`data.loading`, `data.scans`) and judging a whole data set (`data.audit`).
"""
