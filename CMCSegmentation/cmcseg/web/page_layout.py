"""The page: five steps on the left, the views on the right, and a sheet that lists the keys."""

from __future__ import annotations

from collections.abc import Callable

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame.widgets import vuetify3 as v

from cmcseg.core.card import RESEARCH_USE
from cmcseg.web.cases_actions import CasesActions
from cmcseg.web.keys import KEYS
from cmcseg.web.page import STEPS, Page
from cmcseg.web.page_script import SCRIPT
from cmcseg.web.page_style import STYLE, VUETIFY
from cmcseg.web.views import Views
from cmcseg.web.widgets import labelled, text


def lay_out_page(
    page: Page, views: Views, cases: CasesActions, panels: list[Callable], bar: Callable
) -> VAppLayout:
    """Lay everything out.

    Args:
        page, views: as named.
        cases: tell whether a case is open.
        panels: each lays itself out, in the order of the steps.
        bar: lays out what stands below the views.
    """
    names = page.state.name
    with VAppLayout(
        page.server, theme=(f"{names.dark} ? 'dark' : 'light'",), vuetify_config=VUETIFY
    ) as layout:
        client.Style(STYLE)
        client.Script(SCRIPT)
        _head(page)
        with v.VNavigationDrawer(permanent=True, width=372, disable_resize_watcher=True):
            _notice(page)
            for lay_out in panels:
                lay_out()
        with v.VMain(), html.Div(style="position: relative; width: 100%; height: 100%"):
            with html.Div(classes="stage"):
                with html.Div(classes="views"):
                    views.place(layout)
                bar()
            html.Div("Choose a case", v_if=f"!{cases.state.name.opened}", classes="empty")
        _keys(page)
    return layout


def _head(page: Page) -> None:
    names = page.state.name
    with v.VAppBar(density="compact", flat=True, border="b"):
        v.VAppBarTitle("CMCSeg", classes="flex-0-0 mr-6")
        with v.VTabs(v_model=(names.step,), density="compact"):
            for step in STEPS:
                v.VTab(step.capitalize(), value=step, id=f"step-{step}")
        v.VSpacer()
        html.Span(RESEARCH_USE, classes="quiet mr-3")
        v.VBtn(
            icon=(f"{names.dark} ? 'mdi-weather-sunny' : 'mdi-weather-night'",),
            click=f"{names.dark} = !{names.dark}",
            title="Light or dark",
            raw_attrs=labelled("Light or dark"),
            id="theme",
        )
        v.VBtn(
            icon="mdi-keyboard-outline",
            click=f"{names.help} = !{names.help}",
            title="Keys (?)",
            raw_attrs=labelled("Keys"),
        )


def _notice(page: Page) -> None:
    names = page.state.name
    with v.VAlert(
        v_if=names.notice,
        type=(names.notice_kind,),
        density="compact",
        closable=True,
        click_close=f"{names.notice} = ''",
        classes="ma-3",
        id="notice",
    ):
        html.Span(text(names.notice))
        html.Div(f"Log: {text(names.notice_log)}", v_if=names.notice_log, classes="quiet mt-1")


def _keys(page: Page) -> None:
    with v.VDialog(v_model=(page.state.name.help,), max_width=380), v.VCard(title="Keys"):
        with v.VCardText(), html.Table():
            for key, words in KEYS:
                with html.Tr():
                    with html.Td(style="padding: 3px 16px 3px 0"):
                        html.Kbd(key)
                    html.Td(words)
