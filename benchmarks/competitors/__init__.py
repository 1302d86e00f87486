"""The same training step, written six ways.

Each module has a class `Competitor(parameters)` whose `step(X, y)` does one training step (forward,
mean cross-entropy, backward, Adam with PyTorch's defaults) and returns the loss before the update.
Each module imports only what it needs, so that a missing peer is missing alone.
"""

NAMES = {
    "ours": "minimlcourse",
    "hand_written": "hand-written NumPy, in-place Adam",
    "preallocated": "the same, all preallocated",
    "readable": "readable NumPy",
    "hips_autograd": "HIPS autograd",
    "pytorch": "PyTorch eager",
}
