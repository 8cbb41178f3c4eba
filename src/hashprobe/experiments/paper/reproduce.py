"""The paper's grid, run: each table and figure gets its page, CSV file and pictures as soon as its cells are finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from hashprobe.evaluation import CellStore
from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.engine import Engine, Outcome, run_tasks, with_needs
from hashprobe.experiments.paper.catalogue import GENERATOR, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.records import to_csv
from hashprobe.experiments.tasks import GridTask, how_made
from hashprobe.files import write_text
from hashprobe.folders import claimed, describe
from hashprobe.identity import fingerprint
from hashprobe.report.figures import save_figure
from hashprobe.results import write_results

Say = Callable[[str], None]


def reproduce(
    names: Sequence[str],
    catalogue: Catalogue,
    engine: Engine,
    *,
    command: str = "",
    say: Say = lambda line: None,
) -> Outcome:
    """Measure what tables and figures need, and write them into the grid's folder.

    What the folder holds is not done again, so that one folder serves one exhibit after another. A cell that fails is
    named on the page, which shows the others.

    Args:
        names: Of ``EXHIBITS``.
        catalogue: The grid.
        engine: Where its tasks are done.
        command: The command that repeats it, for the pages.
        say: Called with a line of text as tasks end.

    Returns:
        What became of the tasks.

    Raises:
        HashprobeError: an unknown name, or the folder holds another grid.
    """
    exhibits = {name: EXHIBITS[name] for name in names}
    wanted = {name: exhibit.cells(catalogue) for name, exhibit in exhibits.items()}
    folder, grid = catalogue.grid.folder, catalogue.grid
    data = grid.load()
    identity = fingerprint("paper", data.sha256, grid.seed)
    description = {
        "title": f"The paper's tables and figures on {data.name}.",
        "command": command,
        "settings": catalogue.size.model_dump(mode="json"),
        "data": data.summary(),
        **how_made(grid.seed, torch.device(grid.device)),
    }
    unwritten = dict(exhibits)

    def write(outcome: Outcome, *, all_of_them: bool = False) -> None:
        for name, exhibit in list(unwritten.items()):
            ended = all(cell.key in outcome.finished or cell.key in outcome.failed for cell in wanted[name])
            if ended or all_of_them:
                path = write_sheet(name, exhibit, Results(catalogue, outcome.failed), command)
                say(f"wrote {path}")
                del unwritten[name]

    with claimed(folder, identity):
        describe(folder, identity, description)
        cells = [cell for own in wanted.values() for cell in own]
        outcome = run_tasks(cells, engine, say=say, after=write)
        write(outcome, all_of_them=True)
        _write_rows(folder)
    return outcome


def write_sheet(name: str, exhibit: Exhibit, results: Results, command: str) -> Path:
    """Write an exhibit's page, CSV file and pictures; return the page.

    Args:
        name: Of the exhibit, and of the files.
        exhibit: The exhibit.
        results: What was measured.
        command: The command that repeats it.
    """
    catalogue = results.catalogue
    folder, cells = catalogue.grid.folder, exhibit.cells(catalogue)
    sheet = exhibit.show(results)
    pictures = []
    for suffix, figure in sheet.figures.items():
        stem = f"{name}-{suffix}" if suffix else name
        save_figure(figure, folder, stem, formats=("svg", "png"), dpi=150)
        pictures.append(f"![{stem}]({stem}.png)")
    write_text(folder / f"{name}.csv", to_csv(sheet.records))
    page = folder / f"{name}.md"
    write_text(page, _page(exhibit, sheet, pictures, cells, results, command))
    return page


def _page(
    exhibit: Exhibit,
    sheet: Sheet,
    pictures: Sequence[str],
    cells: Sequence[Cell],
    results: Results,
    command: str,
) -> str:
    lines = [f"# {exhibit.title}", "", *_how_made(cells, results, command), ""]
    for heading, text in sheet.parts:
        lines += [f"## {heading}", ""] if heading else []
        lines += [text, ""]
    for picture in pictures:
        lines += [picture, ""]
    missing = {
        cell.title: results.failed.get(cell.key, "not run yet") for cell in cells if not cell.finished()
    }
    if missing:
        lines += ["## Not measured", "", *(f"- {title}: {why}" for title, why in missing.items()), ""]
    return "\n".join(lines)


def _how_made(cells: Sequence[Cell], results: Results, command: str) -> list[str]:
    grid, size = results.catalogue.grid, results.catalogue.size
    data = grid.load()
    tasks = [task for task in with_needs(cells).values() if isinstance(task, GridTask) and task.finished()]
    minutes = sum(task.facts()["seconds"] for task in tasks) / 60
    training = size.scale.training
    prototype, generator = (size.scale.settings(name).model_dump() for name in ("prototype", GENERATOR))
    said = (
        f"{data.name}, {len(data.query):,} queries, database of {len(data.database):,}, {len(data.train):,} training images "
        f"of {grid.image_size}×{grid.image_size}, seed {grid.seed}. Hash models: {training.epochs} epochs unless said "
        f"otherwise; PrototypeNet: {prototype['steps']:,} steps; {GENERATOR}: {generator['epochs']} epochs, β "
        f"{generator['reconstruction']:g}; P2P and DHTA: {size.steps} iterations unless said otherwise. Its cells, and the "
        f"trained parts that they share with other pages, took {minutes:.0f} minutes of work."
    )
    return ([f"`{command}`", ""] if command else []) + [said]


def _write_rows(folder: Path) -> None:
    """Write rows, curves and scores of queries of all cells in a grid's folder, as ``hashprobe report`` reads them."""
    cells = CellStore(folder).all()
    write_results(
        folder,
        [row for cell in cells for row in cell.rows],
        [curve for cell in cells for curve in cell.curves],
        [one for cell in cells for one in cell.queries],
    )
