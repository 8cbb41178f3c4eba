"""Attacks on hash models: one file an attack; importing this package registers them."""

from hashprobe.attacks.access import Access, Cost, Judge, Search, Victim
from hashprobe.attacks.base import ATTACKS, Attack, AttackResult, Norm, project
from hashprobe.attacks.code_generator import CodeGeneratorAttack
from hashprobe.attacks.dhta import DHTA, P2P
from hashprobe.attacks.few_step import FewStep
from hashprobe.attacks.fgsm import FGSM
from hashprobe.attacks.hag import HAG
from hashprobe.attacks.ifgsm import IFGSM
from hashprobe.attacks.interop import BorrowedAttack, Foolbox, GoalClassifier, Torchattacks, goal_reached
from hashprobe.attacks.learned_steps import LearnedSteps
from hashprobe.attacks.loop import IterativeAttack, check_start, descend
from hashprobe.attacks.nes import NES
from hashprobe.attacks.noise import Noise
from hashprobe.attacks.objectives import OBJECTIVES
from hashprobe.attacks.pgd import PGD
from hashprobe.attacks.prosgan import ProSGAN
from hashprobe.attacks.pta import PTA
from hashprobe.attacks.random_search import RandomSearch
from hashprobe.attacks.rank_nes import RankNES
from hashprobe.attacks.rays import RayS
from hashprobe.attacks.sdha import SDHA
from hashprobe.attacks.square import Square
from hashprobe.attacks.strongest import Strongest
from hashprobe.attacks.surrogate import Surrogate
from hashprobe.attacks.tha import THA
from hashprobe.attacks.transfer_steps import DIFGSM, MIFGSM, SIFGSM, TIFGSM, VMIFGSM
from hashprobe.attacks.universal import Patch, Universal

__all__ = [
    "ATTACKS",
    "DHTA",
    "DIFGSM",
    "FGSM",
    "HAG",
    "IFGSM",
    "MIFGSM",
    "NES",
    "OBJECTIVES",
    "P2P",
    "PGD",
    "PTA",
    "SDHA",
    "SIFGSM",
    "THA",
    "TIFGSM",
    "VMIFGSM",
    "Access",
    "Attack",
    "AttackResult",
    "BorrowedAttack",
    "CodeGeneratorAttack",
    "Cost",
    "FewStep",
    "Foolbox",
    "GoalClassifier",
    "IterativeAttack",
    "Judge",
    "LearnedSteps",
    "Noise",
    "Norm",
    "Patch",
    "ProSGAN",
    "RandomSearch",
    "RankNES",
    "RayS",
    "Search",
    "Square",
    "Strongest",
    "Surrogate",
    "Torchattacks",
    "Universal",
    "Victim",
    "check_start",
    "descend",
    "goal_reached",
    "project",
]
