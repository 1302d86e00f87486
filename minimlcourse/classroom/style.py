"""One look for every figure, and words for a reader who cannot see it."""

import io
from html import escape

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

#: Okabe and Ito's colours by name, in the order in which a figure takes them.
COLORS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "grey": "#777777",
}

# One inch of a figure is 96 pixels of the page, so that 10-point text is as tall as the page's
# own; half as many again are stored, for screens with finer pixels.
_PAGE_DPI = 96
_STORED_DPI = 144


def use_style() -> None:
    """Give every figure drawn from here on the look of the course."""
    plt.style.use("minimlcourse.classroom.course")


def picture(figure: Figure, alt: str) -> tuple[dict[str, object], dict[str, object]]:
    """A figure as the data and the metadata of a notebook's output.

    Parameters
    ----------
    figure : Figure
        What to draw.
    alt : str
        The same in words: what is on the axes, and what one sees.

    Returns
    -------
    data : dict
        The picture under ``image/png``, its words under ``text/plain``.
    metadata : dict
        Words and size of the picture, as Jupyter's tools read them.

    Raises
    ------
    ValueError
        If ``alt`` is empty.
    """
    if not alt.strip():
        raise ValueError("alt is empty, expected a description of the figure in words")
    buffer = io.BytesIO()
    # Without a software version the bytes do not change when Matplotlib's does.
    figure.savefig(buffer, format="png", dpi=_STORED_DPI, metadata={"Software": None})
    width, height = (round(inches * _PAGE_DPI) for inches in figure.get_size_inches())
    return (
        {"image/png": buffer.getvalue(), "text/plain": alt},
        {"image/png": {"alt": alt, "width": width, "height": height}},
    )


def show(figure: Figure, alt: str) -> None:
    """Show a figure in the notebook, with words for a reader who cannot see it.

    The words go into the picture's metadata, where they belong; JupyterLab and nbconvert's usual
    template ignore them there, so that they also follow the picture as a line that a screen reader
    reads and that is not seen.

    Parameters
    ----------
    figure : Figure
        What to show; it is closed afterwards.
    alt : str
        The same in words: what is on the axes, and what one sees.

    Raises
    ------
    ValueError
        If ``alt`` is empty.
    """
    data, metadata = picture(figure, alt)
    display(data, metadata=metadata, raw=True)
    say(alt)
    plt.close(figure)


def say(text: str) -> None:
    """Write a line in the notebook's output that is read aloud and not seen."""
    hidden = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"
    display({"text/html": f'<p style="{hidden}">Figure: {escape(text)}</p>'}, raw=True)
