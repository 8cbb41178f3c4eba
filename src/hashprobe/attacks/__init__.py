"""Attacks on hash models: one file an attack; importing this package registers them."""

from hashprobe.attacks.access import Access, Cost, Search, Victim
from hashprobe.attacks.base import ATTACKS, Attack, AttackResult, project
from hashprobe.attacks.dhta import DHTA, P2P
from hashprobe.attacks.fgsm import FGSM
from hashprobe.attacks.hag import HAG
from hashprobe.attacks.ifgsm import IFGSM
from hashprobe.attacks.loop import IterativeAttack, descend
from hashprobe.attacks.nes import NES
from hashprobe.attacks.noise import Noise
from hashprobe.attacks.prosgan import ProSGAN
from hashprobe.attacks.random_search import RandomSearch
from hashprobe.attacks.rank_nes import RankNES
from hashprobe.attacks.rays import RayS
from hashprobe.attacks.square import Square
from hashprobe.attacks.surrogate import Surrogate
from hashprobe.attacks.universal import Universal

__all__ = [
    "ATTACKS",
    "DHTA",
    "FGSM",
    "HAG",
    "IFGSM",
    "NES",
    "P2P",
    "Access",
    "Attack",
    "AttackResult",
    "Cost",
    "IterativeAttack",
    "Noise",
    "ProSGAN",
    "RandomSearch",
    "RankNES",
    "RayS",
    "Search",
    "Square",
    "Surrogate",
    "Universal",
    "Victim",
    "descend",
    "project",
]
