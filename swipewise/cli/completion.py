"""``swipewise completion``."""

from __future__ import annotations

import click

_EXAMPLES = """\b
Examples:
  eval "$(swipewise completion bash)"                         in ~/.bashrc
  eval "$(swipewise completion zsh)"                          in ~/.zshrc
  swipewise completion fish > ~/.config/fish/completions/swipewise.fish
"""


@click.command(epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what completes commands and options of swipewise in SHELL."""
    from click.shell_completion import get_completion_class

    from swipewise.cli import cli

    completion = get_completion_class(shell)
    assert completion is not None, "click knows these shells"
    click.echo(completion(cli, {}, "swipewise", "_SWIPEWISE_COMPLETE").source())
