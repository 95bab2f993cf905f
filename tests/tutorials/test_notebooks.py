"""The notebooks are the scripts', without outputs, and begin with what Colab needs."""

from pathlib import Path

import nbformat
import pytest

from tools.make_notebooks import TUTORIALS, notebook, notebook_path, scripts


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.stem)
def test_in_step_with_the_script(script: Path) -> None:
    written = notebook_path(script).read_text(encoding="utf-8")
    assert written == notebook(script), "run `make notebooks`"


def test_none_without_a_script() -> None:
    found = set((TUTORIALS / "notebooks").glob("*.ipynb"))
    assert found == {notebook_path(script) for script in scripts()}


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.stem)
def test_a_valid_notebook_for_colab_without_outputs(script: Path) -> None:
    made = nbformat.reads(notebook(script), as_version=4)
    nbformat.validate(made)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert "pip" in code[0].source
    assert "import kblocks" not in code[0].source
    assert "%matplotlib inline" in code[1].source.splitlines()[0]
    assert not any(cell.outputs or cell.execution_count for cell in code)
