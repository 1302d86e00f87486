"""Optimizers, learning-rate schedules and gradient clipping, with PyTorch's names and conventions.

>>> import numpy as np
>>> from minimlcourse import Tensor, optim
>>> w = Tensor(np.array([3.0, -2.0]))
>>> optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
>>> for _ in range(200):
...     optimizer.zero_grad()
...     (w * w).sum().backward()
...     optimizer.step()
>>> bool(np.abs(w.numpy()).max() < 1e-3)
True

``optimizer.py`` says what a step is, ``sgd.py`` and ``adaptive.py`` hold the formulas,
``lr_scheduler.py`` moves ``optimizer.lr`` during training, ``clip.py`` bounds the gradient.
"""

from minimlcourse.optim import lr_scheduler
from minimlcourse.optim.adaptive import Adam, AdamW, RMSProp
from minimlcourse.optim.clip import clip_grad_norm_
from minimlcourse.optim.optimizer import Optimizer
from minimlcourse.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSProp",
    "clip_grad_norm_",
    "lr_scheduler",
]
