"""Data sets built as folders of lists: official archives of the field, and generated scenes."""

from hashprobe.data.building import coco, mirflickr, nus_wide  # each registers its archive
from hashprobe.data.building.archive import OFFICIAL_DATA_SETS, Archive, OfficialDataSet
from hashprobe.data.building.build import BuiltDataSet, build_data_set, names_to_build

__all__ = [
    "OFFICIAL_DATA_SETS",
    "Archive",
    "BuiltDataSet",
    "OfficialDataSet",
    "build_data_set",
    "coco",
    "mirflickr",
    "names_to_build",
    "nus_wide",
]
