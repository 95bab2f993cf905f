"""Recipes: one file per job, from the raw data to the model, its figures and its pictures."""

from kblocks.recipes.characters import Characters
from kblocks.recipes.glue import Glue
from kblocks.recipes.glue_gpt import GlueGPT
from kblocks.recipes.images import Images
from kblocks.recipes.listops import ListOps
from kblocks.recipes.parsing import Parsing
from kblocks.recipes.pathfinder import Pathfinder
from kblocks.recipes.pixels import Pixels
from kblocks.recipes.pretraining import Pretraining
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import RunDirectory
from kblocks.recipes.segmentation import Segmentation
from kblocks.recipes.sentiment import Sentiment
from kblocks.recipes.squad import Squad
from kblocks.recipes.tagging import Tagging
from kblocks.recipes.translation import Translation

__all__ = ["Recipe", "RunDirectory", "TrainingConfig", "all_recipes", "get"]

_ALL: tuple[Recipe, ...] = (
    Characters(),
    Glue(),
    GlueGPT(),
    Images(),
    ListOps(),
    Parsing(),
    Pathfinder(),
    Pixels(),
    Pretraining(),
    Segmentation(),
    Sentiment(),
    Squad(),
    Tagging(),
    Translation(),
)
_RECIPES = {recipe.name: recipe for recipe in _ALL}


def all_recipes() -> list[Recipe]:
    """Every recipe, by name."""
    return [_RECIPES[name] for name in sorted(_RECIPES)]


def get(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ValueError: There is none.
    """
    if name not in _RECIPES:
        raise ValueError(f"there is no recipe {name!r}; there are: {', '.join(_RECIPES)}.")
    return _RECIPES[name]
