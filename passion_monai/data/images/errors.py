"""Why an image cannot be used, without its name: whoever opened it knows the name."""

from __future__ import annotations

__all__ = ["BadImageError"]


class BadImageError(ValueError):
    """An image that cannot be used.

    Args:
        reason: in words, without the file's name.
        damaged: another copy of the file may be whole; otherwise the file is what it was meant to be.

    Example:
        >>> BadImageError("its end is missing").sentence("a.nii")
        'a.nii cannot be read, it is damaged or no image (its end is missing); copy it again or leave it out'
        >>> BadImageError("it stores colours", damaged=False).sentence("a.nii")
        'a.nii cannot be used: it stores colours'
    """

    def __init__(self, reason: str, damaged: bool = True) -> None:
        super().__init__(reason)
        self.damaged = damaged

    def sentence(self, name: object) -> str:
        """The reason with a name and the way out."""
        if self.damaged:
            return f"{name} cannot be read, it is damaged or no image ({self}); copy it again or leave it out"
        return f"{name} cannot be used: {self}"
