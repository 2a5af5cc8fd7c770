"""The page: five steps on the left, the views on the right, keys, and a sheet that lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame.widgets import vuetify3 as v

from cmcseg.core.card import RESEARCH_USE

if TYPE_CHECKING:
    from cmcseg.web.app import App

STEPS = ("cases", "segment", "review", "learn", "models")
KEYS = (
    ("N / P", "next, previous doubt"),
    ("A", "accept"),
    ("1 … 9", "organ"),
    ("B / E", "brush, erase"),
    ("Esc", "lay the tool down"),
    ("Z / Shift-Z", "undo, redo"),
    ("Space", "hold to hide the organs"),
    ("?", "this list"),
)

CALM = {"density": "compact", "variant": "outlined"}
VUETIFY = {
    "theme": {
        "themes": {
            "light": {"colors": {"primary": "#1b5e8c", "error": "#a8330d", "success": "#1c6b45"}},
            "dark": {
                "dark": True,
                "colors": {"primary": "#7cc0ee", "error": "#ff9b74", "success": "#7fd6a8"},
            },
        }
    },
    "defaults": {
        "VSelect": {**CALM, "hideDetails": "auto"},
        "VTextField": CALM,
        "VSlider": {"density": "compact", "color": "primary"},
        "VRangeSlider": {"density": "compact", "color": "primary"},
        "VAlert": {"variant": "tonal", "density": "compact"},
        "VProgressLinear": {"color": "primary"},
    },
}

STYLE = """
html { overflow: hidden; }
.v-btn, .v-tab { text-transform: none !important; letter-spacing: 0 !important; }
.v-table th, .v-table td { padding: 0 6px !important; }
.v-table td:first-child { white-space: nowrap; }
.pane { padding: 14px 16px 24px; font-size: 14px; line-height: 1.4; }
.pane > p { margin-bottom: 8px; }
.line { display: flex; align-items: center; gap: 8px; }
.grow { flex: 1 1 auto; }
.quiet { opacity: .72; font-size: 13px; }
.number { text-align: right !important; font-variant-numeric: tabular-nums; }
.unit { min-width: 4em; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 8px; }
.organ { display: flex; align-items: center; padding: 3px 8px; border-radius: 6px;
  cursor: pointer; }
.organ.chosen { background: rgba(var(--v-theme-primary), .14); }
.organs { margin: 4px 0 8px; }
.tools { display: flex; margin: 4px -4px; }
.tools .v-btn { width: 34px; height: 34px; }
.tools .v-btn--active { background: rgba(var(--v-theme-primary), .2); }
.place { text-align: center; font-size: 13px; min-height: 2.6em; display: flex;
  align-items: center; justify-content: center; }
.doubtful { font-weight: 600; color: rgb(var(--v-theme-error)); }
.warning-line { margin-top: 6px; }
.research { margin-top: 14px; font-size: 12px; opacity: .7; }
.good { color: rgb(var(--v-theme-success)); margin-top: 6px; }
.thumb { width: 44px; height: 44px; border-radius: 4px; margin-right: 12px; background: #0003;
  display: block; object-fit: cover; }
.drop { display: flex; align-items: center; justify-content: center; border: 1.5px dashed #8888;
  border-radius: 8px; padding: 18px 10px; margin-top: 14px; cursor: pointer; font-size: 13px; }
.drop:hover, .drop.over { background: rgba(var(--v-theme-primary), .1); }
.drop input { position: absolute; width: 1px; height: 1px; opacity: 0; }
.drop:focus-within { outline: 2px solid rgb(var(--v-theme-primary)); }
.corner { position: absolute; top: 8px; right: 12px; color: #eee; font-size: 13px;
  text-shadow: 0 0 3px #000; pointer-events: none; }
.choices { display: flex; flex-wrap: wrap; justify-content: space-between; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; padding: 2px 12px;
  min-height: 44px; }
.bar .v-btn-toggle { flex: none; }
.shown { display: flex; flex: 1 1 420px; align-items: center; justify-content: flex-end; gap: 6px; }
.short { max-width: 130px; min-width: 70px; }
.stage { position: absolute; inset: 0; display: flex; flex-direction: column; }
.stage .views { flex: 1 1 auto; display: flex; min-height: 0; background: #000; }
.empty { position: absolute; inset: 0; display: flex; align-items: center; justify-content: center;
  color: #bbb; pointer-events: none; background: #111; }
kbd { font: 12px ui-monospace, monospace; border: 1px solid #8888; border-radius: 4px;
  padding: 1px 6px; }
"""

# Vue's templates reach neither the network nor the keyboard of the whole page.
SCRIPT = """
(() => {
  if (window.cmcsegListens) return;  // a new layout runs this again
  window.cmcsegListens = true;
  const typing = (e) => /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) &&
    !/^(range|checkbox|button)$/.test(e.target.type);
  const tell = (name, value) => window.trame && window.trame.trigger(name, [value]);
  document.addEventListener('keydown', (e) => {
    if (typing(e) || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === ' ') { e.preventDefault(); if (!e.repeat) tell('hold', true); return; }
    if (/^([1-9npabez?]|Escape)$/i.test(e.key) && !e.repeat) tell('key', e.shiftKey &&
      e.key.toLowerCase() === 'z' ? 'Z' : e.key.length === 1 ? e.key.toLowerCase() : e.key);
  });
  document.addEventListener('keyup', (e) => { if (e.key === ' ') tell('hold', false); });
  const send = async (files, to) => {
    if (!files.length) return;
    const form = new FormData();
    for (const file of files) form.append('file', file, file.name);
    window.trame && window.trame.state.set('uploading', true);
    try { await fetch(to, { method: 'POST', body: form }); }
    catch (error) { tell('lost', String(error)); }
    window.trame && window.trame.state.set('uploading', false);
  };
  document.addEventListener('change', (e) => {
    if (e.target.type === 'file' && e.target.dataset.to) {
      send([...e.target.files], e.target.dataset.to); e.target.value = '';
    }
  });
  const within = (entry) => new Promise((done) => {
    if (entry.isFile) return entry.file((f) => done([f]), () => done([]));
    const reader = entry.createReader(); const all = [];
    const more = () => reader.readEntries(async (found) => {
      if (!found.length) return done((await Promise.all(all.map(within))).flat());
      all.push(...found); more();
    }, () => done([]));
    more();
  });
  document.addEventListener('dragover', (e) => e.preventDefault());
  document.addEventListener('drop', async (e) => {
    e.preventDefault();
    const entries = [...e.dataTransfer.items].map((i) => i.webkitGetAsEntry()).filter(Boolean);
    send((await Promise.all(entries.map(within))).flat(), '/upload');
  });
})();
"""


def build_page(app: App) -> None:
    """Lay everything out; panels bring their own parts."""
    _bind_keys(app)
    with VAppLayout(app.server, theme=("dark ? 'dark' : 'light'",), vuetify_config=VUETIFY) as page:
        client.Style(STYLE)
        client.Script(SCRIPT)
        with v.VAppBar(density="compact", flat=True, border="b"):
            v.VAppBarTitle("CMCSeg", classes="flex-0-0 mr-6")
            with v.VTabs(v_model=("step",), density="compact"):
                for step in STEPS:
                    v.VTab(step.capitalize(), value=step, id=f"step-{step}")
            v.VSpacer()
            html.Span(RESEARCH_USE, classes="quiet mr-3")
            v.VBtn(
                icon=("dark ? 'mdi-weather-sunny' : 'mdi-weather-night'",),
                click="dark = !dark",
                title="Light or dark",
                aria_label="Light or dark",
                id="theme",
            )
            v.VBtn(
                icon="mdi-keyboard-outline",
                click="help = !help",
                title="Keys (?)",
                aria_label="Keys",
            )
        with v.VNavigationDrawer(permanent=True, width=372, disable_resize_watcher=True):
            with v.VAlert(
                v_if="notice",
                type=("notice_kind",),
                density="compact",
                closable=True,
                click_close="notice = ''",
                classes="ma-3",
                id="notice",
            ):
                html.Span("{{ notice }}")
                html.Div("Log: {{ notice_log }}", v_if="notice_log", classes="quiet mt-1")
            for panel in app.panels:
                panel.build()
        with v.VMain(), html.Div(style="position: relative; width: 100%; height: 100%"):
            with html.Div(classes="stage"):
                with html.Div(classes="views"):
                    app.views.place(page)
                app.reviewing.build_bar()
            html.Div("Choose a case", v_if="!opened", classes="empty")
        with v.VDialog(v_model=("help",), max_width=380), v.VCard(title="Keys"):
            with v.VCardText(), html.Table():
                for key, words in KEYS:
                    with html.Tr():
                        with html.Td(style="padding: 3px 16px 3px 0"):
                            html.Kbd(key)
                        html.Td(words)
    app.page = page


def _bind_keys(app: App) -> None:
    reviewing, review = app.reviewing, app.review

    def organ(number: int) -> None:
        result = review.result
        if result and number <= len(result.card.table.labels):
            reviewing.choose_organ(result.card.table.labels[number - 1].name)

    calls = {
        "n": review.next,
        "p": review.previous,
        "a": reviewing.accept,
        "b": lambda: reviewing.use("brush"),
        "e": lambda: reviewing.use("erase"),
        "Escape": lambda: reviewing.use(""),
        "z": reviewing.undo,
        "Z": reviewing.redo,
        **{str(n): (lambda n=n: organ(n)) for n in range(1, 10)},
    }

    def key(name: str) -> None:
        if name == "?":
            app.state.help = not app.state.help
        elif name in calls and review.result is not None:
            calls[name]()

    def lost(words: str) -> None:
        app.tell(f"The upload failed: {words}.")

    app.server.trigger("key")(app.trying(key, str))
    app.server.trigger("hold")(app.trying(app.views.hide, bool))
    app.server.trigger("lost")(app.trying(lost, str))
