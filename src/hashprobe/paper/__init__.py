"""The paper's tables and figures: one file each, the cells that they share, and the grid that measures them."""

# Importing a table or figure registers it; ``all`` runs them in this order.
from hashprobe.paper import table1, table2, figure2, figure3, figure4b, figure4a, table3, table4  # isort: skip
from hashprobe.paper.catalogue import PROTOCOLS, Catalogue
from hashprobe.paper.cell import Cell
from hashprobe.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.paper.place import Place
from hashprobe.paper.reproduce import reproduce, write_sheet
from hashprobe.paper.sizes import GRID_SIZES, PUBLISHED_BETAS, GridSize, grid_size, weights_beside
from hashprobe.paper.trained import GeneratorTask, HashModelTask, PrototypeTask

__all__ = [
    "EXHIBITS",
    "GRID_SIZES",
    "PROTOCOLS",
    "PUBLISHED_BETAS",
    "Catalogue",
    "Cell",
    "Exhibit",
    "GeneratorTask",
    "GridSize",
    "HashModelTask",
    "Place",
    "PrototypeTask",
    "Results",
    "Sheet",
    "figure2",
    "figure3",
    "figure4a",
    "figure4b",
    "grid_size",
    "reproduce",
    "table1",
    "table2",
    "table3",
    "table4",
    "weights_beside",
    "write_sheet",
]
