"""The four token ids that the package's own vocabularies, models and decoders agree on.

A model that brings its vocabulary from elsewhere says by `SpecialTokens` which ids mean what.
"""

from typing import NamedTuple

PADDING = 0
UNKNOWN = 1
START = 2
END = 3

NOTHING = -1  # padding in vocabularies that use every id from 0 on


class SpecialTokens(NamedTuple):
    """What a decoder must know of a vocabulary.

    Attributes:
        padding: Stands behind the end of a hypothesis.
        start: What the first step reads, unless the model says otherwise.
        end: Ends a hypothesis; -1 where nothing does.
        never: Ids that are not to be produced.
    """

    padding: int = PADDING
    start: int = START
    end: int = END
    never: tuple[int, ...] = (PADDING, UNKNOWN, START)
