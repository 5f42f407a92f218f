"""`aiws-bundle completion`."""

from __future__ import annotations

import click

from bundler.cli import Options
from bundler.cli.completing import SHELLS, script
from bundler.cli.output import print_document
from bundler.terminal import say_document


@click.command("completion")
@click.argument("shell", metavar="|".join(SHELLS), type=click.Choice(SHELLS))
@click.pass_obj
def command(options: Options, shell: str) -> int:
    """Print what lets a shell complete this program's words: commands, options, targets, components, tags.

    \b
    bash: eval "$(aiws-bundle completion bash)"      in ~/.bashrc
    zsh:  eval "$(aiws-bundle completion zsh)"       in ~/.zshrc, after compinit
    fish: aiws-bundle completion fish | source       in ~/.config/fish/config.fish

    It completes what the manifests, locks and git tags at hand name, and asks no network.
    """
    if options.json:
        print_document({"shell": shell, "script": script(shell)})
    else:
        say_document(script(shell))
    return 0
