"""What an attack is to reach: goals, the codes that stand for labels, and the protocols that draw target labels."""

from hashprobe.targets.codes import (
    CODES,
    AnchorCode,
    OwnCode,
    P2PCode,
    PrototypeCode,
    PrototypeNet,
    PrototypeSettings,
    SampledCode,
    TargetCode,
    train_prototype_net,
)
from hashprobe.targets.context import Codes, Context
from hashprobe.targets.goals import (
    GOALS,
    NO_CODE,
    Goal,
    GoalKind,
    Objective,
    Targeted,
    Untargeted,
    codes_of,
)
from hashprobe.targets.protocols import PROTOCOLS, draw_target_labels, unique_labels

__all__ = [
    "CODES",
    "GOALS",
    "NO_CODE",
    "PROTOCOLS",
    "AnchorCode",
    "Codes",
    "Context",
    "Goal",
    "GoalKind",
    "Objective",
    "OwnCode",
    "P2PCode",
    "PrototypeCode",
    "PrototypeNet",
    "PrototypeSettings",
    "SampledCode",
    "TargetCode",
    "Targeted",
    "Untargeted",
    "codes_of",
    "draw_target_labels",
    "train_prototype_net",
    "unique_labels",
]
