"""What is in an export, read from its files."""

from collections.abc import Iterator
from pathlib import Path

from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2


def meta_graph(export: Path) -> meta_graph_pb2.MetaGraphDef:
    saved = saved_model_pb2.SavedModel.FromString((export / "saved_model.pb").read_bytes())
    [graph] = saved.meta_graphs
    return graph


def nodes(graph: graph_pb2.GraphDef) -> Iterator[node_def_pb2.NodeDef]:
    """The nodes of the graph and of all its functions."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def
