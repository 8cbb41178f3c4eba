"""Which label an attack aims at (protocols), and which code stands for it (target codes)."""

from hashprobe.targets.codes import AnchorCode, Codes, P2PCode, SampledCode, TargetCode
from hashprobe.targets.protocols import PROTOCOLS, draw_target_labels, unique_labels
from hashprobe.targets.prototype import PrototypeCode, PrototypeNet, PrototypeSettings, train_prototype_net

__all__ = [
    "PROTOCOLS",
    "AnchorCode",
    "Codes",
    "P2PCode",
    "PrototypeCode",
    "PrototypeNet",
    "PrototypeSettings",
    "SampledCode",
    "TargetCode",
    "draw_target_labels",
    "train_prototype_net",
    "unique_labels",
]
