"""Decoding over one protocol: start from the source, step on tokens."""

from kblocks.decoding.beam_search import beam_search
from kblocks.decoding.constraint import Constraint
from kblocks.decoding.greedy import greedy
from kblocks.decoding.protocol import Decodable, Decoded
from kblocks.decoding.sample import sample
from kblocks.decoding.tree_constraint import TreeConstraint

__all__ = [
    "Constraint",
    "Decodable",
    "Decoded",
    "TreeConstraint",
    "beam_search",
    "greedy",
    "sample",
]
