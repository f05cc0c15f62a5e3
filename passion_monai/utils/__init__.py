"""What every room needs and none owns: files that are never half-written, JSON that is read once, words for errors.

Here: a handful of functions without any knowledge of images, networks or training.
Not here: whatever has a room of its own.
"""
