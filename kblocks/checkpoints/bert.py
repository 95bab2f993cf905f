"""BERT's checkpoints in Hugging Face's form: names, shapes and configuration."""

from collections.abc import Iterator
from typing import Any

from kblocks.checkpoints.layouts import Entry

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}

ARGUMENTS = {  # of config.json and of BertEncoder
    "vocab_size": "vocabulary_size",
    "num_hidden_layers": "layers",
    "hidden_size": "hidden_dim",
    "num_attention_heads": "num_heads",
    "intermediate_size": "intermediate_dim",
    "max_position_embeddings": "max_length",
    "type_vocab_size": "segments",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "layer_norm_eps": "epsilon",
    "initializer_range": "initializer_range",
    "is_decoder": "causal",
}
OPTIONAL = ("layer_norm_eps", "initializer_range", "is_decoder")

LEFT_OVER = (  # heads of other models, and what older ones saved beside the weights
    r"(cls|classifier|qa_outputs)\..*",
    r"pooler\..*",  # of an encoder without one
    r"embeddings\.position_ids",
)


def arguments(config: dict[str, Any]) -> dict[str, Any]:
    """The constructor's arguments for a `config.json`.

    Raises:
        ValueError: It describes something else, or a kind of BERT that `BertEncoder` is not.
    """
    for name, expected in (("position_embedding_type", "absolute"), ("add_cross_attention", False)):
        if config.get(name, expected) != expected:
            raise ValueError(f"config.json has {name}={config[name]!r}: only {expected!r} is read.")
    lost = [name for name in ARGUMENTS if name not in config and name not in OPTIONAL]
    if lost:
        raise ValueError(f"config.json of a BERT must have {', '.join(lost)}.")
    if not isinstance(config.get("is_decoder", False), bool):
        raise ValueError(f"config.json has is_decoder={config['is_decoder']!r}: expected a bool.")
    activation = config.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"config.json has hidden_act={activation!r}, must be one of {tuple(ACTIVATIONS)}."
        )
    found = {ours: config[theirs] for theirs, ours in ARGUMENTS.items() if theirs in config}
    found |= {"activation": ACTIVATIONS[activation], "padding": config.get("pad_token_id") or 0}
    return found


def config(encoder: Any) -> dict[str, Any]:
    """The `config.json` of an encoder."""
    ours = encoder.get_config()
    activation = next(theirs for theirs, name in ACTIVATIONS.items() if name == ours["activation"])
    return {
        "model_type": "bert",
        "position_embedding_type": "absolute",
        **{theirs: ours[name] for theirs, name in ARGUMENTS.items()},
        "hidden_act": activation,
        "pad_token_id": ours["padding"],
    }


def entries(encoder: Any) -> Iterator[Entry]:
    """The weights of a built `BertEncoder`."""

    def dense(name: str, kernel: Any, bias: Any) -> Iterator[Entry]:
        yield Entry(f"{name}.weight", kernel, outputs_first=True)
        yield Entry(f"{name}.bias", bias)

    def norm(name: str, layer: Any) -> Iterator[Entry]:
        yield Entry(f"{name}.weight", layer.gamma)
        yield Entry(f"{name}.bias", layer.beta)

    embeddings = "embeddings"
    yield Entry(f"{embeddings}.word_embeddings.weight", encoder.token_embedding.embeddings)
    yield Entry(f"{embeddings}.position_embeddings.weight", encoder.position_embedding.embeddings)
    yield Entry(f"{embeddings}.token_type_embeddings.weight", encoder.segment_embedding.embeddings)
    yield from norm(f"{embeddings}.LayerNorm", encoder.embedding_norm)
    for i, layer in enumerate(encoder.encoder):
        name, attention, feed = f"encoder.layer.{i}", layer.self_attention, layer.feed_forward
        yield from dense(f"{name}.attention.self.query", attention.W_Q, attention.b_Q)
        yield from dense(f"{name}.attention.self.key", attention.W_K, attention.b_K)
        yield from dense(f"{name}.attention.self.value", attention.W_V, attention.b_V)
        yield from dense(f"{name}.attention.output.dense", attention.W_O, attention.b_O)
        yield from norm(f"{name}.attention.output.LayerNorm", layer.self_attention_norm)
        yield from dense(f"{name}.intermediate.dense", feed.inner.kernel, feed.inner.bias)
        yield from dense(f"{name}.output.dense", feed.outer.kernel, feed.outer.bias)
        yield from norm(f"{name}.output.LayerNorm", layer.feed_forward_norm)
    if encoder.pooler is not None:
        yield from dense("pooler.dense", encoder.pooler.kernel, encoder.pooler.bias)
