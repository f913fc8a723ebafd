"""Images: a recipe becomes a folder, once. ``Images`` is the way in."""

from cpsl.engine.local.images.building import BuildLimits
from cpsl.engine.local.images.images import Images
from cpsl.engine.local.images.recipe import is_empty

__all__ = ["BuildLimits", "Images", "is_empty"]
