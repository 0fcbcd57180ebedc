"""Recipes: from a dataset's name to a cube on disk, by way of checked files and a reader."""

from sigcube.files import cache_folder
from sigcube.recipes.fetching import fetch
from sigcube.recipes.ingesting import check_files, ingest
from sigcube.recipes.recipe import Contents, RawFile, Recipe, load_recipe, recipe_names

__all__ = [
    "Contents",
    "RawFile",
    "Recipe",
    "cache_folder",
    "check_files",
    "fetch",
    "ingest",
    "load_recipe",
    "recipe_names",
]
