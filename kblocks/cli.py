"""The command `kblocks`: runs recipes, and uses what they exported.

Exit status 0, 1 (it failed) or 2 (wrong usage). An error is one line on stderr that says what to
do; `--debug` shows where it came from.
"""

import contextlib
import functools
import json
import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import kblocks
from kblocks import distribute, recipes
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import RunDirectory
from kblocks.recipes.settings import SettingsError, parse_settings

_BATCH = 32  # texts that are answered at once
_ANSWERS = ("translation", "tree", "continuation")  # outputs that are one text for each text

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="see `kblocks list`")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="a run directory")]
Quiet = Annotated[bool, typer.Option("--quiet", help="no progress bars: plain lines, for logs")]
Debug = Annotated[bool, typer.Option("--debug", help="show an error's traceback")]


def main() -> None:
    """Run the command."""
    app(prog_name="kblocks")


def _told(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with each error as one line on stderr and an exit status."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except (KeyboardInterrupt, Exception) as error:
            if isinstance(error, typer.Exit | typer.BadParameter):
                raise
            if options.get("debug"):
                traceback.print_exc()
            typer.echo(f"kblocks: {_line(error)}", err=True)
            raise typer.Exit(2 if isinstance(error, SettingsError) else 1) from None

    return run


def _line(error: BaseException) -> str:
    """What went wrong, in one line."""
    if isinstance(error, KeyboardInterrupt):
        return " ".join(str(error).split()) or "interrupted"
    if isinstance(error, OSError) and error.errno:
        reason = os.strerror(error.errno)
        return f"{error.filename}: {reason}" if error.filename else reason
    text = " ".join(str(error).split()) or "no message"
    if isinstance(error, ValueError | OSError):
        return text
    return f"{type(error).__name__}: {text[:400]} (--debug shows where)"


@app.callback(invoke_without_command=True)
def _about(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    """Train, look at, export and use the models of kblocks."""
    if version:
        typer.echo(f"kblocks {kblocks.__version__}")
        raise typer.Exit


@app.command("list")
@_told
def list_recipes(debug: Debug = False) -> None:
    """List the recipes: what each trains, on which data, and what it reaches."""
    for recipe in recipes.all_recipes():
        typer.echo(f"{recipe.name}: {recipe.summary}")
        for name, fact in recipe.facts.items():
            typer.echo(f"  {name:<8} {fact}")


@app.command()
@_told
def train(
    recipe: RecipeName,
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="the run directory to make")],
    data: Annotated[
        str | None, typer.Option(help="sentence pairs; without it the corpus of the recipe")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="at most so many passes over the data")] = None,
    strategy: Annotated[
        str | None, typer.Option(help="auto, single, mirrored, multi_worker or tpu")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, mixed_bfloat16 or mixed_float16")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="any other setting")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a run that stopped")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a recipe into a run directory."""
    try:
        chosen = recipes.get(recipe)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    named = {"data": data, "epochs": epochs, "strategy": strategy, "precision": precision}
    texts = [f"{key}={value}" for key, value in named.items() if value is not None]
    texts += settings or []
    if resume:
        run = RunDirectory.open(out)
        config = parse_settings(chosen.Config, texts, _recorded(run, recipe))
        best = chosen.train(config, run, quiet=quiet)
    else:
        config = parse_settings(chosen.Config, texts)
        with _new_run(out, recipe, config) as run:
            best = chosen.train(config, run, quiet=quiet)
    _print_values(best)
    typer.echo(f"{out} is done; look at it with: kblocks evaluate {out}; kblocks plot {out}")


@app.command()
@_told
def evaluate(run: Run, debug: Debug = False) -> None:
    """Measure a run's best model on held-out data."""
    recipe, directory = _open(run)
    _print_values(recipe.evaluate(directory))


@app.command()
@_told
def plot(run: Run, debug: Debug = False) -> None:
    """Draw a run's learning curves and what its model attends to."""
    recipe, directory = _open(run)
    for picture in recipe.plot(directory):
        typer.echo(picture)


@app.command()
@_told
def export(
    run: Run,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIRECTORY", help="where exported models are kept")
    ] = Path("saved_models"),
    debug: Debug = False,
) -> None:
    """Export a run's best model for TensorFlow Serving, as the next version."""
    recipe, directory = _open(run)
    typer.echo(recipe.export(directory, to))


@app.command()
@_told
def predict(
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="an exported model, or one version of it")
    ],
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...",
            help="a text (or two, as the model takes), a file of them, or a photo",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="all outputs, one JSON object a text")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="where to write a photo's mask; else NAME.mask.png, here"),
    ] = None,
    debug: Debug = False,
) -> None:
    """Translate, parse, label or go on with a text, answer a question, or segment a photo.

    A model that answers questions takes a question and a text. A file has a text a line, or for a
    model that takes two both with a tab between.
    """
    from kblocks.data import read_lines
    from kblocks.export.served import Served

    model = Served(directory)
    if model.takes_images:
        if len(text) > 1:
            raise SettingsError(f"this model takes one photo, got {len(text)}.")
        _print_mask(model, text[0], out, as_json)
        return
    if out:
        raise SettingsError("--out is for the mask of a photo, and this model takes text.")
    rows = [tuple(text)]
    if len(text) == 1 and os.path.isfile(text[0]):
        several = len(model.inputs) > 1
        rows = [tuple(line.split("\t")) if several else (line,) for _, line in read_lines(text[0])]
    for number, row in enumerate(rows, 1):
        if len(row) != len(model.inputs):
            names = ", ".join(model.inputs)
            raise SettingsError(f"row {number}: this model takes {names}; got {len(row)} texts.")
    for start in range(0, len(rows), _BATCH):
        for outputs in model(*zip(*rows[start : start + _BATCH], strict=True)):
            answer = next((outputs[name] for name in _ANSWERS if name in outputs), None)
            if as_json or answer is None:
                answer = json.dumps(outputs, ensure_ascii=False)
            typer.echo(answer)


def _print_mask(model: Any, photo: str, out: Path | None, as_json: bool) -> None:
    """Write the mask of a photo; its path, then each class with its share and its colour."""
    from kblocks.export.segment_file import segment_file

    made = segment_file(model, photo, out)
    if as_json:
        told = {"mask": str(made.path), "shares": made.shares, "colors": made.colors}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    typer.echo(made.path)
    for name, share in made.shares.items():
        typer.echo(f"{name:<20} {share:6.1%}  {made.colors[name]}")


def _open(path: Path) -> tuple[Recipe, RunDirectory]:
    """A run directory, and the recipe that made it."""
    run = RunDirectory.open(path)
    return recipes.get(run.read_json("config.json").get("recipe")), run


def _recorded(run: RunDirectory, recipe: str) -> dict[str, Any]:
    """The settings that a run was begun with, if it was by this recipe."""
    begun = run.read_json("config.json")
    if begun.get("recipe") != recipe:
        raise SettingsError(f"{run.path} is a run of {begun.get('recipe')!r}, not of {recipe!r}.")
    return begun["settings"]


@contextlib.contextmanager
def _new_run(out: Path, recipe: str, config: TrainingConfig) -> Iterator[RunDirectory]:
    """A new run directory, which a failure before the first checkpoint takes away again.

    Of several workers the chief makes it; the others write nothing.
    """
    if not distribute.is_chief():
        yield RunDirectory(out)
        return
    run = RunDirectory.create(out, recipe, config)
    try:
        yield run
    except Exception:
        if not run.epochs_done():
            shutil.rmtree(out, ignore_errors=True)
        raise


def _print_values(values: dict[str, Any]) -> None:
    """One value a line."""
    for name, value in values.items():
        typer.echo(f"{name:<28} {value:,}" if isinstance(value, int) else f"{name:<28} {value:.4g}")
