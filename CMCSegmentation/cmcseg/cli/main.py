"""The command line: which verbs there are, and with which code each of them ends."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import FlagCreatePairsOff, subcommand

from cmcseg import __version__
from cmcseg.cli.batch import Batch
from cmcseg.cli.compare import Compare
from cmcseg.cli.console import fail
from cmcseg.cli.demo import Demo
from cmcseg.cli.doctor import Doctor
from cmcseg.cli.evaluate import Evaluate
from cmcseg.cli.finetune import FineTune
from cmcseg.cli.models import Models
from cmcseg.cli.prepare import Prepare
from cmcseg.cli.queue import Queue
from cmcseg.cli.sample import Sample
from cmcseg.cli.segment import Segment
from cmcseg.cli.study import Study
from cmcseg.cli.task import Task
from cmcseg.cli.train import Train, train_from
from cmcseg.cli.web import Web
from cmcseg.cli.work import Work
from cmcseg.core.card import RESEARCH_USE
from cmcseg.core.errors import BadInput, Cancelled, CMCSegError
from cmcseg.core.user_path import user_path

Command = (
    Annotated[Segment, subcommand("segment")]
    | Annotated[Batch, subcommand("batch")]
    | Annotated[Sample, subcommand("sample")]
    | Annotated[Task, subcommand("task")]
    | Annotated[Prepare, subcommand("prepare")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Compare, subcommand("compare")]
    | Annotated[Study, subcommand("study")]
    | Annotated[FineTune, subcommand("finetune")]
    | Annotated[Models, subcommand("models")]
    | Annotated[Queue, subcommand("queue")]
    | Annotated[Doctor, subcommand("doctor")]
    | Annotated[Demo, subcommand("demo")]
    | Annotated[Web, subcommand("web")]
    | Annotated[Work, subcommand("work")]
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        print(f"cmcseg {__version__}")
        return
    told = f"Segment misaligned pairs of scans. {RESEARCH_USE}."
    style = (FlagCreatePairsOff, tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes)
    command: Any
    try:
        if arguments[:1] == ["train"] and (given := _configuration(arguments)):
            written = Train(**train_from(given))
            command = tyro.cli(
                Train,
                prog="cmcseg train",
                args=arguments[1:],
                default=written,
                description=told,
                config=style,
            )
        else:
            command = tyro.cli(
                Command, prog="cmcseg", args=arguments, description=told, config=style
            )
        command.run()
        sys.stdout.flush()  # not only at the very end, where it could no longer be caught
    except BrokenPipeError:  # whoever reads us (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except BadInput as error:
        fail(str(error), 2)
    except (Cancelled, KeyboardInterrupt):
        fail("Cancelled; nothing was left half-written.", 1)
    except CMCSegError as error:
        fail(str(error), 1)


def _configuration(arguments: list[str]) -> Path | None:
    """The file after ``--config``; its values are the defaults of all that is left out."""
    for place, word in enumerate(arguments):
        if word == "--config" and place + 1 < len(arguments):
            return user_path(arguments[place + 1])
        if word.startswith("--config="):
            return user_path(word.partition("=")[2])
    return None
