"""Target codes: which code stands for a label. One file each; importing this package registers them."""

from hashprobe.targets.codes.base import CODES, TargetCode, check_labels
from hashprobe.targets.codes.own import OwnCode
from hashprobe.targets.codes.prototype import (
    PrototypeCode,
    PrototypeNet,
    PrototypeSettings,
    train_prototype_net,
)
from hashprobe.targets.codes.sampled import AnchorCode, P2PCode, SampledCode

__all__ = [
    "CODES",
    "AnchorCode",
    "OwnCode",
    "P2PCode",
    "PrototypeCode",
    "PrototypeNet",
    "PrototypeSettings",
    "SampledCode",
    "TargetCode",
    "check_labels",
    "train_prototype_net",
]
