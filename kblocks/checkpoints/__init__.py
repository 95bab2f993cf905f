"""Weights of the outside world, in and out: `Model.from_pretrained`, `model.save_pretrained`.

Only safe formats: JSON and safetensors, never a pickle. Files are taken as untrusted: sizes, names
and shapes are checked, and what is missing, left over or of another shape is listed.
"""

from kblocks.checkpoints.from_pretrained import from_pretrained, load_weights, read_arguments
from kblocks.checkpoints.load_vocabulary import load_vocabulary
from kblocks.checkpoints.save_pretrained import save_pretrained
from kblocks.checkpoints.save_vocabulary import save_vocabulary

__all__ = [
    "from_pretrained",
    "load_vocabulary",
    "load_weights",
    "read_arguments",
    "save_pretrained",
    "save_vocabulary",
]
