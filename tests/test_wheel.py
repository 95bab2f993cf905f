"""The package as installed: the wheel is built, put into an empty folder, and used from there."""

import configparser
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import kblocks

ROOT = Path(__file__).parents[1]
PARTS = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE")

IN_A_FRESH_PROCESS = """
import json
import kblocks
from importlib.metadata import entry_points, metadata
from kblocks.data import libreoffice_help
[command] = entry_points(group="console_scripts", name="kblocks")
print(json.dumps({
    "file": kblocks.__file__,
    "version": metadata("kblocks")["Version"],
    "pairs": len(libreoffice_help(max_words=20).train),
    "command": callable(command.load()),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        shutil.copy(ROOT / part, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "kblocks", source / "kblocks", ignore=ignored)
    for module in ROOT.glob("kblocks_*.py"):
        shutil.copy(module, source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [path] = (source / "dist").iterdir()
    return path


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("kblocks/**/*.py")}
    assert modules <= set(names)
    assert {"kblocks/py.typed", "kblocks/data/corpora/en-de.tsv.gz"} <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert tops == {"kblocks", "kblocks_command.py", f"kblocks-{kblocks.__version__}.dist-info"}
    licenses = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    assert {"LICENSE", "NOTICE"} <= licenses


@pytest.mark.slow
def test_the_wheel_works_as_installed(wheel, tmp_path):
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", tmp_path / "site", wheel], check=True)
    output = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    seen = json.loads(output)
    assert Path(seen["file"]).is_relative_to(tmp_path / "site")
    assert seen["version"] == kblocks.__version__
    assert seen["pairs"] > 17_000
    assert seen["command"]


def test_the_pinned_oldest_are_the_lower_ends_of_the_ranges():
    ends = dict(re.findall(r"^    ([\w-]+) >=([\d.]+)", _section("install_requires"), re.MULTILINE))
    pins = re.findall(
        r"^([\w-]+)==([\d.]+)$", (ROOT / "tools/oldest.txt").read_text(), re.MULTILINE
    )
    assert set(ends) <= {name for name, _ in pins}
    for name, pin in pins:
        assert f"{pin}.".startswith(f"{ends.get(name, pin)}."), name


def _section(key: str) -> str:
    """The indented lines under a key of setup.cfg."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["options"][key].replace("\n", "\n    ")
