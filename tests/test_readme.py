"""What the README says is so: its tables, its code, the targets and commands it names."""

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kblocks.cli import app
from tools.readme_tables import TABLES, read_results, with_tables
from tools.size_picture import power_law

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)

RESULTS = [
    {
        "name": f"small-seed{seed}",
        "command": "kblocks train small",
        "data": "pairs",
        "minutes": 10 * seed,
        "parameters": 1_200_000,
        "metrics": {"val_bleu": 30.0 + seed},
    }
    for seed in (1, 2)
]


def test_the_tables_are_in_step_with_the_results():
    assert set(re.findall(r"<!-- table (\w+) -->", README)) == set(TABLES)
    assert with_tables(README, read_results()) == README, "run `make tables`"


def test_seeds_become_one_row():
    table = with_tables("<!-- table translation -->\nold\n<!-- end translation -->", RESULTS)
    assert "old" not in table
    [row] = [line for line in table.splitlines() if "small" in line]
    assert "31.5 (31.0 to 32.0, 2 seeds)" in row
    assert "| 1.2 M | 15 | `kblocks train small` |" in row


def test_a_task_has_both_beginnings_in_one_row():
    def run(begin: str, seed: int, score: float) -> dict:
        return {
            "name": f"glue-sts-b-{begin}-seed{seed}",
            "recipe": "glue",
            "data": "glue",
            "minutes": 4 * seed,
            "metrics": {"val_score": score, "val_pearson": score, "val_spearman": 0.5},
        }

    runs = [run("minilm", 1, 0.86), run("minilm", 2, 0.88), run("scratch", 3, 0.1)]
    table = TABLES["glue"]([*runs, *RESULTS])
    assert "| STS-B | pearson | 87.0 (86.0 to 88.0, 2 seeds) | 10.0 | 8 |" in table
    assert len(table.splitlines()) == 3


def test_a_pretrained_bert_has_what_came_of_it_beside_it():
    shared = {"data": "text", "minutes": 4, "parameters": 900_000, "command": "kblocks train"}
    metrics = {"val_masked_nats": 4.126, "val_masked_accuracy": 0.3, "val_next_accuracy": 0.8}
    runs = [
        {"name": "bert", "recipe": "pretraining", "metrics": metrics, **shared},
        {"name": "glue-sts-b-bert", "recipe": "glue", "metrics": {"val_score": 0.7}, **shared},
        {"name": "glue-sts-b-bert-scratch", "recipe": "glue", "metrics": {"val_score": 0.6}},
    ]
    runs[2] |= shared
    table = TABLES["pretraining"](runs)
    assert "| bert | 4.13 | 30.0 | 80.0 | 70.0 | 900 k | 4 | `kblocks train` |" in table
    assert "| bert, from random weights |  |  |  | 60.0 |  |  |  |" in table


def test_a_benchmark_has_a_row_for_each_shape():
    times = {"kblocks ms": 1.0, "keras ms": 2.5, "torch ms": 1.5, "keras / kblocks": 2.5}
    rows = [
        {"pass": kind, "mask": "no", "batch": 8, "units": 32, **times}
        for kind in ("forward", "training")
    ]
    bench = {"name": "bench_lstm", "means": {"forward, against keras": 2.5}, "rows": rows}
    table = TABLES["lstm"]([bench, *RESULTS])
    assert "| forward, against keras | 2.5 |" in table
    assert "| 8 | 32 | no | 1.0 / 1.0 | 2.5 / 2.5 | 1.5 / 1.5 | 2.50 / 2.50 |" in table


def test_the_encoder_has_its_means_and_a_row_for_each_shape():
    ways = ("kblocks", "keras-hub", "kblocks xla", "keras-hub xla", "torch")
    rows = [
        {
            **{"pass": kind, "batch": 8, "positions": 128, "width": 512, "kblocks share": 0.87},
            **{f"{way} ms": 70.4 for way in ways},
        }
        for kind in ("forward", "training")
    ]
    means = {"forward, torch / kblocks": 1.6, "training, torch / kblocks": 1.75}
    bench = {"name": "bench_transformer_encoder", "means": means, "rows": rows}
    table = TABLES["transformer_encoder"]([bench])
    assert "| times as fast as PyTorch | 1.60 | 1.75 |" in table
    assert "| 8 | 128 | 512 |" + " 70 / 70 |" * 5 + " 0.87 / 0.87 |" in table


def test_bert_has_its_means_and_a_row_for_each_shape():
    ways = ("kblocks", "keras-hub", "kblocks xla", "keras-hub xla", "torch")
    rows = [
        {
            **{"pass": kind, "encoder": "MiniLM", "lengths": "mixed", "dtype": dtype},
            **{f"{way} ms": ms for way in ways},
            "kblocks share": 0.5,
        }
        for dtype in ("float32", "bfloat16")
        for kind, ms in (("forward", 70.4), ("training", 301.2))
    ]
    means = {"float32, forward, torch / kblocks": 1.8, "bfloat16, training, torch / kblocks": 2.25}
    table = TABLES["bert"]([{"name": "bench_bert", "means": means, "rows": rows}])
    assert "| times as fast as transformers with PyTorch | 1.80 |  |  | 2.25 |" in table
    for dtype in ("float32", "bfloat16"):
        times = " 70 / 301 |" * 5
        assert f"| {dtype} | MiniLM | mixed |{times} 0.50 / 0.50 |" in table


def test_generation_has_a_row_for_each_batch_and_the_training():
    size = {"model": "12 x 768", "parameters": 124_439_808, "batch": 8}
    rates = {"kblocks tokens/s": 1234.5, "kblocks xla tokens/s": 2000.0}
    ratios = {"kblocks": 1.5, "kblocks xla": 2.5}
    row, training = (
        {
            **size,
            **rates,
            f"{peer} tokens/s": 800.0,
            **{f"{peer} / {way}": ratio for way, ratio in ratios.items()},
        }
        for peer in ("transformers", "torch")
    )
    bench = {"name": "bench_generation", "rows": [row], "training": [training]}
    table = TABLES["generation"]([bench])
    for what in ("generation", "training"):
        expected = f"| {what} | 12 x 768, 124.4 M | 8 | 1,234 | 2,000 | 800 | 1.50 | 2.50 |"
        assert expected in table


def test_decoding_has_the_search_and_the_exports():
    ways = ("kblocks", "uncached", "keras-hub", "kblocks xla", "keras-hub xla")
    size = {"layers": 6, "width": 512, "vocabulary": 37000}
    ratios = {"uncached": 12.1, "keras-hub": 1.5, "keras-hub xla": 1.4}
    row = {
        **size,
        **{"batch": 8, "beam": 4, "tokens": 64},
        **{f"{way} ms": 2345.6 for way in ways},
        **{f"{peer} / kblocks": ratio for peer, ratio in ratios.items()},
        "keras-hub xla / kblocks xla": 1.25,
    }
    times = {"in process ms": 80.0, "SavedModel ms": 82.0, "SavedModel / in process": 1.03}
    bench = {"name": "bench_decoding", "rows": [row], "exports": [{**size, "tokens": 64, **times}]}
    table = TABLES["decoding"]([bench])
    model = "| 6 x 512, 37,000 tokens |"
    assert f"{model} 8 x 4 |" + " 2,346 |" * 5 + " 12 | 1.50 | 1.25 |" in table
    assert f"{model} 64 | 80.0 | 82.0 | 1.03 |" in table


def test_there_is_code():
    assert CODE


@pytest.mark.parametrize("code", CODE)
def test_the_code_runs(code):
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert "kblocks" in names


def test_make_has_the_targets_that_it_names():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", README + (ROOT / "CONTRIBUTING.md").read_text()))
    assert named - targets <= {"lists"}
    assert {"setup", "demo"} <= named


def test_the_command_has_the_subcommands_and_options_that_it_names():
    for line in re.findall(r"^    kblocks (\w+)(.*)", README, flags=re.MULTILINE):
        help_text = CliRunner().invoke(app, [line[0], "--help"])
        assert help_text.exit_code == 0, line
        assert all(option in help_text.output for option in re.findall(r"--\w+", line[1])), line


def test_the_power_law_of_points_on_one():
    weights = np.array([1e4, 3e5, 2e6])
    N_c, alpha = power_law(weights, (5e7 / weights) ** 0.076)
    np.testing.assert_allclose([N_c, alpha], [5e7, 0.076], rtol=1e-6)
