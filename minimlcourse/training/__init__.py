"""The one training loop, and what goes with it: a history, early stopping, stopping and resuming.

Its heart (in ``loop.py``) is forward, ``zero_grad``, ``backward``, ``step``, as lesson 07 writes it
by hand. The rest is what a long run needs around that. Whatever ends a run (the last epoch, a rule,
Ctrl-C, an error), two things hold:

* the model has the weights of its *best epoch*: the one with the lowest validation loss or, without
  validation data, the last complete one;
* the history holds a *checkpoint* of the last complete epoch, from which ``fit(resume=history)``
  goes on as if nothing had happened, to the bit.
"""

from minimlcourse.training.history import History, NonFiniteLossError
from minimlcourse.training.loop import fit, predict
from minimlcourse.training.stopping import EarlyStopping, generalization_loss

__all__ = [
    "EarlyStopping",
    "History",
    "NonFiniteLossError",
    "fit",
    "generalization_loss",
    "predict",
]
