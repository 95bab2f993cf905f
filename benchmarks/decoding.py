"""Beam search of a `TransformerTranslator` with caches, without them, and with keras-hub's layers.

All contenders decode the same number of tokens from the same sources, padded to lengths between
half and all of the positions, with the same weights, in float32 on TensorFlow's CPU, each in one
`tf.function`; they must produce the same tokens, all beams of them, before they are timed.

- kblocks: `kblocks.decoding.beam_search` on the model: what was said stays in caches.
- uncached: the same beam search, in which each step puts all that was said, at a static length,
  through the decoder's layers. The source is encoded once there as well, and the logits are of the
  last position alone.
- keras-hub: an equal model of its `TransformerEncoder`, `TransformerDecoder` (with the caches of
  both attentions), `SinePositionEncoding` and `ReversibleEmbedding`, in its `BeamSampler`, put
  together as its `BartSeq2SeqLM` is, but with encoder and cross-attention caches repeated for the
  beams before the loop and not in it.

`BeamSampler` does not normalise by length and never ends a hypothesis by itself: so nothing ends
one here, and no id is excluded. Both compiled searches run in their defaults and under XLA
(`jit_compile=True`, which is what keras-hub's `generate` asks for).

Where the time of a step goes (one thread, 512 wide, a vocabulary of 16,000): about two thirds into
the dense products of 32 rows each, half of it into the logits; a tenth into the products of the
attentions, whose transpositions the graph's optimiser folds into them; a tenth into the caches,
which are copied once when they are written to and once when hypotheses change places (TensorFlow's
scatter copies as well, in place of the selection here, and takes nearly as long); a tenth into the
softmax over the vocabulary and the choice of the best. What a source alone decides is neither
computed again nor moved.

Then the exported translator: from a sentence to its translation, a batch of one, by the
`TextTranslator` in the process that made it and by the SavedModel that it was exported to. Its
weights are not trained, so that it, too, goes on to the end.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from benchmarks import harness
from benchmarks.keras_hub_layers import give_weights
from kblocks import export, tokens
from kblocks.data import libreoffice_help
from kblocks.decoding import Decodable, beam_search
from kblocks.models import TransformerTranslator
from kblocks.text import SubwordVocabulary
from kblocks.tokens import SpecialTokens

EPSILON = 1e-6
SENTENCE = "Opens a dialog where you can choose the printer and the number of copies."

Call = Callable[[], tuple[Any, Any]]  # tokens (batch, beam, length) and scores (batch, beam)


class Cached(Decodable):
    """The translator as it is, but that nothing ends and nothing is excluded."""

    special_tokens = SpecialTokens(end=-1, never=())

    def __init__(self, model: TransformerTranslator) -> None:
        self.model = model

    def start(self, source: Any, length: int) -> tuple[Any, Any]:
        return self.model.start(source, length)

    def step(self, token: Any, carry: Any, memory: Any) -> tuple[Any, Any, Any]:
        return self.model.step(token, carry, memory)


class Uncached(Cached):
    """The same, but that each step reads again all that was said."""

    def start(self, source: Any, length: int) -> tuple[Any, Any]:
        mask = ops.not_equal(source, tokens.PADDING)
        x = self.model.embed("source", source)
        for layer in self.model.encoder:
            x = layer(x, mask=mask)
        said = ops.zeros((ops.shape(source)[0], length), "int32")
        return {"encoded": x, "mask": mask}, {"said": said, "position": ops.zeros_like(said[:, 0])}

    def step(self, token: Any, carry: Any, memory: Any) -> tuple[Any, Any, Any]:
        position = carry["position"]
        here = ops.arange(carry["said"].shape[1]) == position[:, None]  # (batch, length)
        said = ops.where(here, token[:, None], carry["said"])
        h = self.model.embed("target", said)
        for layer in self.model.decoder:
            h = layer(h, memory["encoded"], cross_attention_mask=memory["mask"])
        last = ops.sum(ops.where(here[..., None], h, 0.0), axis=1)  # (batch, features)
        nowhere = ops.zeros_like(memory["mask"], "float32")
        return self.model.logits(last), {"said": said, "position": position + 1}, nowhere


class KerasHub:
    """The equal model, with the weights of ours."""

    def __init__(self, model: TransformerTranslator, source: np.ndarray, beam: int) -> None:
        import keras_hub

        layers, width = keras_hub.layers, model.embedding_dim
        size = model.intermediate_dim, model.num_heads
        x = (None, None, width)
        self.width, self.heads = width, model.num_heads
        self.embedding = layers.ReversibleEmbedding(model.source_vocabulary_size, width)
        self.embedding.build()
        self.embedding.set_weights(model.target_embedding.get_weights())
        self.position = layers.SinePositionEncoding()
        self.encoder = [
            layers.TransformerEncoder(*size, layer_norm_epsilon=EPSILON) for _ in model.encoder
        ]
        self.decoder = [
            layers.TransformerDecoder(*size, layer_norm_epsilon=EPSILON) for _ in model.decoder
        ]
        for theirs, ours in zip(self.encoder, model.encoder, strict=True):
            theirs.build(x)
            give_weights(ours, theirs)
        for theirs, ours in zip(self.decoder, model.decoder, strict=True):
            theirs.build(x, x)
            give_weights(ours, theirs)
        self.sampler = keras_hub.samplers.BeamSampler(beam, return_all_beams=True)
        self.beam = beam

    def __call__(self, source: Any, length: int) -> tuple[Any, Any]:
        mask = source != tokens.PADDING
        x = self.embed(source)
        for layer in self.encoder:
            x = layer(x, padding_mask=mask)
        encoded, mask = (tf.repeat(a, self.beam, axis=0) for a in (x, mask))
        size = (self.heads, self.width // self.heads)
        batch, time = source.shape
        # The caches of the attentions to the source are filled once, by any step.
        cross, token = [], self.embed(tf.fill([batch * self.beam, 1], tokens.START))
        for layer in self.decoder:
            _, _, filled = layer(
                token,
                encoded,
                encoder_padding_mask=mask,
                self_attention_cache=tf.zeros((batch * self.beam, 2, 1, *size)),
                self_attention_cache_update_index=0,
                cross_attention_cache=tf.zeros((batch * self.beam, 2, time, *size)),
                cross_attention_cache_update_index=0,
            )
            cross.append(filled)

        def following(prompt: Any, cache: Any, index: Any) -> tuple[Any, Any, Any]:
            here, caches = index - 1, []
            x = self.embed(ops.slice(prompt, [0, here], [batch * self.beam, 1]), here)
            for i, layer in enumerate(self.decoder):
                x, new, _ = layer(
                    x,
                    encoded,
                    encoder_padding_mask=mask,
                    self_attention_cache=cache[:, i],
                    self_attention_cache_update_index=here,
                    cross_attention_cache=cross[i],
                )
                caches.append(new)
            logits = self.embedding(x, reverse=True)[:, 0]
            return logits, x, ops.stack(caches, axis=1)

        prompt = tf.concat(
            [tf.fill([batch, 1], tokens.START), tf.zeros([batch, length], tf.int32)], axis=1
        )
        cache = tf.zeros((batch, len(self.decoder), 2, length, *size))
        produced, scores = self.sampler(following, prompt, cache, index=1)
        return produced[:, :, 1:], scores

    def embed(self, ids: Any, start: Any = 0) -> Any:
        x = self.embedding(ids) * self.width**0.5
        return x + self.position(x, start_index=start)


def made(size: dict[str, int], vocabulary: int) -> TransformerTranslator:
    """A translator with weights that nobody trained."""
    keras.utils.set_random_seed(0)
    model = TransformerTranslator(vocabulary, vocabulary, **size, dropout=0.0)
    model.build()
    return model


def sources(batch: int, positions: int, vocabulary: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    ids = draw.integers(tokens.END + 1, vocabulary, (batch, positions)).astype("int32")
    lengths = np.linspace(positions // 2, positions, batch).astype(int)[::-1]
    return np.where(np.arange(positions) < lengths[:, None], ids, tokens.PADDING)


def compiled(decode: Callable[[Any], tuple[Any, Any]], source: np.ndarray, xla: bool) -> Call:
    function = tf.function(decode, autograph=False, jit_compile=xla or None)
    given = tf.constant(source)
    return lambda: function(given)


def searching(model: Decodable, length: int, beam: int) -> Callable[[Any], tuple[Any, Any]]:
    def decode(source: Any) -> tuple[Any, Any]:
        found = beam_search(model, source, length, beam, length_penalty=0.0)
        return found.tokens, found.scores

    return decode


def check_equal(contenders: dict[str, Call]) -> None:
    """The same tokens in all beams, at about the same probability."""
    truth, scores = (np.asarray(x) for x in contenders["kblocks"]())
    for name, call in contenders.items():
        found, their_scores = call()
        np.testing.assert_array_equal(np.asarray(found), truth, err_msg=name)
        np.testing.assert_allclose(np.asarray(their_scores), scores, rtol=1e-4, err_msg=name)


def measure_search(options: argparse.Namespace) -> dict[str, Any]:
    model = made(_size(options), options.vocabulary)
    source = sources(options.batch, options.source, options.vocabulary)
    hub = KerasHub(model, source, options.beam)
    ways: dict[str, Callable[[Any], tuple[Any, Any]]] = {
        "kblocks": searching(Cached(model), options.tokens, options.beam),
        "keras-hub": lambda source: hub(source, options.tokens),
    }
    contenders = {
        f"{name} xla" if xla else name: compiled(way, source, xla)
        for xla in (False, True)
        for name, way in ways.items()
    }
    uncached = searching(Uncached(model), options.tokens, options.beam)
    contenders["uncached"] = compiled(uncached, source, xla=False)
    check_equal(contenders)
    times = harness.interleaved(contenders, options.rounds)
    return {
        **{name: getattr(options, name) for name in ("layers", "width", "vocabulary")},
        **{name: getattr(options, name) for name in ("batch", "source", "beam", "tokens")},
        **{f"{name} ms": ms for name, ms in harness.milliseconds(times).items()},
        "uncached / kblocks": harness.speed(times, "kblocks", "uncached"),
        "keras-hub / kblocks": harness.speed(times, "kblocks", "keras-hub"),
        "keras-hub xla / kblocks": harness.speed(times, "kblocks", "keras-hub xla"),
        "keras-hub xla / kblocks xla": harness.speed(times, "kblocks xla", "keras-hub xla"),
    }


def measure_export(size: dict[str, int], options: argparse.Namespace) -> dict[str, Any]:
    lines = [side for pair in libreoffice_help(max_words=8).train for side in pair]
    vocabulary = SubwordVocabulary.train(lines, min(options.vocabulary, 4000))
    model = made(size, vocabulary.size)
    translator = export.TextTranslator(
        model, vocabulary, vocabulary, options.beam, max_length=options.tokens
    )
    text = tf.constant([SENTENCE])
    with tempfile.TemporaryDirectory() as folder:
        loaded = tf.saved_model.load(export.save(translator, f"{folder}/translator"))
        serve = loaded.signatures["serving_default"]
        contenders = {
            "in process": lambda: translator.translate(text),
            "SavedModel": lambda: serve(text=text),
        }
        mine, served = (call() for call in contenders.values())
        for name in ("translation", "translation_tokens"):
            np.testing.assert_array_equal(mine[name].numpy(), served[name].numpy())
        times = harness.interleaved(contenders, options.rounds)
    return {
        "layers": size["layers"],
        "width": size["embedding_dim"],
        "vocabulary": vocabulary.size,
        "tokens": int(mine["translation_tokens"].shape[1]),
        **{f"{name} ms": ms for name, ms in harness.milliseconds(times).items()},
        "SavedModel / in process": harness.speed(times, "in process", "SavedModel"),
    }


def _size(options: argparse.Namespace) -> dict[str, int]:
    return {
        "layers": options.layers,
        "embedding_dim": options.width,
        "num_heads": max(1, options.width // 64),
        "intermediate_dim": 4 * options.width,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--vocabulary", type=int, default=37_000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--source", type=int, default=64, help="positions of the sources")
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64, help="tokens that are decoded")
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    row = measure_search(options)
    print(harness.table([row]))
    tiny = {"layers": 4, "embedding_dim": 128, "num_heads": 4, "intermediate_dim": 256}
    exports = [measure_export(size, options) for size in (tiny, _size(options))]
    print(harness.table(exports))
    if not options.dry:
        result = {
            "name": "bench_decoding",
            "command": "make bench",
            "machine": harness.machine(["tensorflow", "keras", "keras-hub"]),
            "rounds": options.rounds,
            "rows": [row],
            "exports": exports,
        }
        print(f"written to {harness.write('decoding', result)}")


if __name__ == "__main__":
    main()
