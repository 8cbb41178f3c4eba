"""The verb ``audit``: a search that runs, on photographs of its user's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashprobe.cli.options import MODEL_HELP, Device, EncodedCodes, Out, Seed, open_search, read_search
from hashprobe.cli.printing import said, say


def audit(
    model: Annotated[str, typer.Option(help=MODEL_HELP)],
    images: Annotated[Path, typer.Option(help="Folder of photographs of any size: what the search stores.")],
    labels: Annotated[
        str | None,
        typer.Option(
            help="CSV file (path,label), or 'folders' for those that photographs lie in; without it a picture's relevant "
            "items are its own copies and edits."
        ),
    ] = None,
    codes: EncodedCodes = None,
    threshold: Annotated[
        int | None,
        typer.Option(
            help="A picture is found at so many differing bits or fewer, as 31 for PDQ; by default the largest that keeps to "
            "--false-positives.",
            min=0,
        ),
    ] = None,
    false_positives: Annotated[
        float, typer.Option(help="Share of pairs of unrelated pictures that may match.", min=0, max=1)
    ] = 0.001,
    budget: Annotated[
        list[str] | None,
        typer.Option(
            help="How far pictures may be changed: 8/255 (any value, at most), rms:0.01 or l2:2.5; may be repeated. By default "
            "4/255, 8/255 and 16/255."
        ),
    ] = None,
    questions: Annotated[
        list[int] | None,
        typer.Option(help="Questions of a black-box attack for a picture; may be repeated. 1000 by default."),
    ] = None,
    attacks: Annotated[
        list[str] | None,
        typer.Option(
            "--attack",
            help="FewStep, PGD, Square, NES, RayS, RandomSearch or Noise; may be repeated. By default all that the model allows "
            "but NES.",
        ),
    ] = None,
    access: Annotated[
        str | None,
        typer.Option(
            help="What the attacker sees: gradients, codes or found; by default all that the search gives."
        ),
    ] = None,
    queries: Annotated[
        int, typer.Option(help="How many photographs are attacked and edited, drawn by the seed.", min=1)
    ] = 50,
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Square that photographs are cropped and resized to for the model; by default 64, or their own size where the "
            "model resizes by itself."
        ),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(
            help="Index through which codes are searched as well: a name of 'list indexes', with settings after a colon, as "
            "faiss-hnsw:search_width=8. The report says what it loses or adds of an attack's success."
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            help="How many items the index is asked for (100 by default); of a service that lists ids, how many of the first "
            "count as found (10).",
            min=1,
        ),
    ] = None,
    jpeg: Annotated[
        int | None,
        typer.Option(
            help="Quality, where the search stores attacked pictures as JPEG: scored after that as well.",
            min=1,
            max=95,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(help="Gradient steps of a white-box attack.", min=1, max=10_000)] = 20,
    out: Out = Path("runs/audit"),
    seed: Seed = 0,
    device: Device = "auto",
    text: Annotated[
        bool, typer.Option("--text", help="Print what was found, and not only the verdict.")
    ] = False,
) -> None:
    """Audit a search: what attackers and benign edits do to it.

    Photographs are attacked at their own size, through the model's preprocessing. What is measured is how often a picture is
    no longer found (evasion), is found as another one (collision), and how often unrelated pictures match, at every threshold.

    Example: hashprobe audit --model runs/dpsh-32 --images photos --budget 8/255 --questions 1000 --out runs/audit
    """
    from hashprobe.auditing import AuditSettings, audit_lines
    from hashprobe.auditing import audit as audit_search

    given = {"budgets": budget, "questions": questions, "attacks": attacks}
    settings = AuditSettings(
        **{name: tuple(values) for name, values in given.items() if values},
        access=access,
        queries=queries,
        threshold=threshold,
        false_positives=false_positives,
        image_size=image_size,
        search=None
        if index is None and top_k is None
        else read_search("scan" if index is None else index, top_k),
        jpeg=jpeg,
        steps=steps,
        seed=seed,
    )
    name, opened = open_search(model, images, device)
    found = audit_search(
        opened,
        images,
        out=out,
        labels=labels,
        codes=codes,
        settings=settings,
        name=name,
        command=said(),
        progress=True,
        say=say,
    )
    for line in audit_lines(found, whole=text):
        say(line)
    say(f"wrote {out / 'report.html'}, {out / 'operating_points.jsonl'} and {out / 'findings.json'}")
