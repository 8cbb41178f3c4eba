"""The paper's tables and figures: one file each, the cells that they share, and the grid that measures them."""

# Importing a table or figure registers it; ``all`` runs them in this order.
from hashprobe.experiments.paper import table1, table2, figure2, figure3, figure4b, figure4a, table3, table4  # isort: skip
from hashprobe.experiments.paper import saat_table  # isort: skip
from hashprobe.experiments.paper.catalogue import PROTOCOLS, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.reproduce import reproduce, write_sheet
from hashprobe.experiments.paper.sizes import GRID_SIZES, PUBLISHED_BETAS, GridSize, grid_size, weights_beside

__all__ = [
    "EXHIBITS",
    "GRID_SIZES",
    "PROTOCOLS",
    "PUBLISHED_BETAS",
    "Catalogue",
    "Exhibit",
    "GridSize",
    "Results",
    "Sheet",
    "figure2",
    "figure3",
    "figure4a",
    "figure4b",
    "grid_size",
    "reproduce",
    "saat_table",
    "table1",
    "table2",
    "table3",
    "table4",
    "weights_beside",
    "write_sheet",
]
