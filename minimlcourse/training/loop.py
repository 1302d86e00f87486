"""The loop. Its heart is ``_Run.train_epoch``: forward, ``zero_grad``, ``backward``, ``step``."""

import contextlib
import copy
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import minimlcourse.functional as F
from minimlcourse.autodiff.tensor import Array, Tensor, no_grad
from minimlcourse.nn.module import Module
from minimlcourse.optim import Optimizer, clip_grad_norm_
from minimlcourse.optim.lr_scheduler import LRScheduler
from minimlcourse.training.history import History, NonFiniteLossError
from minimlcourse.training.stopping import EarlyStopping

Loss = Callable[[Tensor, Array], Tensor]
Metric = Callable[[Array, Array], float]


def predict(model: Module, X: ArrayLike, batch_size: int = 1024) -> Array:
    """The outputs of a model in prediction mode, computed in chunks and without a graph.

    The model's own mode, training or not, is as it was afterwards.

    Parameters
    ----------
    model : Module
        Maps (n, ...) to (n, ...).
    X : array of shape (n, ...)
        The inputs, n at least 1.
    batch_size : int
        How many rows go through the model at a time, to bound the memory.

    Returns
    -------
    array of shape (n, ...)

    Raises
    ------
    ValueError
        If X is empty.

    Examples
    --------
    >>> from minimlcourse import nn
    >>> model = nn.MLP([4, 3], rng=np.random.default_rng(0))
    >>> predict(model, np.zeros((5, 4))).shape
    (5, 3)
    """
    X = np.asarray(X)
    if X.ndim == 0 or len(X) == 0:
        raise ValueError(f"predict: X has shape {X.shape}, expected (n, ...) with n at least 1")
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            chunks = [model(X[i : i + batch_size]) for i in range(0, len(X), batch_size)]
    finally:
        for module, mode in modes:
            module.training = mode
    return np.concatenate([c._data if isinstance(c, Tensor) else c for c in chunks])


def fit(
    model: Module,
    X: ArrayLike,
    y: ArrayLike,
    *,
    epochs: int,
    batch_size: int,
    optimizer: Optimizer,
    rng: np.random.Generator,
    loss: Loss = F.cross_entropy,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    scheduler: LRScheduler | None = None,
    callbacks: Iterable[Callable[[History], Any]] = (),
    early_stopping: EarlyStopping | None = None,
    max_grad_norm: float | None = None,
    progress: bool = True,
    resume: History | None = None,
) -> History:
    r"""Train a model by mini-batches.

    An epoch visits all samples once, in an order drawn from ``rng``; the last batch is smaller if
    ``batch_size`` does not divide n. The model ends in ``eval()`` mode, with the weights of its
    best epoch (``history.best_epoch``): the one of the lowest validation loss or, without
    validation data, the last. Since validation data choose, they are no test data.

    Ctrl-C ends the run in good order: ``fit`` returns, and ``history.stopped`` is "interrupted".
    An epoch that did not end does not count: optimizer, scheduler and generators are set back to
    where it began.

    Parameters
    ----------
    model : Module
        Maps a batch of X to a Tensor of outputs, a row for each sample.
    X : array of shape (n, ...)
        The inputs, used as they are; pixels stored as ``uint8`` are refused, since nobody means
        to train on the scale 0 to 255.
    y : array of shape (n,) or (n, ...)
        The targets, as ``loss`` wants them.
    epochs : int
        How many epochs the history has in the end, those of ``resume`` included.
    batch_size : int
        Samples a step.
    optimizer : Optimizer
        Made with ``model.parameters()``.
    rng : numpy.random.Generator
        Draws the order of the samples. The same seeds give the same run, to the bit, on the same
        machine.
    loss : callable
        ``loss(outputs, y_batch)``, a Tensor with one element: the *mean* over the batch.
    validation : (X_val, y_val), optional
        Looked at after each epoch.
    metrics : dict of callables, optional
        ``metric(y_val, predictions)``, after each epoch. For integer classes, the predictions are
        classes too: the argmax of the outputs. Else they are the outputs.
    scheduler : learning-rate scheduler, optional
        Its ``step()`` is called after each epoch: it counts in epochs.
    callbacks : callables
        ``callback(history)``, after each epoch, with the model in ``eval()`` mode. Returning True
        ends the run.
    early_stopping : EarlyStopping, optional
        When to end the run before its last epoch.
    max_grad_norm : float, optional
        Clip the gradient to this norm; see :func:`minimlcourse.optim.clip_grad_norm_`.
    progress : bool
        Show a progress bar, if tqdm is installed.
    resume : History, optional
        Go on from the checkpoint of this history, which is left as it is. The weights, the state of
        optimizer and scheduler, ``rng`` and the generators of the model are set to what they were;
        give the same data and settings, and the run is the one that was not interrupted, to the
        bit.

    Returns
    -------
    History

    Raises
    ------
    NonFiniteLossError
        If a loss or a gradient is infinite or NaN, with the step and the likely cause. The model
        has the weights of its best epoch.
    ValueError, TypeError
        If arguments do not fit together; or if ``alpha`` of ``early_stopping`` meets a validation
        loss that it cannot judge.

    Examples
    --------
    >>> from minimlcourse import nn, optim
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
    >>> model = nn.MLP([2, 16, 2], rng=rng)
    >>> adam = optim.Adam(model.parameters(), lr=0.02)
    >>> history = fit(
    ...     model, X, y, epochs=30, batch_size=20, optimizer=adam, rng=rng, progress=False
    ... )
    >>> history.stopped, history.train_loss[-1] < 0.25
    ('completed', True)

    Lesson 07.
    """
    X, y = _samples("", X, y)
    held_out = None if validation is None else _samples("validation ", *validation)
    metrics, callbacks = dict(metrics or {}), list(callbacks)
    _check(model, X, held_out, epochs, batch_size, optimizer, rng, metrics, early_stopping)
    history = History() if resume is None else copy.deepcopy(resume)
    history.stopped = ""
    complete = len(history.epoch)
    if complete:
        validated, scheduled = held_out is not None, scheduler is not None
        _check_resumption(history, epochs, metrics, validated, scheduled)

    run = _Run(model, optimizer, scheduler, rng, loss, history)
    bar = _ProgressBar(progress, complete, epochs, math.ceil(len(X) / batch_size))
    try:
        while not history.stopped:
            start, lr = time.perf_counter(), optimizer.lr
            order = rng.permutation(len(X))
            batches = np.split(order, range(batch_size, len(X), batch_size))
            numbers = run.train_epoch(X, y, batches, max_grad_norm, bar)
            model.eval()
            scores: dict[str, float] = {}
            if held_out is not None:
                numbers["val_loss"], scores = run.validate(*held_out, metrics, len(batches))
            if scheduler is not None:
                scheduler.step()
            history._add(numbers | {"lr": lr, "seconds": time.perf_counter() - start}, scores)
            # From here on the epoch counts. An interruption finds all of it or nothing.
            history._checkpoint, complete = run.checkpoint(), complete + 1

            bar.say(f"epoch {complete}, {history._latest()}")
            answers = [callback(history) for callback in callbacks]
            if callbacks:
                history._checkpoint = run.checkpoint()  # one may have changed the learning rate
            if any(isinstance(answer, bool | np.bool_) and answer for answer in answers):
                history.stopped = "stopped by a callback"
            elif early_stopping is not None:
                history.stopped = early_stopping.reason(history.val_loss)
            if complete == epochs and not history.stopped:
                history.stopped = "completed"
    except KeyboardInterrupt:
        history.stopped = "interrupted"
    finally:
        bar.close()
        history._keep(complete)
        run.restore()
        model.load_state_dict(history._checkpoint["best"])
        model.eval()
    return history


class _Run:
    """What ``fit`` works on: one epoch of it, and its state between two epochs."""

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        scheduler: LRScheduler | None,
        rng: np.random.Generator,
        loss: Loss,
        history: History,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.loss = loss
        self.history = history
        # Those of the model draw the masks of dropout.
        self.generators = [rng] + [
            value
            for module in model.modules()
            for value in vars(module).values()
            if isinstance(value, np.random.Generator)
        ]
        if history._checkpoint:
            self.restore()
        else:
            history._checkpoint = self.checkpoint()
        # What to judge by, should a loss not be finite; the trail holds losses and gradient norms.
        self.first_weights = history._checkpoint["model"]
        self.first_largest_weight = self._largest_weight()
        self.trail: deque[tuple[float, float]] = deque(maxlen=20)

    @np.errstate(all="ignore")  # every loss is looked at, and NumPy's warnings would say less
    def train_epoch(
        self,
        X: Array,
        y: Array,
        batches: Sequence[Array],
        max_grad_norm: float | None,
        bar: "_ProgressBar",
    ) -> dict[str, float]:
        """Take one step a batch; returns the mean loss and gradient norm, by name."""
        max_norm = math.inf if max_grad_norm is None else max_grad_norm
        total_loss = total_norm = 0.0
        self.model.train()
        for step, rows in enumerate(batches, 1):
            outputs = self.model(X[rows])
            objective = self.loss(outputs, y[rows])
            if not isinstance(objective, Tensor) or objective.size != 1:
                shape = getattr(objective, "shape", ())
                raise TypeError(
                    f"fit: loss gave a {type(objective).__name__} of shape {shape}, "
                    "expected a Tensor with one element"
                )
            loss = objective.item()
            if not math.isfinite(loss):
                raise self.not_finite("loss", loss, step, X, y, outputs, rows)
            self.optimizer.zero_grad()
            objective.backward()
            norm = clip_grad_norm_(self.optimizer.params, max_norm)
            if not math.isfinite(norm):
                raise self.not_finite("norm of the gradient", norm, step, X, y, outputs, rows)
            self.optimizer.step()
            self.trail.append((loss, norm))
            total_loss += loss * len(rows)
            total_norm += norm
            bar.step()
        return {"train_loss": total_loss / len(X), "grad_norm": total_norm / len(batches)}

    @np.errstate(all="ignore")
    def validate(
        self, X: Array, y: Array, metrics: Mapping[str, Metric], step: int
    ) -> tuple[float, dict[str, float]]:
        """The loss and the metrics on held-out data, after the given step of the epoch."""
        outputs = Tensor(predict(self.model, X), requires_grad=False)
        loss = self.loss(outputs, y).item()
        if not math.isfinite(loss):
            rows = np.arange(len(X))
            raise self.not_finite("validation loss", loss, step, X, y, outputs, rows)
        predictions = outputs.numpy()
        if y.dtype.kind in "iu" and predictions.ndim == y.ndim + 1:
            predictions = predictions.argmax(axis=-1)
        return loss, {name: float(metric(y, predictions)) for name, metric in metrics.items()}

    # -- the state between two epochs ------------------------------------------------------------

    def checkpoint(self) -> dict[str, dict[str, Any]]:
        """All that the next epoch depends on, and the best weights: copies, as named arrays."""
        weights = self.model.state_dict()
        is_best = self.history.best_epoch == len(self.history.epoch)
        states = [
            json.dumps(generator.bit_generator.state, default=np.ndarray.tolist)
            for generator in self.generators
        ]
        return {
            "model": weights,
            "best": weights if is_best else self.history._checkpoint["best"],
            "optimizer": self.optimizer.state_dict(),
            "scheduler": {} if self.scheduler is None else self.scheduler.state_dict(),
            "generators": {str(i): state for i, state in enumerate(states)},
        }

    def restore(self) -> None:
        """Set everything to what it was at the checkpoint of the history."""
        saved = self.history._checkpoint
        self.model.load_state_dict(saved["model"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(saved.get("scheduler", {}))
        # After the scheduler, which sets the learning rate to what it finds right.
        self.optimizer.load_state_dict(saved["optimizer"])
        for i, generator in enumerate(self.generators):
            generator.bit_generator.state = json.loads(str(saved["generators"][str(i)]))

    # -- when a loss is not finite ---------------------------------------------------------------

    def not_finite(
        self, what: str, value: float, step: int, X: Array, y: Array, outputs: Tensor, rows: Array
    ) -> NonFiniteLossError:
        """The error to raise: where it happened, and why, as far as can be seen."""
        epoch, best = len(self.history.epoch) + 1, self.history.best_epoch
        self.history.stopped = f"the {what} is {value}"
        return NonFiniteLossError(
            f"fit: the {what} is {value} at epoch {epoch}, step {step}. Likely cause: "
            f"{self._likely_cause(what, X, y, outputs, rows)} The model has the weights "
            + (f"of epoch {best}." if best else "that it came with."),
            epoch,
            step,
            self.history,
        )

    def _likely_cause(self, what: str, X: Array, y: Array, outputs: Tensor, rows: Array) -> str:
        """Look at all that went into the loss, from the data on, for what went wrong first."""
        suffix = "_val" if what.startswith("validation") else ""
        for name, values in (("X" + suffix, X), ("y" + suffix, y)):
            broken = rows[~np.isfinite(values[rows].reshape(len(rows), -1)).all(axis=1)]
            if len(broken):
                others = f" (nor are {len(broken) - 1} other rows)" if len(broken) > 1 else ""
                return f"the data: {name}[{broken[0]}] is not finite{others}."

        size = float(np.abs(outputs._data).max())
        largest = self._largest_weight()
        gradient_only = what.startswith("norm")
        if gradient_only and size < 1e6 and largest < 1e6:  # else it may be an overflow
            return (
                "an infinite derivative: the loss is finite, its gradient is not. Square root, "
                "log and norm have one at 0."
            )
        if self.trail and (gradient_only or math.isfinite(self._first_loss(X[rows], y[rows]))):
            losses, norms = zip(*self.trail, strict=True)
            return (
                f"the learning rate, {self.optimizer.lr:g}, is too high: the largest weight went "
                f"from {self.first_largest_weight:.3g} to {largest:.3g} in this run; in the last "
                f"{len(norms)} steps the loss went from {losses[0]:.3g} to {losses[-1]:.3g} and "
                f"the norm of the gradient from {norms[0]:.3g} to {norms[-1]:.3g}. Lower it, or "
                "set max_grad_norm. (If these numbers look harmless, the model came upon the log "
                "of 0 or a division by 0.)"
            )
        if not math.isfinite(largest):
            return "the weights: some are not finite, and no step was taken yet."
        if math.isfinite(size) and not gradient_only:
            return (
                "the loss function: data and outputs are finite, the loss is not. It takes the log "
                f"of 0 or divides by 0, or overflows on outputs as large as {size:.3g}."
            )
        return (
            "the model: data and weights are finite. It takes the log of 0 or divides by 0, or "
            "overflows on numbers that are too large (largest |X| "
            f"{float(np.abs(X[rows]).max()):.3g}, |weight| {largest:.3g}, |output| {size:.3g})."
        )

    def _largest_weight(self) -> float:
        return max(float(np.abs(p._data).max()) for p in self.optimizer.params if p.size)

    def _first_loss(self, X: Array, y: Array) -> float:
        """The loss of a batch with the weights that the run began with."""
        self.model.load_state_dict(self.first_weights)
        with no_grad():
            return self.loss(self.model(X), y).item()


class _ProgressBar:
    """The bar of tqdm, or nothing if it is not wanted or not installed."""

    def __init__(self, show: bool, complete: int, epochs: int, steps: int) -> None:
        self._bar: Any = None
        if show:
            with contextlib.suppress(ImportError):
                # Here and not above: it brings the widgets of the notebook with it.
                from tqdm.auto import tqdm

                self._bar = tqdm(total=epochs * steps, initial=complete * steps, unit="step")

    def step(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(text)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _samples(which: str, X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    X, y = np.asarray(X), np.asarray(y)
    for name, values in (("X", X), ("y", y)):
        if values.dtype.kind not in "fiub":
            raise TypeError(f"fit: {which}{name} has dtype {values.dtype}, expected numbers")
        if values.ndim == 0 or len(values) == 0:
            raise ValueError(f"fit: {which}{name} has shape {values.shape}, expected samples")
    if len(X) != len(y):
        raise ValueError(f"fit: {which}X has {len(X)} samples, {which}y has {len(y)}")
    if X.dtype == np.uint8:
        raise TypeError(
            f"fit: {which}X has dtype uint8; scale the pixels first, for instance "
            "X.astype(np.float32) / 255"
        )
    return X, y


def _check(
    model: Module,
    X: Array,
    held_out: tuple[Array, Array] | None,
    epochs: int,
    batch_size: int,
    optimizer: Optimizer,
    rng: np.random.Generator,
    metrics: Mapping[str, Metric],
    early_stopping: EarlyStopping | None,
) -> None:
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"fit: {name} is {value!r}, expected a positive integer")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"fit: rng is {rng!r}, expected np.random.default_rng(seed)")
    if held_out is None:
        for name, wanted in (("early_stopping", early_stopping), ("metrics", metrics)):
            if wanted:
                raise ValueError(f"fit: {name} needs validation=(X_val, y_val), which is missing")
    elif held_out[0].shape[1:] != X.shape[1:]:
        raise ValueError(
            f"fit: samples of X have shape {X.shape[1:]}, "
            f"those of validation X {held_out[0].shape[1:]}"
        )
    if {id(p) for p in optimizer.params}.isdisjoint(id(p) for p in model.parameters()):
        raise ValueError(
            "fit: the optimizer holds no parameter of this model; was the model made anew after it?"
        )


def _check_resumption(
    history: History,
    epochs: int,
    metrics: Mapping[str, Metric],
    validated: bool,
    scheduled: bool,
) -> None:
    complete = len(history.epoch)
    if epochs <= complete:
        raise ValueError(
            f"fit: epochs is {epochs}, and resume has {complete} already; it counts those of both"
        )
    for name, before, now in (
        ("validation", bool(history.val_loss), validated),
        ("metrics", sorted(history.metrics), sorted(metrics)),
        ("scheduler", bool(history._checkpoint.get("scheduler")), scheduled),
    ):
        if before != now:
            raise ValueError(f"fit: {name}: the run to resume had {before}, this call has {now}")
