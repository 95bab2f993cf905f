"""Readers of public formats and embedded corpora, and the `tf.data` pipelines made of them."""

from kblocks.data import listops, pathfinder
from kblocks.data.constituency import clean_tree, read_constituency, subset
from kblocks.data.corpora import Splits, libreoffice_help, split_by_letters
from kblocks.data.glue import LabelledTexts, read_glue
from kblocks.data.images import (
    LabelledImages,
    binarise,
    image_batches,
    read_fashion_mnist,
    read_idx,
)
from kblocks.data.linearise import linearise, tree_of
from kblocks.data.parsing_batches import parsing_batches
from kblocks.data.pipelines import Batches, translation_batches
from kblocks.data.question_batches import question_batches
from kblocks.data.readers import Pairs, read_lines, read_pairs, read_parallel
from kblocks.data.segmentation import (
    PreparedScenes,
    Scenes,
    SceneSplits,
    prepare_scenes,
    read_camvid,
    read_photo,
    read_scenes,
    scene_batches,
)
from kblocks.data.squad import Question, read_squad
from kblocks.data.substitute import Substitution
from kblocks.data.superpixels import Cells, grid_cells, superpixel_graph, superpixels
from kblocks.data.tagged_sentences import TaggedSentence, tagged_sentences, tagging_batches
from kblocks.data.text_batches import text_batches
from kblocks.data.text_windows import all_windows, random_windows
from kblocks.data.tree_batches import (
    TreeArrays,
    binary,
    check_trees,
    digit,
    fine_grained,
    tree_arrays,
    tree_batches,
)
from kblocks.data.trees import (
    Tree,
    bracket_string,
    leaves,
    parse_tree,
    postorder,
    read_trees,
    spans,
    tree_depth,
)
from kblocks.data.word_vectors import WordVectors, read_word_vectors

__all__ = [
    "Batches",
    "Cells",
    "LabelledImages",
    "LabelledTexts",
    "Pairs",
    "PreparedScenes",
    "Question",
    "SceneSplits",
    "Scenes",
    "Splits",
    "Substitution",
    "TaggedSentence",
    "Tree",
    "TreeArrays",
    "WordVectors",
    "all_windows",
    "binarise",
    "binary",
    "bracket_string",
    "check_trees",
    "clean_tree",
    "digit",
    "fine_grained",
    "grid_cells",
    "image_batches",
    "leaves",
    "libreoffice_help",
    "linearise",
    "listops",
    "parse_tree",
    "parsing_batches",
    "pathfinder",
    "postorder",
    "prepare_scenes",
    "question_batches",
    "random_windows",
    "read_camvid",
    "read_constituency",
    "read_fashion_mnist",
    "read_glue",
    "read_idx",
    "read_lines",
    "read_pairs",
    "read_parallel",
    "read_photo",
    "read_scenes",
    "read_squad",
    "read_trees",
    "read_word_vectors",
    "scene_batches",
    "spans",
    "split_by_letters",
    "subset",
    "superpixel_graph",
    "superpixels",
    "tagged_sentences",
    "tagging_batches",
    "text_batches",
    "translation_batches",
    "tree_arrays",
    "tree_batches",
    "tree_depth",
    "tree_of",
]
