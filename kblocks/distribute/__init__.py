"""Training on several devices and machines with `tf.distribute`.

from kblocks.distribute import is_chief, prepare, strategy

with strategy("auto").scope():
    model = ...
    model.compile(...)
prepare(model).fit(dataset, callbacks=[...] if is_chief() else [])
"""

from kblocks.distribute.cluster import Cluster, is_chief, read_cluster
from kblocks.distribute.prepare import prepare
from kblocks.distribute.strategy import strategy

__all__ = ["Cluster", "is_chief", "prepare", "read_cluster", "strategy"]
