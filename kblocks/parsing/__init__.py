"""Constituency parsing without a network: what a neural parser is measured against."""

from kblocks.parsing.pcfg import PCFG
from kblocks.parsing.right_branching import right_branching

__all__ = ["PCFG", "right_branching"]
