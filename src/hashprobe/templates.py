"""Templates of pages: what stands in a room's folder ``templates``, with everything from outside escaped."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


class Templates:
    """The files in the folder ``templates`` of a room.

    Args:
        room: As it is imported, for example ``hashprobe.report``.
    """

    def __init__(self, room: str) -> None:
        self._loader = PackageLoader(room)
        self._environment = Environment(
            loader=self._loader,
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, name: str) -> Template:
        """Return a template, ready to be rendered."""
        return self._environment.get_template(name)

    def source(self, name: str) -> str:
        """Return a file as it is written: a style sheet, a script."""
        return self._loader.get_source(self._environment, name)[0]
