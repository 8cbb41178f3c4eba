"""Target codes: which code stands for a label. One file each; importing this package registers them."""

from hashprobe.targets.codes.ap_search import APSearchCode
from hashprobe.targets.codes.base import CODES, TargetCode, check_labels
from hashprobe.targets.codes.centre import CentreCode
from hashprobe.targets.codes.circle import CircleCode, CircleSettings
from hashprobe.targets.codes.label_network import (
    LabelNetwork,
    LabelNetworkCode,
    LabelNetworkSettings,
    train_label_network,
)
from hashprobe.targets.codes.mainstay import MainstayCode
from hashprobe.targets.codes.mean import MeanCode
from hashprobe.targets.codes.own import OwnCode
from hashprobe.targets.codes.prototype import PrototypeCode, PrototypeNet, PrototypeSettings
from hashprobe.targets.codes.sampled import AnchorCode, P2PCode, SampledCode
from hashprobe.targets.codes.training import TrainingCode

__all__ = [
    "CODES",
    "APSearchCode",
    "AnchorCode",
    "CentreCode",
    "CircleCode",
    "CircleSettings",
    "LabelNetwork",
    "LabelNetworkCode",
    "LabelNetworkSettings",
    "MainstayCode",
    "MeanCode",
    "OwnCode",
    "P2PCode",
    "PrototypeCode",
    "PrototypeNet",
    "PrototypeSettings",
    "SampledCode",
    "TargetCode",
    "TrainingCode",
    "check_labels",
    "train_label_network",
]
