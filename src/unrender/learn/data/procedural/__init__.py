"""Made-up household objects, as many as wanted: training data that needs no files."""

from .objects import CATEGORIES, ProceduralObject, object_category, random_object

__all__ = ["CATEGORIES", "ProceduralObject", "object_category", "random_object"]
