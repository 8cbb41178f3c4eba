"""Retrieval data: images, multi-hot labels and splits; generated scenes and the list formats of the field."""

from hashprobe.data.decoding import read_image
from hashprobe.data.folder import load_folder
from hashprobe.data.loading import load
from hashprobe.data.openmoji import SceneSettings
from hashprobe.data.registry import DATA_SETS
from hashprobe.data.retrieval_data import ImageRows, RetrievalData, Split
from hashprobe.data.sheet import contact_sheet

__all__ = [
    "DATA_SETS",
    "ImageRows",
    "RetrievalData",
    "SceneSettings",
    "Split",
    "contact_sheet",
    "load",
    "load_folder",
    "read_image",
]
