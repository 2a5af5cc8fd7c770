"""Small parts that several panels lay out alike."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.core.card import RESEARCH_USE
from cmcseg.core.errors import BadInput

NUMBER = int | float  # what a slider of the page sends


def text(expression: str) -> str:
    """What the page writes in the place of an expression."""
    return f"{{{{ {expression} }}}}"


def labelled(words: str, *more: str) -> list[str]:
    """Raw attributes that tell a screen reader what a part is; trame knows no ``aria_label``."""
    return [f'aria-label="{words}"', *more]


def icon_button(icon: object, title: str, click: object, **more: object) -> None:
    """A button that is a picture; its title says what it does, to the eye and to a reader."""
    v.VBtn(
        icon=icon,
        title=title,
        click=click,
        size="small",
        variant="text",
        raw_attrs=labelled(title),
        **more,
    )


def chooser(call: object, name: str, items: str, label: str, key: str, **more: object) -> None:
    """A choice of the browser's own: Vuetify's loses its shape where it is folded away at first."""
    with html.Label(classes="chooser", for_=key, **more):
        html.Span(label, classes="quiet")
        with html.Select(id=key, change=(call, "[$event.target.value]")):
            html.Option(
                "{{ i.title }}",
                v_for=f"i in {items}",
                key="i.value",
                value=("i.value",),
                raw_attrs=[f':selected="i.value === {name}"'],
            )


def research_line() -> None:
    """What stands below every result."""
    html.P(RESEARCH_USE, classes="research")


def share(percent: float) -> float:
    """Of 1.

    Raises:
        BadInput: when it is no percentage.
    """
    if not 0 <= percent <= 100:
        raise BadInput(f"{percent} is no percentage; choose 0 to 100.")
    return percent / 100
