"""What a lesson shows: one style for every figure, live curves, and paper to draw on.

This room alone needs Matplotlib and the notebook's widgets; all the others need NumPy only.
"""

try:
    from minimlcourse.classroom.digit_canvas import DigitCanvas
    from minimlcourse.classroom.drawing import PAPER, PEN, mnist_style, rasterise
    from minimlcourse.classroom.figures import digit_grid, learning_curves, readings
    from minimlcourse.classroom.live import LiveCurve
    from minimlcourse.classroom.style import COLORS, show, use_style
except ModuleNotFoundError as missing:
    if missing.name in {"matplotlib", "IPython", "traitlets", "ipywidgets", "anywidget"}:
        raise ImportError(
            "minimlcourse.classroom needs matplotlib, ipywidgets and anywidget "
            f'({missing.name} is not installed): pip install "minimlcourse[course]"'
        ) from None
    raise

__all__ = [
    "COLORS",
    "PAPER",
    "PEN",
    "DigitCanvas",
    "LiveCurve",
    "digit_grid",
    "learning_curves",
    "mnist_style",
    "rasterise",
    "readings",
    "show",
    "use_style",
]
