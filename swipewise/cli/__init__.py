"""The command line. One file a command; each is imported only when it is called, so that help is instant."""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from typing import Any

import click

import swipewise
from swipewise.errors import SwipewiseError

# command -> (module, one-line help shown without importing it)
_COMMANDS = {
    "init": ("swipewise.cli.init", "Make a workspace with a commented configuration."),
    "simulate": ("swipewise.cli.simulate", "Write a simulated platform whose truth is known."),
    "videos": ("swipewise.cli.videos", "Add videos to the catalogue and look at it."),
    "events": ("swipewise.cli.events", "Import behaviour logs; write them to a file."),
    "viewers": ("swipewise.cli.viewers", "Import viewers' profiles; export or erase a viewer."),
    "datasets": ("swipewise.cli.datasets", "Turn a public data set into a workspace."),
    "train": ("swipewise.cli.train", "Fit the model to the workspace."),
    "evaluate": ("swipewise.cli.evaluate", "Measure the model against baselines; write the report."),
    "ablate": ("swipewise.cli.ablate", "Train again without each part of the model; what each is worth."),
    "audit": ("swipewise.cli.audit", "Look into a run: does the model use what it was built to use?"),
    "transfer": ("swipewise.cli.transfer", "Rank another platform with a model that has never seen it."),
    "models": ("swipewise.cli.models", "Choose which run is served, and go back to the one before."),
    "feed": ("swipewise.cli.feed", "Print a viewer's feed and why; write everybody's to a file."),
    "explored": ("swipewise.cli.explored", "Tell what drawing other videos would have achieved."),
    "behavior": ("swipewise.cli.behavior", "Look at what viewers do: funnel, retention, audiences, shifts."),
    "serve": ("swipewise.cli.serve", "Offer the feed, and take events and videos, over HTTP."),
    "keys": ("swipewise.cli.keys", "Make, list and revoke the keys that the server asks for."),
    "backup": ("swipewise.cli.backup", "Copy the workspace, or check a copy."),
    "restore": ("swipewise.cli.restore", "Make a workspace of a backup."),
    "doctor": ("swipewise.cli.doctor", "Check the installation and a workspace; what to mend."),
    "completion": ("swipewise.cli.completion", "Print what completes commands in a shell."),
    "demo": ("swipewise.cli.demo", "Run the whole main job on a simulated platform."),
}

# Old names of commands that have moved; they still work, and no help lists them.
_MOVED = {"shifts": "swipewise.cli.shifts"}


class _LazyGroup(click.Group):
    """A group that lists its commands from the table above and imports one only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS[cmd_name][0] if cmd_name in _COMMANDS else _MOVED.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in {*_COMMANDS, *_MOVED} and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f": did you mean {close[0]!r}?" if close else f": valid are {', '.join(_COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SwipewiseError as error:
            from swipewise.cli.options import with_workspace

            error.args = (with_workspace(str(error), ctx),)
            raise


# What a machine may refuse to any code that touches a file.
_WAYS_OUT = {
    errno.EACCES: "see that this user may read and write there",
    errno.EPERM: "see that this user may read and write there",
    errno.EROFS: "see that its file system may be written",
    errno.ENOSPC: "make room on its disk and try again",
    errno.EDQUOT: "make room in the quota of this user and try again",
    errno.EMFILE: "let a process have more files open, as by ulimit -n 4096",
    errno.EIO: "its disk is failing, or went away",
}
_INTERRUPTED = 130  # as a shell says of a process that Ctrl-C ended

_EXAMPLES = """\b
Examples:
  swipewise demo                       the whole job on a simulated platform
  swipewise init shop                  a workspace of your own
  swipewise videos add clips/ -w shop  its first videos
"""


@click.group(
    cls=_LazyGroup,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(swipewise.__version__, prog_name="swipewise")
def cli() -> None:
    """Turn raw short videos and behaviour logs into a personalised feed, and say why."""


def _joined(said: str) -> str:
    """One line of what libraries, whose words are passed on, may say in paragraphs."""
    return " ".join(line.strip() for line in said.splitlines())


def _in_one_line(error: click.ClickException) -> str:
    """What click says in four lines, the first of which repeats how the command is called."""
    said = _joined(error.format_message())
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = f" (see '{context.command_path} --help')" if context else ""
    return said[:1].lower() + said[1:].removesuffix(".") + where


def main() -> None:
    """Run the command line; a mistake is one line on stderr, and exit code 2 where it was typed, else 1."""
    try:
        # By its name the shells know whose completion they ask for.
        sys.exit(cli(prog_name="swipewise", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"error: {_in_one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("stopped: what was stored stays, and the same command can be given again", err=True)
        sys.exit(_INTERRUPTED)
    except SwipewiseError as error:
        click.echo(f"error: {_joined(str(error))}", err=True)
        sys.exit(1)
    except OSError as error:
        way_out = _WAYS_OUT.get(error.errno or 0)
        if way_out is None:
            raise
        click.echo(f"error: {error.filename or 'a file'}: {error.strerror}: {way_out}", err=True)
        sys.exit(1)
