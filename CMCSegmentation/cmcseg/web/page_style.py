"""Colours, defaults of the widgets, and the style sheet of the page."""

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
#notice { position: sticky; top: 12px; z-index: 4; background: rgb(var(--v-theme-surface)); }
.line { display: flex; align-items: center; gap: 8px; }
.line + p.quiet { margin-top: 6px; }
.grow { flex: 1 1 auto; }
.quiet { opacity: .72; font-size: 13px; }
.v-card--variant-outlined { border-color: #8888; }
.v-messages { opacity: .8 !important; }
.number { text-align: right !important; font-variant-numeric: tabular-nums; }
.unit { min-width: 4em; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 8px; }
.organ, .row { display: flex; width: 100%; text-align: left; gap: 4px;
  font-size: 13px; align-items: center; padding: 3px 8px; border-radius: 6px; cursor: pointer; }
.row.chosen { background: rgba(var(--v-theme-primary), .14); }
.list { margin: 2px 0 6px; font-size: 13px; max-height: 190px; overflow: auto; }
summary:focus-visible { outline: 2px solid rgb(var(--v-theme-primary)); }
.more { margin: 0 0 14px; font-size: 13px; }
.list summary, .more summary { cursor: pointer; text-align: center; }
.organ:focus-visible, .row:focus-visible { outline: 2px solid rgb(var(--v-theme-primary)); }
.chooser { display: flex; align-items: center; gap: 8px; margin: 6px 0; }
.chooser span { flex: 1 1 auto; }
.chooser select { font: inherit; color: inherit; padding: 4px 6px; border: 1px solid #8888;
  border-radius: 4px; background: rgb(var(--v-theme-surface)); max-width: 60%; }
.pane .v-checkbox .v-label { font-size: 14px; }
.organ.chosen { background: rgba(var(--v-theme-primary), .14); }
.legend { position: absolute; z-index: 2; right: 12px; top: 34px; padding: 2px 8px;
  border-radius: 4px; background: #000a; color: #eee; display: flex; align-items: center;
  gap: 6px; font-size: 12px; white-space: nowrap; }
.legend i { width: 72px; height: 8px; border-radius: 2px; display: inline-block; }
.organs { margin: 4px 0 8px; }
.tools { display: flex; margin: 4px -4px; }
.tools .v-btn { width: 30px; height: 34px; }
.tools .v-btn--active { background: rgba(var(--v-theme-primary), .2); }
.place { text-align: center; font-size: 13px; min-height: 2.6em; display: flex;
  align-items: center; justify-content: center; }
.doubtful { font-weight: 600; color: rgb(var(--v-theme-error)); }
.warning-line { margin-top: 6px; }
.research { margin-top: 14px; font-size: 12px; opacity: .7; }
#accept:not(:disabled) { position: sticky; bottom: 0; z-index: 3; }
.v-navigation-drawer__content { scroll-padding-bottom: 48px; }
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
.marks { position: absolute; inset: 0; pointer-events: none; color: #e8e8e8; overflow: hidden;
  text-shadow: 0 0 3px #000, 0 0 2px #000; font-size: 13px; }
.marks > * { position: absolute; }
.letter { font-weight: 600; }
.letter.left { left: 10px; top: 50%; }
.through { position: absolute; bottom: 0; left: 0; width: 100%; }
.letter.right { right: 10px; top: 50%; }
.letter.top { top: 6px; left: 50%; }
.letter.bottom { bottom: 60px; left: 50%; }
.scale { right: 12px; bottom: 62px; height: 6px; border: solid #e8e8e8; border-width: 0 1px 1px;
  text-align: center; }
.scale span { position: relative; top: -15px; white-space: nowrap; }
.told { left: 10px; bottom: 38px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ring { border: 2px solid #ffe04a; border-radius: 50%; transform: translate(-50%, -50%);
  box-shadow: 0 0 0 1px #000a; }
.ruler { inset: 0; }
.length { transform: translate(6px, -50%); background: #000a; color: #ffe04a; padding: 0 4px;
  border-radius: 3px; font-variant-numeric: tabular-nums; }
.few { white-space: nowrap; text-align: right; }
.fault { margin: 4px 0; font-size: 13px; }
.cross { width: 23px; height: 23px; transform: translate(-50%, -50%);
  background: linear-gradient(#7cf, #7cf) 50% 0 / 1px 100% no-repeat,
    linear-gradient(#7cf, #7cf) 0 50% / 100% 1px no-repeat; }
.choices { display: flex; flex-wrap: wrap; justify-content: space-between; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; padding: 2px 12px;
  min-height: 44px; }
.bar .v-btn-toggle { flex: none; }
.bar .v-btn { padding: 0 7px; min-width: 0; }
.bar .v-btn--icon { width: 34px; height: 34px; }
.shown { display: flex; flex: 1 1 360px; align-items: center; justify-content: flex-end; gap: 6px; }
.bar .short.v-input { max-width: 110px; min-width: 60px; margin: 0 10px 0 16px; }
.stage { position: absolute; inset: 0; display: flex; flex-direction: column; }
.stage .views { flex: 1 1 auto; display: flex; min-height: 0; background: #000; }
.empty { position: absolute; inset: 0; display: flex; align-items: center; justify-content: center;
  color: #bbb; pointer-events: none; background: #111; }
kbd { font: 12px ui-monospace, monospace; border: 1px solid #8888; border-radius: 4px;
  padding: 1px 6px; }
"""
