"""Which modalities cases have: subsets, missing rates, availability tables, the published ones.

Here: everything about presence and absence that needs no image and no file of a case.
Not here: finding out what a folder holds (`data.cases`).
"""
