"""New scans in, label maps out: what is asked, read, brought to one grid, predicted, recorded, written.

Here: the way of a scan, in this order: `requests`, `one_grid`, `opened_bundle`, `record`, `outputs`; `new_scans` and
`folder` walk it for `passion predict` and for a bundle's inference.json.
Not here: scores of what is predicted (`scoring`).
"""
