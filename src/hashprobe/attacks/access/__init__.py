"""What an attack may see of the attacked search, and what it cost, counted there."""

from hashprobe.attacks.access.access import Access
from hashprobe.attacks.access.cost import Cost
from hashprobe.attacks.access.victim import Judge, Search, Victim

__all__ = ["Access", "Cost", "Judge", "Search", "Victim"]
