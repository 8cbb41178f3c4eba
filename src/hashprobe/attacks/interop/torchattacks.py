"""Attacks of the library torchattacks (Kim, 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch

from hashprobe.attacks.base import ATTACKS, Norm
from hashprobe.attacks.interop.borrowed import BorrowedAttack
from hashprobe.attacks.interop.classifier import GoalClassifier
from hashprobe.attacks.interop.library import library, parameters

# Those that were read: each looks at every image of a batch alike, and asks for all of them in their order.
IN_ORDER = frozenset({
    "FGSM", "BIM", "RFGSM", "PGD", "EOTPGD", "FFGSM", "MIFGSM", "NIFGSM", "SINIFGSM", "VMIFGSM", "VNIFGSM",
    "DIFGSM", "TIFGSM", "PGDL2",
})  # fmt: skip
# These look for the smallest change, or give back only images that have reached the goal.
UP_TO_THE_THRESHOLD = frozenset({
    "APGD", "APGDT", "AutoAttack", "CW", "DeepFool", "EADL1", "EADEN", "FAB", "JSMA", "SparseFool", "Square",
})  # fmt: skip
BUDGETS = ("eps", "max_epsilon")
WRAPPERS = ("MultiAttack", "LGV")


@ATTACKS.register("torchattacks")
@dataclass(frozen=True, kw_only=True)
class Torchattacks(BorrowedAttack):
    """An attack of torchattacks by its name there, as ``name=PGD``; needs the extra ``interop``.

    Attacks that stop for some images of a batch, or ask for their pictures in another order, get one image at a time.
    """

    package: ClassVar[str] = "torchattacks"
    default_names: ClassVar[Mapping[Norm, str]] = {"linf": "PGD", "l2": "PGDL2"}
    taken_as: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "steps": ("steps", "num_iter_set", "nb_iter", "n_queries"),
        "step_size": ("alpha", "lr"),
    }

    @classmethod
    def classes(cls) -> dict[str, type]:
        """Return what torchattacks offers, but for its wrappers of other attacks."""
        own = library("torchattacks")
        return {name: getattr(own, name) for name in own.__all__ if name not in WRAPPERS}

    @property
    def up_to_the_threshold(self) -> bool:
        """Whether it is one that was read to do so."""
        return self.own_name in UP_TO_THE_THRESHOLD

    @property
    def own_norm(self) -> str | None:
        """Of an attack with a budget: as its name or its argument ``norm`` says."""
        if not set(BUDGETS) & set(parameters(self.kind)):
            return None
        return "l2" if "L2" in self.own_name else str(self.given.get("norm", "Linf")).lower()

    @property
    def together(self) -> bool:
        """Whether it was read to keep the order of a batch."""
        return self.own_name in IN_ORDER

    def attacked(
        self, classifier: GoalClassifier, images: torch.Tensor, arguments: dict[str, Any]
    ) -> torch.Tensor:
        """Return what torchattacks makes of images; see :meth:`BorrowedAttack.attacked`."""
        taken = parameters(self.kind)
        for name in BUDGETS:
            if name in taken:
                arguments.setdefault(name, self.budget(images))
        if "n_classes" in taken:
            arguments.setdefault("n_classes", 2)
        return cast(torch.Tensor, self.kind(classifier, **arguments)(images, classifier.labels))
