"""Classes of attacks, each of which can be tried as often as one likes.

An attack is a function of dice and an empty folder. It does one thing that nobody should do, and
returns whether that was held: refused in our own words, or taken without harm. What it raises
counts as not held.
"""

import asyncio
import copy
import io
import json
import math
import os
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgpack
import torch
from aiohttp import web
from aiohttp.test_utils import TestServer
from cmcseg.bundle import legacy
from cmcseg.bundle.store import task_card
from cmcseg.bundle.verdict import read_verdict, sealed
from cmcseg.bundle.verify import _parse_card, read_zip
from cmcseg.bundle.version_line import read_line
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message, read_message, write_message
from cmcseg.imaging.text_header import read_text_header
from cmcseg.queue.checksums import SUMS, sums_of
from cmcseg.queue.ledger import Ledger
from cmcseg.web.access import Guard, new_token
from cmcseg.web.calls import (
    NUMBERS,
    SWITCHES,
    BoundedMessages,
    guard_calls,
    is_call,
    mouse_event,
)
from cmcseg.web.folder import Folder, plain
from cmcseg.web.uploads import looks_like_scan, unfold
from cmcseg.worker.queue_verbs import queue_list
from queued import a_draft

Attack = Callable[[random.Random, Path], bool]
ODD_TEXTS = (
    *("", "\0", "..", "../..", "/etc/passwd", "C:\\x", "CON", "nul.nii", "a" * 5000, "ä\u202eb"),
    *("\ud800", "<img src=x onerror=alert(1)>", "{{7*7}}", "%00", "-rf", "\r\nSet-Cookie: a=b"),
    *("#2", "~", ".cmcseg", "queue"),
)
ODD_VALUES = (None, True, -1, 0, 10**18, 10**400, 0.5, math.nan, math.inf, -math.inf, [], {}, [[]],
              [None] * 3, {"a": {}}, *ODD_TEXTS)  # fmt: skip


def odd(dice: random.Random, depth: int = 2) -> object:
    """A value that nobody expects."""
    kind = dice.random()
    if depth and kind < 0.2:
        return [odd(dice, depth - 1) for _ in range(dice.randrange(4))]
    if depth and kind < 0.4:
        return {dice.choice(ODD_TEXTS): odd(dice, depth - 1) for _ in range(dice.randrange(4))}
    if kind < 0.45:
        return json.loads("[" * (deep := dice.choice((50, 300, 900))) + "]" * deep)
    return dice.choice(ODD_VALUES)


def mutated(dice: random.Random, value: object) -> object:
    """A deep copy of JSON with one to three places replaced, removed or added."""
    value = copy.deepcopy(value)
    for _ in range(dice.randint(1, 3)):
        place = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = dice.choice(keys)
            if isinstance(place[key], dict | list) and place[key] and dice.random() < 0.75:
                place = place[key]
                continue
            if dice.random() < 0.2:
                del place[key]
            else:
                place[key] = odd(dice)
            break
    return value


def scrambled(dice: random.Random, content: bytes) -> bytes:
    """Bytes with some changed, cut off, doubled or replaced by extreme numbers."""
    out = bytearray(content)
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(max(1, len(out)))
        what = dice.random()
        if what < 0.4 and out:
            out[at % len(out)] = dice.randrange(256)
        elif what < 0.6:
            extreme = dice.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
            out[at : at + 4] = extreme.to_bytes(4, dice.choice(("little", "big")))
        elif what < 0.8:
            del out[at : at + dice.randrange(1, 50)]
        else:
            out[at:at] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 50)))
    return bytes(out)


def held(call: Callable, *allowed: type[BaseException]) -> bool:
    """Whether a call ends in a result or in a sentence of ours."""
    try:
        call()
    except BadInput as error:
        return bool(str(error).strip()) and len(str(error)) < 6000
    except allowed:
        return True
    return True


# Records


def an_odd_entry(dice: random.Random, place: Path) -> bool:
    """An entry of a queue with right sums and odd content hides no other, and is set aside."""
    queue = Ledger(place / "queue")
    good, hurt = (queue.add(a_draft(n, pair=f"p{n}", who="me")) for n in range(2))
    folder = queue.folder / "entries" / hurt.id
    value = mutated(dice, json.loads((folder / "entry.json").read_text()))
    (folder / "entry.json").write_text(json.dumps(value))
    (folder / SUMS).write_text(sums_of(folder))
    listed = [entry.id for entry in queue.entries()]
    queue.verify()
    queue.twins()
    rows = queue_list(Message(verb="queue-list", values={"queue": str(queue.folder)}), None, None)
    json.dumps(rows.values, allow_nan=False).encode("utf-8")
    return good.id in listed and good.id in {entry.id for entry in queue.entries()}


def an_odd_card(dice: random.Random, place: Path) -> bool:  # noqa: ARG001
    """A model's card with odd values is refused, or is one that can be used."""
    text = json.dumps(mutated(dice, task_card("abdomen").to_dict())).encode()
    if dice.random() < 0.2:
        text = scrambled(dice, text)
    try:
        card = _parse_card(text, "M")
    except BadInput:
        return True
    spacing = card.grid.spacing
    again = ModelCard.from_dict(json.loads(json.dumps(card.to_dict(), allow_nan=False)))
    return again == card and all(0.1 < step < 100 for step in spacing)


def an_odd_verdict(dice: random.Random, place: Path) -> bool:
    """A verdict that was edited is not believed."""
    made = {"verdict": "keep", "reason": "x", "margin": 0.03, "real_cases": 0, "cases": {},
            "compared_on": [], "mean_change": None, "error_gone": 0.0, "error_gone_at_worst": -1.0,
            "organs": {}, "fresh": {}, "learned_from": [], "taught": []}  # fmt: skip
    content = mutated(dice, made)
    with_seal = content if dice.random() < 0.5 else sealed(_plain(content))
    (place / "verdict.json").write_text(json.dumps(with_seal))
    try:
        return read_verdict(place)["verdict"] != "adopt"
    except BadInput:
        return True


def _plain(content: dict) -> dict:
    return {str(key): value for key, value in content.items()}


def an_odd_line(dice: random.Random, place: Path) -> bool:
    """The list of a model's versions leads to no other folder."""
    line = {"versions": ["base", "0123456789abcdef"], "in_use": 1, "given": ["0.1.1"]}
    (place / "line.json").write_text(json.dumps(mutated(dice, line)))
    try:
        name = read_line(place).name
    except BadInput:
        return True
    return name == "base" or (len(name) == 16 and set(name) <= set("0123456789abcdef"))


# Files


def a_scan_that_is_none(dice: random.Random, place: Path) -> bool:
    """What the server looks at of a file: its name, and its first bytes."""
    heads = (
        struct.pack("<i", 348) + bytes(344),
        b"NRRD0005\ntype: short\ndimension: 3\nsizes: 4 4 4\nencoding: gzip\ndata file: x\n\n",
        b"ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementDataFile = LOCAL\n",
        b"\0" * 128 + b"DICM\x02\x00\x00\x00UL\x04\x00",
        b"\x1f\x8b\x08\x00" + bytes(60),
    )
    name = f"{dice.choice('abc')}{dice.choice(('.nii', '.nii.gz', '.nrrd', '.mha', '.mhd', ''))}"
    path = place / name
    path.write_bytes(scrambled(dice, dice.choice(heads)))
    looks_like_scan(path)
    Folder(place).cases({"ct", "mr"})
    return True


def a_header_that_lies(dice: random.Random, place: Path) -> bool:
    """NRRD and MetaImage headers of any size, dimension and data file are read or refused."""
    size = dice.choice(("4 4 4", "1000000 1000000 1000000", "-1 4 4", "4", "0 0 0", "4 " * 10_000))
    data = dice.choice(("LOCAL", "LIST", "/etc/passwd", "../../secret", "x.raw", "x%d.raw 1 9 1"))
    axes = dice.choice(("3", "16", "1000000", "-3", "nan", ""))
    if dice.random() < 0.5:
        path = place / dice.choice(("a.mha", "a.mhd"))
        text = f"ObjectType = Image\nNDims = {axes}\nDimSize = {size}\nElementDataFile = {data}\n"
    else:
        path = place / dice.choice(("a.nrrd", "a.nhdr"))
        text = f"NRRD0004\ntype: short\ndimension: {axes}\nsizes: {size}\nencoding: raw\n"
        text += f"data file: {data}\n\n"
    content = text.encode() + bytes(128)
    path.write_bytes(scrambled(dice, content) if dice.random() < 0.5 else content)
    return held(lambda: read_text_header(path))


def an_archive_that_bites(dice: random.Random, place: Path) -> bool:
    """A zip of strange names, links, sizes and bytes leaves nothing outside its folder."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        warnings.simplefilter("ignore")  # of two members of one name
        for _ in range(dice.randint(1, 5)):
            info = zipfile.ZipInfo(_zip_name(dice))
            info.external_attr = dice.choice((0, 0o120777, 0o020666, 0o755)) << 16
            packed.writestr(info, bytes(dice.choice((0, 10, 100_000))))
    archive, into = place / "a.zip", place / "into"
    archive.write_bytes(out.getvalue() if dice.random() < 0.5 else scrambled(dice, out.getvalue()))
    into.mkdir()
    good = held(lambda: read_zip(archive))
    if zipfile.is_zipfile(archive):
        good = held(lambda: unfold(archive, into), OSError) and good
    inside = all(path.is_file() and not path.is_symlink() for path in into.rglob("*"))
    return good and inside and sorted(p.name for p in place.iterdir()) == ["a.zip", "into"]


def _zip_name(dice: random.Random) -> str:
    name = "/".join(dice.choice((*ODD_TEXTS[1:], "ct.nii")) for _ in range(dice.randint(1, 3)))
    return name.encode("utf-8", "replace").decode() or "x"


def a_pickle(dice: random.Random, place: Path) -> bool:
    """A checkpoint with a program in it is not run by the reader of foreign checkpoints."""
    mark = place / "it ran"
    calls = (
        (os.mkdir, (str(mark),)),
        (os.system, (f"touch '{mark}'",)),
        (exec, (f"open({str(mark)!r}, 'w')",)),
        (getattr, ("", "join")),
        (torch.load, (str(mark),)),
    )

    class Program:
        def __reduce__(self) -> tuple:
            return dice.choice(calls)

    source = place / "x.pth"
    old = dice.random() < 0.5
    torch.save({"model": {"a": torch.zeros(2)}, "b": Program()}, source,
               _use_new_zipfile_serialization=not old)  # fmt: skip
    if dice.random() < 0.5:
        source.write_bytes(scrambled(dice, source.read_bytes()))
    good = held(lambda: legacy.main(source, place / "out"), SystemExit)
    return good and not mark.exists()


def a_message_of_the_worker(dice: random.Random, place: Path) -> bool:
    """Arrays on their way between window and worker are plain arrays or nothing."""
    draft = a_draft(0)
    path = place / "m.npz"
    write_message(Message(verb="x", volumes=draft.scans, label_maps=draft.corrected), path)
    path.write_bytes(scrambled(dice, path.read_bytes()))
    return held(lambda: read_message(path), ValueError)


# The page


def a_name(dice: random.Random, place: Path) -> bool:
    """Whatever a file or a case is called, it stays in its folder, and is no device."""
    folder = Folder(place / "home")
    (place / "home" / "out").symlink_to(place)
    name = "/".join(dice.choice(ODD_TEXTS) for _ in range(dice.randint(1, 4)))
    names = [name, *name.split("/"), "out", f"out/{name}"]
    for word in names:
        for call in (lambda w=word: folder.inside(w), lambda w=word: folder.own(w)):
            try:
                path = call()
            except (BadInput, ValueError):
                continue
            if not path.is_relative_to(folder.root):
                return False
        try:
            kept = plain(word)
        except BadInput:
            continue
        if "/" in kept or kept.startswith(".") or kept.upper().split(".")[0] in ("CON", "NUL"):
            return False
    return True


def a_websocket_message(dice: random.Random, place: Path) -> bool:  # noqa: ARG001
    """Bytes that are no call reach nothing behind the socket, and claim no memory."""
    messages = BoundedMessages()
    for _ in range(dice.randint(1, 20)):
        head = b"".join(
            dice.choice((0, 1, 5, 1 << 20, 0xFFFFFFFF)).to_bytes(4, "little") for _ in range(3)
        )
        body = scrambled(dice, msgpack.packb({"id": "rpc:1", "method": "x", "args": [[]]}))
        told = messages.process_chunk(head[: dice.choice((0, 5, 12))] + body)
        if told is not None and not is_call(told):
            return False
    claimed = sum(m["total_size"] for m in messages.pending_messages.values())
    return claimed <= 4 << 20


def a_call(dice: random.Random, place: Path) -> bool:  # noqa: ARG001
    """Calls that the page never makes reach neither the server's life nor its templates."""
    heard = []

    def hear(_: object, *values: object) -> None:
        heard.append(values)

    class Handler:
        functionMap = dict.fromkeys(
            ("application.exit", "application.exit.later", "trame.lifecycle.update",
             "trame.state.update", "trame.trigger", "trame.rca.event", "trame.force.push"),
            (None, hear),
        )  # fmt: skip

    class Served:
        _ws_handlers = (Handler(),)

    guard_calls(Served, {"step"}.__contains__)
    kept = Served._ws_handlers[0].functionMap
    words = (*ODD_TEXTS, "server_ready", "trame__template_main", "step", "client_connected")
    for name, (_, call) in kept.items():
        values = [dice.choice((odd(dice), [{"key": dice.choice(words), "value": odd(dice)}],
                               dice.choice(words))) for _ in range(dice.randrange(4))]  # fmt: skip
        heard.clear()
        call(None, *values)
        told = repr(heard)
        spoken = "server_ready" in told or "trame__" in told
        if "exit" in name or (spoken and name != "trame.trigger"):  # its words are its own to check
            return False
    return True


def an_event(dice: random.Random, place: Path) -> bool:  # noqa: ARG001
    """No event of the page reaches VTK that is not the mouse's, in finite numbers."""
    keys = (
        "type",
        "x",
        "y",
        "w",
        "h",
        "spinY",
        "altKey",
        "position",
        "positions",
        "keyCode",
        "action",
    )
    event = {"type": dice.choice(("MouseMove", "LeftButtonPress", "KeyPress", "MouseWheel"))}
    event |= {key: odd(dice) for key in dice.sample(keys, dice.randrange(5))}
    told = mouse_event(event)
    if told is None:
        return True
    json.dumps(told, allow_nan=False)
    return set(told) <= {"type", "action", *NUMBERS, *SWITCHES}


SECRET = "what the patient is called"


def a_request(dice: random.Random, place: Path) -> bool:  # noqa: ARG001
    """No request without the token gets an answer with data, whatever its path and headers."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=SECRET)

    async def run() -> bool:
        guard = Guard(new_token(), near=True)
        app = web.Application(middlewares=[guard.middleware])
        app.add_routes([web.get("/", page), web.get("/ws", page), web.post("/upload", page)])
        async with TestServer(app) as server:
            for _ in range(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(_request(dice))
                writer.write_eof()
                answer = await asyncio.wait_for(reader.read(), 10)
                writer.close()
                status = answer.split(b" ", 2)[1:2] or [b"400"]
                if SECRET.encode() in answer or status[0].startswith((b"2", b"5")):
                    return False
        return True

    return asyncio.run(run())


def _request(dice: random.Random) -> bytes:
    method = dice.choice((b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"\xff", b"TRACE"))
    path = dice.choice((b"/", b"/ws", b"/upload", b"//x", b"/a%00", b"/%ff", b"*", b"http://y/",
                        b"/?token=x", b"/?token=%ff", b"/here", b"/\xff", b""))  # fmt: skip
    lines = [b"Connection: close"]
    for name in (b"Host", b"Origin", b"Cookie", b"Upgrade", b"Content-Length", b"Range"):
        if dice.random() < 0.6:
            value = dice.choice((b"127.0.0.1", b"evil.example", b"[", b"null", b"cmcseg=x", b"-1",
                                 b"\xff", b"websocket", b"a" * 9000, b"http://[", b""))  # fmt: skip
            lines.append(name + b": " + value)
    return method + b" " + path + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"


CLASSES: dict[str, Attack] = {
    "entries of a queue": an_odd_entry,
    "cards of models": an_odd_card,
    "verdicts": an_odd_verdict,
    "lists of versions": an_odd_line,
    "files on the page, by name and first bytes": a_scan_that_is_none,
    "headers of NRRD and MetaImage": a_header_that_lies,
    "zip archives": an_archive_that_bites,
    "pickles": a_pickle,
    "messages between window and worker": a_message_of_the_worker,
    "names and paths": a_name,
    "messages on the websocket": a_websocket_message,
    "calls on the websocket": a_call,
    "events of the views": an_event,
    "requests without the token": a_request,
}
