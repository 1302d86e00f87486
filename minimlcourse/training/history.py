"""What a run has seen: its curves, its checkpoint, and the error that ends it badly."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from minimlcourse.nn.serialization import read_arrays, write_arrays


@dataclass
class History:
    """What a run has seen, one entry an epoch, and how it ended.

    Attributes
    ----------
    train_loss : list of float
        The mean over the samples of an epoch, each taken when its batch came up: with the weights
        of that moment, and with dropout at work.
    val_loss : list of float
        The loss on the validation data at the end of the epoch; empty if there are none.
    metrics : dict of lists of float
        The metrics on the validation data at the end of the epoch.
    lr : list of float
        The learning rate during the epoch.
    grad_norm : list of float
        The mean over the steps of the norm of the gradient, before clipping.
    seconds : list of float
        How long the epoch took, validation included. Left out when histories are compared.
    stopped : str
        Why the run ended; empty while it runs.

    Lesson 07.
    """

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    lr: list[float] = field(default_factory=list)
    grad_norm: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list, compare=False)
    stopped: str = ""
    # Groups of named arrays: "model" and "best" weights, "optimizer", "scheduler", "generators".
    _checkpoint: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)

    @property
    def epoch(self) -> list[int]:
        """1, 2, ..., one for each complete epoch."""
        return list(range(1, len(self.train_loss) + 1))

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights the model has in the end; 0 for those that it came with."""
        if self.val_loss:
            return 1 + self.val_loss.index(min(self.val_loss))
        return len(self.train_loss)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the history, with its checkpoint, to an `.npz` file: a run to be resumed later.

        Parameters
        ----------
        path : str or path
            The file. It is replaced at once or not at all.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        curves = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "_checkpoint"}
        arrays = {"history": np.array(json.dumps(curves))}
        for group, entries in self._checkpoint.items():
            arrays |= {f"{group}/{name}": np.asarray(value) for name, value in entries.items()}
        write_arrays(path, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        History

        Raises
        ------
        OSError
            If the file is missing or cannot be read.
        ValueError
            If it is damaged, or was not written by ``History.save``.
        """
        arrays = read_arrays(path)
        try:
            history = cls(**json.loads(str(arrays.pop("history"))))
            for name, array in arrays.items():
                group, entry = name.split("/", 1)
                history._checkpoint.setdefault(group, {})[entry] = array
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} was not written by History.save") from error
        return history

    def __repr__(self) -> str:
        stopped = self.stopped or "running"
        if not self.epoch:
            return f"History(no epochs, {stopped})"
        best = f"best epoch {self.best_epoch}"
        return f"History(epoch {self.epoch[-1]}, {self._latest()}, {best}, {stopped})"

    def _latest(self) -> str:
        curves = {"train_loss": self.train_loss, "val_loss": self.val_loss, **self.metrics}
        return ", ".join(f"{name} {curve[-1]:.4g}" for name, curve in curves.items() if curve)

    def _add(self, numbers: Mapping[str, float], metrics: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            getattr(self, name).append(value)
        for name, value in metrics.items():
            self.metrics.setdefault(name, []).append(value)

    def _keep(self, n: int) -> None:
        """Drop what was noted of an epoch that did not end."""
        curves = (self.train_loss, self.val_loss, self.lr, self.grad_norm, self.seconds)
        for curve in (*curves, *self.metrics.values()):
            del curve[n:]


class NonFiniteLossError(FloatingPointError):
    """The loss became infinite or NaN: the message says where, and what is the likely cause.

    Attributes
    ----------
    epoch, step : int
        Where, both counted from 1.
    history : History
        What the run had seen until the end of the epoch before.
    """

    def __init__(self, message: str, epoch: int, step: int, history: History) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step
        self.history = history
