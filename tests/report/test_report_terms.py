"""The names in a report are explained, all that come with hashprobe, in words that fit the rows."""

from __future__ import annotations

from test_report_summary import made, row, untargeted

from hashprobe.attacks import ATTACKS
from hashprobe.report import terms
from hashprobe.targets import CODES, PROTOCOLS


def test_every_name_that_comes_with_hashprobe_is_explained() -> None:
    for registry, words in ((ATTACKS, terms.ATTACKS), (CODES, terms.CODES), (PROTOCOLS, terms.PROTOCOLS)):
        own = {name for name in registry if registry[name].__module__.startswith("hashprobe.")}
        assert own - set(words) == set(), "say in src/hashprobe/report/terms.toml what it is"


def test_the_terms_of_a_run_are_those_of_its_rows() -> None:
    rows = made(
        row("Original", 0.5, epsilon=None, protocol="single"),
        row("P2P code", 0.7, epsilon=None, protocol="single", code="p2p"),
        row("DHTA", 0.6, protocol="single", code="anchor"),
        row("of a plugin", 0.6, protocol="mine"),
    )
    found = terms.of_rows(rows)
    scores = ["t-MAP", "MAP", "Chance", "95 % interval", "Budget"]
    assert list(found) == [*scores, "single", "Original", "P2P code", "DHTA", "anchor"]
    assert found["P2P code"].startswith("a yardstick and no attack")
    assert "t-MAP" not in terms.of_rows(made(untargeted("FGSM", 0.5)))


def test_steps_from_another_attacks_image_are_explained_by_both() -> None:
    rows = made(row("ProS-GAN + FewStep", 0.7, code="prototype"))
    found = terms.of_rows(rows)
    assert (
        found["ProS-GAN + FewStep"] == "what ProS-GAN makes of the query, and from there the steps of FewStep"
    )
    assert list(found)[-4:] == ["ProS-GAN + FewStep", "ProS-GAN", "FewStep", "prototype"]
