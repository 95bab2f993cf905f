"""Decoding over one protocol: start from the source, step on tokens."""

from kblocks.decoding.beam_search import beam_search
from kblocks.decoding.greedy import greedy
from kblocks.decoding.protocol import Decodable, Decoded
from kblocks.decoding.sample import sample

__all__ = ["Decodable", "Decoded", "beam_search", "greedy", "sample"]
