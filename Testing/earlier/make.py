"""Write what commit 227d125 left on a disk; run there once, with that version's own code.

PYTHONPATH=CMCSegmentation:Testing python make.py OUT
"""

import json
import sys
from pathlib import Path

import numpy as np
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.versions import adopt
from cmcseg.core.prediction import Prediction
from cmcseg.core.volume import Volume
from cmcseg.mrml.scene import MrmlScene
from cmcseg.queue.key import pair_for
from cmcseg.queue.ledger import Ledger
from cmcseg.session.ports import Finding
from cmcseg.web.drafts import Drafts
from cmcseg.web.folder import Folder
from fine_tuned import NAME, a_run
from mrml_scene import Host, add_volume, ball_scan, balls, box, centres, last, organs
from queued import a_draft
from tiny import tiny_card, tiny_state

OUT = Path(sys.argv[1]).resolve()
MADE = {"model": NAME, "version": "0.1.0", "sha256": "ab", "alignment": None}


def models():
    store = Store(shipped=OUT / "none", user=OUT / "models")
    save_bundle(tiny_state(tiny_card()), tiny_card(), store.user / NAME)
    adopt(store, NAME, a_run(store, OUT / "first", 1))
    run = a_run(store, OUT / "run", 2)
    (run / "plan.json").write_text(json.dumps({"minutes": 10.0, "seed": 3}))


def queue():
    ledger = Ledger(OUT / "queue")
    pair = pair_for("Nobody 12", OUT / "queue-key", lambda: "p0123456789ab")
    ledger.add(a_draft(0, pair=pair, model=NAME, version="0.1.0", who="JW", notes="the rim"))
    ledger.add(a_draft(1, pair=pair))


def finding(grid):
    found = balls(centres(grid))
    drawn = found.copy()
    drawn[:, :, 0] = 0
    doubt = Volume(array=np.full(grid.shape, 0.25, np.float32), grid=grid)
    return Finding(labels=organs(found, grid), doubt=doubt, disagreement=None, made=MADE)


def scene():
    host = Host()
    grid = box((12, 11, 10), (12.0, 12.0, 14.0))
    node = add_volume(host.scene, ball_scan(grid), grid.affine, "CT venous", modality="CT")
    shown = MrmlScene(host.scene)
    last(shown.writing(node.GetID(), finding(shown.grid(node.GetID()))))
    drawn = balls(centres(grid)) == 1
    drawn[:, :, 5] = False
    last(shown.writing_organs(node.GetID(), {"liver": drawn}))
    assert host.scene.WriteToMRB(str(OUT / "scene.mrb"))
    shown.close()
    host.close()


def draft():
    grid = box((12, 11, 10), (12.0, 12.0, 14.0))
    kept = finding(grid)
    prediction = Prediction(
        labels={"ct": kept.labels},
        doubt={"ct": kept.doubt},
        model=NAME,
        version="0.1.0",
        sha256="ab",
    )
    drafts = Drafts(Folder(OUT / "browser"))
    drafts.keep_found("case 1", prediction)
    drafts.keep_drawn("case 1", {"ct": kept.labels})


OUT.mkdir(parents=True)
models()
queue()
scene()
draft()
