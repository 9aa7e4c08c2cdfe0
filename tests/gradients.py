"""`python gradients.py tune …` is `lastmile tune …` that keeps what each process's optimizer gets at every step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from safetensors.torch import save_file

from lastmile.commands import main
from lastmile.train.stage import Stage


def keeping(folder: Path) -> Callable:
    """`Stage.configure_gradient_clipping` that first writes STAGE-STEP-PROCESS.safetensors."""
    clip = Stage.configure_gradient_clipping

    def keep_and_clip(self: Stage, *arguments, **settings) -> None:
        found = {name: p.grad.clone() for name, p in self.policy.named_parameters() if p.requires_grad}
        folder.mkdir(exist_ok=True)
        save_file(found, folder / f"{self.name}-{self.trainer.global_step}-{self.global_rank}.safetensors")
        clip(self, *arguments, **settings)

    return keep_and_clip


if __name__ == "__main__":
    Stage.configure_gradient_clipping = keeping(Path("gradients"))
    main()
