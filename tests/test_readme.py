"""What the README says is so: its tables, its code, the targets and commands it names."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kblocks.cli import app
from tools.readme_tables import TABLES, read_results, with_tables

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
