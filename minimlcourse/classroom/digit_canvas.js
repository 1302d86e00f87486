// The page's side of DigitCanvas: it draws, sends the path of the pen, and shows the answer.
// What a stroke means, and everything that could be wrong about it, is decided in Python.

const STEP = 10; // how far an arrow key moves the pen, in units of the paper
const PATIENCE = 1000; // ms without an answer before the page says that it is waiting
const INVITATION = "Draw a digit with the mouse, a pen or a finger.";
const KEYS = "Arrow keys move the pen, space lowers and lifts it, Delete clears the paper.";

function element(tag, className, attributes = {}, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function floats(view) {
  // A copy: the message's buffer need not be aligned to four bytes.
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
  return new Float32Array(bytes.buffer);
}

function render({ model, el }) {
  const SIZE = model.get("paper");
  const PEN = model.get("pen");

  // ---- the page
  const paper = element("canvas", "mml-paper", {
    tabindex: "0",
    role: "application",
    "aria-label": `Paper to draw a digit on. ${KEYS}`,
    // JupyterLab's shortcuts stay away from keys that are meant for the paper.
    "data-lm-suppress-shortcuts": "true",
  });
  const seen = element("canvas", "mml-seen", {
    width: "28",
    height: "28",
    role: "img",
    "aria-label": "The 28 by 28 grey levels that the network sees",
  });
  const clear = element("button", "mml-clear", { type: "button" }, "Clear");
  const status = element("p", "mml-status", { role: "status" });
  const bars = element("div", "mml-bars", { role: "img" });
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const fill = element("span", "mml-fill");
    const share = element("span", "mml-share");
    const row = element(
      "div", "mml-row", {},
      element("span", "mml-digit", {}, String(digit)),
      element("span", "mml-track", {}, fill),
      share,
    );
    bars.append(row);
    return { row, fill, share };
  });
  el.append(
    element(
      "div", "mml-digit-canvas", {},
      element("figure", "mml-part", {},
        element("figcaption", "", {}, "Your drawing", clear),
        element("div", "mml-frame", {}, paper)),
      element("figure", "mml-part", {},
        element("figcaption", "", {}, "What the network sees"),
        element("div", "mml-frame", {}, seen)),
      element("figure", "mml-part mml-answer", {},
        element("figcaption", "", {}, "Its ten probabilities"), bars),
      status,
    ),
  );
  const density = Math.max(1, window.devicePixelRatio || 1);
  paper.width = paper.height = Math.round(SIZE * density);
  const ink = paper.getContext("2d");

  // ---- the drawing
  let strokes = unpack(model.get("strokes"));
  let isExample = true; // what lies on the paper at first gives way to the reader's first stroke
  let current = null; // the stroke under the pen, while the pen is down
  let cursor = null; // where the keyboard's pen is, once it is used
  let scheduled = false;
  let waiting;

  function unpack(view) {
    const values = floats(view);
    const found = [[]];
    for (let i = 0; i < values.length; i += 2) {
      if (Number.isNaN(values[i])) found.push([]);
      else found.at(-1).push([values[i], values[i + 1]]);
    }
    return found.filter((stroke) => stroke.length);
  }

  function pack() {
    const values = strokes.flatMap((stroke) => [...stroke.flat(), NaN, NaN]);
    return new DataView(Float32Array.from(values).buffer);
  }

  function paint() {
    ink.setTransform(paper.width / SIZE, 0, 0, paper.height / SIZE, 0, 0);
    ink.clearRect(0, 0, SIZE, SIZE);
    ink.lineWidth = PEN;
    ink.lineCap = ink.lineJoin = "round";
    for (const stroke of strokes) {
      ink.beginPath();
      ink.moveTo(...stroke[0]);
      // A lone point is a line of length zero, which round caps make a dot.
      for (const point of stroke.length > 1 ? stroke.slice(1) : stroke) ink.lineTo(...point);
      ink.stroke();
    }
    if (cursor) {
      ink.lineWidth = 2;
      ink.beginPath();
      ink.arc(...cursor, PEN / 2 + 3, 0, 2 * Math.PI);
      ink.stroke();
    }
  }

  // However fast the pen moves, the paper is painted and sent once a frame, and the widget
  // manager holds a message back while the kernel is busy with the one before it.
  function changed() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      paint();
      model.set("strokes", pack());
      model.save_changes();
      waiting ??= setTimeout(() => {
        status.textContent =
          "Waiting for the kernel. If it was restarted, run the cell again.";
      }, PATIENCE);
    });
  }

  function penDown(point) {
    if (isExample) strokes = [];
    isExample = false;
    current = [point];
    strokes.push(current);
    changed();
  }

  function penMoves(point) {
    const [x, y] = current.at(-1);
    if (Math.hypot(point[0] - x, point[1] - y) < 1) return; // nothing that a pixel could show
    current.push(point);
    changed();
  }

  function wipe() {
    strokes = [];
    current = null;
    isExample = false;
    changed();
  }

  // ---- the answer
  function answer() {
    clearTimeout(waiting);
    waiting = undefined;
    const pixels = floats(model.get("pixels"));
    const probabilities = floats(model.get("probabilities"));
    const error = model.get("error");

    // Ink in alpha over no ground at all: the style sheet gives both their theme's colours.
    const grey = new ImageData(28, 28);
    pixels.forEach((value, i) => {
      grey.data[4 * i + 3] = Math.round(255 * value);
    });
    seen.getContext("2d").putImageData(grey, 0, 0);

    const best = probabilities.indexOf(Math.max(...probabilities));
    rows.forEach(({ row, fill, share }, digit) => {
      const p = probabilities[digit] ?? 0;
      fill.style.transform = `scaleX(${p})`;
      share.textContent = probabilities.length ? `${Math.round(100 * p)} %` : "";
      row.classList.toggle("mml-best", digit === best);
    });
    bars.setAttribute(
      "aria-label",
      probabilities.length
        ? Array.from(probabilities, (p, d) => `${d}: ${Math.round(100 * p)} %`).join(", ")
        : "No probabilities yet",
    );
    const line = error || (best < 0 ? INVITATION : `The network reads ${best}.`);
    // Only when it changes: a screen reader speaks at every assignment.
    if (status.textContent !== line) status.textContent = line;
    status.classList.toggle("mml-error", Boolean(error));
  }

  // ---- mouse, pen, finger
  function place(event) {
    const box = paper.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * SIZE) / box.width,
      ((event.clientY - box.top) * SIZE) / box.height,
    ];
  }
  paper.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    paper.focus({ preventScroll: true });
    paper.setPointerCapture(event.pointerId);
    cursor = null;
    penDown(place(event));
  });
  paper.addEventListener("pointermove", (event) => {
    if (!current || !event.isPrimary || cursor) return;
    // A fast hand moves several times between two frames.
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) penMoves(place(step));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    paper.addEventListener(end, (event) => {
      if (event.isPrimary && !cursor) current = null;
    });
  }

  // ---- keyboard
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  paper.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const within = (value) => Math.min(SIZE, Math.max(0, value));
    if (event.key in arrows) {
      const [dx, dy] = arrows[event.key];
      const [x, y] = cursor ?? [SIZE / 2, SIZE / 2];
      cursor = [within(x + STEP * dx), within(y + STEP * dy)];
      if (current) penMoves(cursor);
      else paint();
    } else if (event.key === " ") {
      cursor ??= [SIZE / 2, SIZE / 2];
      if (current) current = null;
      else penDown(cursor);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      wipe();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  paper.addEventListener("focus", () => {
    if (paper.matches(":focus-visible")) status.textContent = KEYS;
  });
  paper.addEventListener("blur", () => {
    if (!cursor) return;
    cursor = current = null;
    paint();
  });
  clear.addEventListener("click", wipe);

  model.on("change:answers", answer);
  paint();
  answer();
  return () => {
    clearTimeout(waiting);
    model.off("change:answers", answer);
  };
}

export default { render };
