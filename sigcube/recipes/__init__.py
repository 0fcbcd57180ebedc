"""Recipes: from a dataset's name to a cube on disk, by way of checked files and a reader."""

from sigcube.recipes.fetching import cache_folder, fetch
from sigcube.recipes.ingesting import ingest
from sigcube.recipes.model import RawFile, Recipe, load_recipe, recipe_names

__all__ = ["RawFile", "Recipe", "cache_folder", "fetch", "ingest", "load_recipe", "recipe_names"]
