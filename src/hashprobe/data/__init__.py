"""Retrieval data: images, multi-hot labels and splits; generated scenes, the list formats of the field, audits."""

from hashprobe.data.audit.audit import Audit, audit, audit_folder
from hashprobe.data.audit.findings import Finding
from hashprobe.data.audit.named import audit_data
from hashprobe.data.building import BuiltDataSet, build_data_set, names_to_build
from hashprobe.data.formats.folder import load_folder
from hashprobe.data.images.contact_sheet import contact_sheet
from hashprobe.data.images.decoding import read_image
from hashprobe.data.loading import load
from hashprobe.data.openmoji import SceneSettings
from hashprobe.data.protocols import chance_by_protocol
from hashprobe.data.registry import DATA_SETS
from hashprobe.data.retrieval_data import ImageRows, RetrievalData, Split

__all__ = [
    "DATA_SETS",
    "Audit",
    "BuiltDataSet",
    "Finding",
    "ImageRows",
    "RetrievalData",
    "SceneSettings",
    "Split",
    "audit",
    "audit_data",
    "audit_folder",
    "build_data_set",
    "chance_by_protocol",
    "contact_sheet",
    "load",
    "load_folder",
    "names_to_build",
    "read_image",
]
