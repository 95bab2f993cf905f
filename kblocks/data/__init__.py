"""Readers of public formats and embedded corpora, and the `tf.data` pipelines made of them."""

from kblocks.data import listops, pathfinder
from kblocks.data.constituency import clean_tree, read_constituency, subset
from kblocks.data.corpora import Splits, libreoffice_help, split_by_letters
from kblocks.data.document_shards import ShardedDocuments, read_shards, write_shards
from kblocks.data.document_statistics import DocumentStatistics, document_statistics
from kblocks.data.documents import (
    Documents,
    TokenisedDocuments,
    hold_out,
    read_documents,
    tokenise,
)
from kblocks.data.glue import LabelledTexts, read_glue
from kblocks.data.images import (
    LabelledImages,
    binarise,
    image_batches,
    read_fashion_mnist,
    read_idx,
)
from kblocks.data.linearise import linearise, tree_of
from kblocks.data.masking import Masking
from kblocks.data.parsing_batches import parsing_batches
from kblocks.data.passages import PairMaker, cut_passages
from kblocks.data.pipelines import Batches, translation_batches
from kblocks.data.pretraining_batches import pretraining_batches
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
    "DocumentStatistics",
    "Documents",
    "LabelledImages",
    "LabelledTexts",
    "Masking",
    "PairMaker",
    "Pairs",
    "PreparedScenes",
    "Question",
    "SceneSplits",
    "Scenes",
    "ShardedDocuments",
    "Splits",
    "Substitution",
    "TaggedSentence",
    "TokenisedDocuments",
    "Tree",
    "TreeArrays",
    "WordVectors",
    "all_windows",
    "binarise",
    "binary",
    "bracket_string",
    "check_trees",
    "clean_tree",
    "cut_passages",
    "digit",
    "document_statistics",
    "fine_grained",
    "grid_cells",
    "hold_out",
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
    "pretraining_batches",
    "question_batches",
    "random_windows",
    "read_camvid",
    "read_constituency",
    "read_documents",
    "read_fashion_mnist",
    "read_glue",
    "read_idx",
    "read_lines",
    "read_pairs",
    "read_parallel",
    "read_photo",
    "read_scenes",
    "read_shards",
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
    "tokenise",
    "translation_batches",
    "tree_arrays",
    "tree_batches",
    "tree_depth",
    "tree_of",
    "write_shards",
]
