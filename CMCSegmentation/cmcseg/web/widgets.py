"""Small parts that several panels lay out alike."""

from __future__ import annotations

import math
from collections.abc import Callable

from trame.widgets import html
from trame.widgets import vuetify3 as v

from cmcseg.core.card import RESEARCH_USE
from cmcseg.core.errors import BadInput
from cmcseg.web.page import Page

NUMBER = int | float  # what a slider of the page sends
MANY = 20  # values that a scan spans, from which a slider goes in whole steps


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


def small_button(words: object, click: object, variant: object = "text", **more: object) -> None:
    """A button of a panel's line that is not its main one."""
    v.VBtn(words, click=click, size="small", variant=variant, **more)


def range_slider(page: Page, call: Callable, names: object, words: str) -> None:
    """Two ends of a range of a scan's values.

    Args:
        page: that it is shown on.
        call: told both ends.
        names: of the state that holds ``low`` and ``high``, and the ``range`` that they lie in.
        words: what the range is for.
    """
    # The page's own state moves first: the other end may be moved before the server has answered.
    moved = f"{names.low} = $event[0]; {names.high} = $event[1]"
    handler = page.server.trigger_name(page.trying(call, NUMBER, NUMBER))
    v.VRangeSlider(
        model_value=(f"[{names.low}, {names.high}]",),
        update_modelValue=f"{moved}; trigger('{handler}', [$event[0], $event[1]])",
        min=(f"{names.range}[0]",),
        max=(f"{names.range}[1]",),
        step=(f"{names.range}[1] - {names.range}[0] < {MANY} ? 0.01 : 1",),
        thumb_label=True,
        hide_details=True,
        raw_attrs=labelled(words),
    )


def ends_of(low: float, high: float) -> list[float]:
    """What a range slider goes from and to, so that whole steps reach the last voxel."""
    return [math.floor(low), math.ceil(high)] if high - low >= MANY else [low, high]


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


def as_range(low: float, high: float) -> tuple[float, float]:
    """Both ends of a range.

    Raises:
        BadInput: when it is none.
    """
    if not -math.inf < low <= high < math.inf:
        raise BadInput(f"{low} to {high} is no range; the first number is the smaller one.")
    return float(low), float(high)
