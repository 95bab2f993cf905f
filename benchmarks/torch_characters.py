"""What the same network in plain torch reaches in the setting of the recipe `characters`.

    python -m benchmarks.torch_characters --data ../shared/data/tinyshakespeare --seed 0

From the first weights that the recipe draws, over the same batches, with torch's backward pass,
clipping and AdamW, to `results/torch-gpt-seed0.json`: is a loss the setting's, or ours?
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import torch
from torch.nn.functional import cross_entropy

from benchmarks.torch_gpt import TorchGPT
from kblocks import tokens
from kblocks.recipes.characters import Characters, CharactersConfig
from kblocks.recipes.provenance import provenance


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a text file, or a folder with input.txt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path("results"), help="where to write")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recipe, config = Characters(), CharactersConfig(data=given.data, seed=given.seed)
    keras.utils.set_random_seed(config.seed)
    splits = recipe.read(config)
    parts = recipe.learn_parts(config, splits)
    ours = recipe.make_model(config, parts)
    model = TorchGPT(parts.size, config.layers, config.width, config.heads, config.context)
    model.take(ours)
    began = time.perf_counter()
    train(model, config, recipe.batches(config, parts, splits.train, training=True))
    minutes = (time.perf_counter() - began) / 60
    nats = measure(model, recipe.batches(config, parts, splits.validation))
    origin = provenance()
    result: dict[str, Any] = {
        "name": f"torch-gpt-seed{given.seed}",
        "recipe": recipe.name,
        **origin,
        "cores": 1,
        "command": f"python -m benchmarks.{origin['command'].replace('.py', '', 1)}",
        "seed": given.seed,
        "data": Path(given.data).name,
        "minutes": round(minutes, 1),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "metrics": {"val_nats": nats},
        "history": [],
        "notes": f"the network of the recipe in torch {torch.__version__}, one thread",
    }
    given.results.mkdir(parents=True, exist_ok=True)
    path = given.results / f"{result['name']}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}: {nats:.4f} nats a character", flush=True)


def train(model: TorchGPT, config: CharactersConfig, batches: Any) -> None:
    """All of the recipe's steps."""
    optimizer = model.optimizer(config.learning_rate, config.weight_decay)
    rate = Characters().learning_rate(config, batches.steps)
    for step, batch in enumerate(batches.dataset.take(config.epochs * batches.steps)):
        inputs, labels = (torch.tensor(part.numpy(), dtype=torch.int64) for part in batch)
        for group in optimizer.param_groups:
            group["lr"] = float(rate(step))
        optimizer.zero_grad()
        model(inputs, labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()


@torch.no_grad()
def measure(model: TorchGPT, batches: Any) -> float:
    """The mean of -log p over the whole split, in nats a character."""
    nats, count = 0.0, 0
    for batch in batches.dataset.take(batches.steps):
        inputs, labels = (torch.tensor(part.numpy(), dtype=torch.int64) for part in batch)
        real = labels != tokens.NOTHING  # the last window ends with none
        logits = model(inputs.clamp(min=0))[real]
        nats += float(cross_entropy(logits, labels[real], reduction="sum"))
        count += len(logits)
    return nats / count


if __name__ == "__main__":
    main()
