"""Vocabularies: subwords of one's own, BERT's and GPT-2's, characters, and whole words.

The endings of words go with the latter, beside them or in their place; a vocabulary of brackets is
for trees as sequences.
"""

from kblocks.text.brackets import BracketVocabulary
from kblocks.text.byte_bpe import ByteBPE, byte_alphabet
from kblocks.text.characters import CharacterVocabulary
from kblocks.text.endings import word_endings
from kblocks.text.pack import pack_segments
from kblocks.text.subword import SubwordVocabulary
from kblocks.text.task_characters import TaskCharacters
from kblocks.text.windows import Windows, span_windows
from kblocks.text.word_piece import WordPieceVocabulary
from kblocks.text.words import WordVocabulary
from kblocks.text.words_or_endings import WordsOrEndings

__all__ = [
    "BracketVocabulary",
    "ByteBPE",
    "CharacterVocabulary",
    "SubwordVocabulary",
    "TaskCharacters",
    "Windows",
    "WordPieceVocabulary",
    "WordVocabulary",
    "WordsOrEndings",
    "byte_alphabet",
    "pack_segments",
    "span_windows",
    "word_endings",
]
