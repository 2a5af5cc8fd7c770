"""The buttons that write report and archive, and the links to them."""

from __future__ import annotations

from trame.widgets import html

from cmcseg.web.output_actions import OutputActions
from cmcseg.web.widgets import small_button


def lay_out_output(output: OutputActions, where: str) -> None:
    """Lay them out, on one of several panels."""
    page, names = output.page, output.state.name
    with html.Div(classes="line mt-2"):
        for words, call, key in (
            ("Report", output.make_report, "report"),
            ("Export", output.make_archive, "archive"),
        ):
            small_button(
                words,
                page.trying(call),
                variant="outlined",
                disabled=(names.writing,),
                id=f"{where}-{key}",
            )
        html.A(
            "Open the report",
            v_if=names.report,
            href=(names.report,),
            target="_blank",
            rel="noopener",
            id=f"{where}-report-link",
        )
        html.A(
            "Save the zip",
            v_if=names.archive,
            href=(names.archive,),
            download=True,
            id=f"{where}-zip",
        )
