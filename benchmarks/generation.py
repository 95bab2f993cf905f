"""What a GPT says and learns in a second, against torch, on the CPU.

Generation: GPT-2 of 124 million random weights goes on from a prompt of 32 tokens by 64, greedily,
with keys and values of what was said in caches, for a batch of 1 and of 8, in float32: kblocks in
one `tf.function`, and under XLA beside it (`jit_compile=True`), against `generate` of transformers
with torch. All have the same weights; before they are timed, each token that kblocks says must be
the one to which transformers' model gives the largest logit (to 1e-3: two may be as good as equal).

Training: the GPT of the recipe `characters` (nanoGPT's setting for a CPU: 4 layers, 4 heads, 128
wide, 64 characters of context, batches of 12, no dropout), a step as the recipe takes it: a batch
drawn from the text, forward and backward pass, the gradient clipped to a norm of 1, AdamW. Beside
it the same network in plain torch (`benchmarks/torch_gpt.py`), trained as nanoGPT does; the same
weights must give the same logits and the same gradient before they are timed.
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

from benchmarks import harness
from kblocks import data
from kblocks.models import GPT2
from kblocks.recipes.characters import Characters, CharactersConfig

GENERATION = {"layers": 12, "width": 768, "heads": 12, "vocabulary": 50257}
TOY = {"layers": 2, "width": 64, "heads": 2, "vocabulary": 300}
CHARACTERS = 65  # as Shakespeare's plays have
STEPS = 10  # of training in one call


def pair_of_gpt2(size: dict[str, int]) -> tuple[Any, GPT2]:
    """transformers' model with weights drawn at random, and ours with the same."""
    import torch
    import transformers

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=size["vocabulary"],
        n_embd=size["width"],
        n_layer=size["layers"],
        n_head=size["heads"],
        bos_token_id=None,
        eos_token_id=None,  # nothing ends
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        return theirs, GPT2.from_pretrained(folder)


def check_said(theirs: Any, prompt: np.ndarray, said: np.ndarray) -> None:
    """Each token said has, up to 1e-3, the largest of the logits that transformers gives there."""
    import torch

    with torch.no_grad():
        logits = theirs(torch.tensor(np.concatenate([prompt, said], axis=1))).logits.numpy()
    logits = logits[:, prompt.shape[1] - 1 : -1]
    chosen = np.take_along_axis(logits, said[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(chosen, logits.max(-1), rtol=0, atol=1e-3)


def measure_generation(
    theirs: Any, ours: GPT2, batch: int, options: argparse.Namespace
) -> dict[str, Any]:
    import torch

    draw = np.random.default_rng(0)
    prompt = draw.integers(0, ours.vocabulary_size, (batch, options.prompt)).astype("int32")
    tensor, given = torch.tensor(prompt), tf.constant(prompt)

    def saying(xla: bool) -> Callable[[], Any]:
        function = tf.function(
            lambda ids: ours.generate(ids, options.tokens).tokens[:, 0],
            autograph=False,
            jit_compile=xla or None,
        )
        return lambda: function(given)

    def say() -> Any:
        return theirs.generate(
            tensor,
            attention_mask=torch.ones_like(tensor),
            max_new_tokens=options.tokens,
            do_sample=False,
            pad_token_id=0,
        )

    contenders = {"kblocks": saying(False), "kblocks xla": saying(True), "transformers": say}
    for name in ("kblocks", "kblocks xla"):
        check_said(theirs, prompt, np.asarray(contenders[name]()))
    assert say().shape == (batch, options.prompt + options.tokens)
    times = harness.interleaved(contenders, options.rounds)
    number = batch * options.tokens
    return {
        "model": f"{ours.num_layers} x {ours.hidden_dim}",
        "parameters": ours.count_params(),
        "batch": batch,
        "prompt": options.prompt,
        "tokens": options.tokens,
        **_rates(times, number),
        "transformers / kblocks": harness.speed(times, "kblocks", "transformers"),
        "transformers / kblocks xla": harness.speed(times, "kblocks xla", "transformers"),
    }


def kblocks_training(config: CharactersConfig, ids: np.ndarray, xla: bool) -> tuple[GPT2, Any]:
    """A model, and what takes `STEPS` of the recipe's steps with it."""
    keras.utils.set_random_seed(0)
    recipe, parts = Characters(), argparse.Namespace(size=CHARACTERS)
    model = recipe.make_model(config, parts)
    recipe.compile(config, parts, model, config.steps // config.epochs)
    model.jit_compile = xla
    batches = data.random_windows(ids, config.context, config.batch_size, steps=1)
    model.make_train_function()
    iterator = iter(batches.dataset)

    def train() -> Any:
        for _ in range(STEPS):
            logs = model.train_function(iterator)
        return logs["loss"].numpy()

    return model, train


def torch_training(config: CharactersConfig, ids: np.ndarray, ours: GPT2) -> tuple[Any, Any]:
    """The same in torch, with the weights of ours."""
    import torch

    from benchmarks.torch_gpt import TorchGPT

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = TorchGPT(CHARACTERS, config.layers, config.width, config.heads, config.context)
    model.take(ours)
    optimizer = model.optimizer(config.learning_rate, config.weight_decay)
    text = torch.tensor(ids, dtype=torch.int64)
    along = torch.arange(config.context + 1)

    def train() -> Any:
        for _ in range(STEPS):
            first = torch.randint(len(text) - config.context, (config.batch_size, 1))
            windows = text[first + along]
            loss = model(windows[:, :-1], windows[:, 1:])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return model, train


def check_equal(ours: GPT2, theirs: Any, ids: np.ndarray) -> None:
    """The same logits, and the same gradient of the embeddings, which both ends share."""
    import torch

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    embedding = ours.token_embedding.embeddings.value
    with tf.GradientTape() as tape:
        logits = ours(ids[:, :-1])
        total = loss(ids[:, 1:], logits)
    slope = tf.convert_to_tensor(tape.gradient(total, embedding)).numpy()
    tensor = torch.tensor(ids, dtype=torch.int64)
    theirs(tensor[:, :-1], tensor[:, 1:]).backward()
    with torch.no_grad():
        np.testing.assert_allclose(theirs(tensor[:, :-1]).numpy(), logits, rtol=0, atol=1e-4)
    scale = np.abs(slope).max()
    found = theirs.tokens.weight.grad.numpy()
    np.testing.assert_allclose(found / scale, slope / scale, rtol=0, atol=1e-4)
    theirs.zero_grad(set_to_none=True)


def measure_training(config: CharactersConfig, rounds: int) -> dict[str, Any]:
    ids = np.random.default_rng(0).integers(0, CHARACTERS, 100_000).astype("int32")
    ours, train = kblocks_training(config, ids, xla=False)
    _, train_xla = kblocks_training(config, ids, xla=True)
    theirs, torch_train = torch_training(config, ids, ours)
    size = config.batch_size * (config.context + 1)
    check_equal(ours, theirs, ids[:size].reshape(config.batch_size, -1))
    contenders = {"kblocks": train, "kblocks xla": train_xla, "torch": torch_train}
    times = harness.interleaved(contenders, rounds)
    return {
        "model": f"{config.layers} x {config.width}",
        "parameters": ours.count_params(),
        "batch": config.batch_size,
        "context": config.context,
        **_rates(times, STEPS * config.batch_size * config.context),
        "torch / kblocks": harness.speed(times, "kblocks", "torch"),
        "torch / kblocks xla": harness.speed(times, "kblocks xla", "torch"),
    }


def _rates(times: harness.Times, number: int) -> dict[str, float]:
    milliseconds = harness.milliseconds(times)
    return {f"{name} tokens/s": round(1000 * number / ms, 1) for name, ms in milliseconds.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generation")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--prompt", type=int, default=32, help="tokens that are given")
    parser.add_argument("--tokens", type=int, default=64, help="tokens that are said")
    parser.add_argument("--toy", action="store_true", help="tiny models, to try the program")
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    config = CharactersConfig(**({"layers": 2, "width": 32, "context": 16} if options.toy else {}))
    training = [measure_training(config, options.rounds)]
    print(harness.table(training), flush=True)
    pair = pair_of_gpt2(TOY if options.toy else GENERATION)
    rows = [measure_generation(*pair, batch, options) for batch in (1, 8)]
    print(harness.table(rows))
    if not options.dry:
        result = {
            "name": "bench_generation",
            "command": "make bench",
            "machine": harness.machine(["tensorflow", "keras", "torch", "transformers"]),
            "rounds": options.rounds,
            "rows": rows,
            "training": training,
        }
        print(f"written to {harness.write('generation', result)}")


if __name__ == "__main__":
    main()
