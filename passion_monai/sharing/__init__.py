"""A trained bundle for other people and other software.

Here: `formats` (one file for other programs), `bundles` (a folder and a zip), `zoo` and `metadata` (the zoo's checks).
Not here: what a bundle does when it runs (`bundle`).
"""
