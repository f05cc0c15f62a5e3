"""The commands of `passion`, one file each; a module is imported only when its command runs.

Here: what a command asks and says.
Not here: the work itself, which any Python program can call in the room below.
"""
