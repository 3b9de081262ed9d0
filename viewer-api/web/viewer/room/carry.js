// Carrying a series from the strip into a view: with a mouse by dragging, with a finger after holding it for a moment.

import { h } from "../dom.js";

const BEGIN_PIXELS = 8;
const HOLD_MS = 350;

/** Lets `card` be carried; `label()` is what is shown on the way, `targetAt(x, y)` what it may be put on, with its `element`, or `null`, `put(target)` puts it there. */
export function carry(card, { label, targetAt, put }) {
  let held = null;

  const begin = () => {
    held.ghost = h("div", { class: "carried" }, label());
    document.body.append(held.ghost);
    move(held);
  };
  const move = ({ x, y }) => {
    held.ghost.style.transform = `translate(${x + 8}px, ${y + 8}px)`;
    const target = targetAt(x, y);
    if (target !== held.target) {
      held.target?.element.classList.remove("takes");
      target?.element.classList.add("takes");
      held.target = target;
    }
  };
  const end = (taken) => {
    clearTimeout(held.timer);
    const { target, ghost } = held;
    target?.element.classList.remove("takes");
    ghost?.remove();
    held = null;
    if (ghost && taken && target) put(target);
    return Boolean(ghost);
  };

  card.addEventListener("dragstart", (event) => event.preventDefault());
  card.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = { id: event.pointerId, x: event.clientX, y: event.clientY, startX: event.clientX, startY: event.clientY, touch: event.pointerType === "touch" };
    // A finger that moves at once scrolls the strip; one that rests carries.
    if (held.touch) held.timer = setTimeout(() => held && begin(), HOLD_MS);
    // A quick mouse is over something else by its first move.
    else card.setPointerCapture(held.id);
  });
  card.addEventListener("pointermove", (event) => {
    if (!held || event.pointerId !== held.id) return;
    Object.assign(held, { x: event.clientX, y: event.clientY });
    const far = Math.hypot(held.x - held.startX, held.y - held.startY) > BEGIN_PIXELS;
    if (held.ghost) move(held);
    else if (far && held.touch) end(false);
    else if (far) begin();
  });
  // The browser scrolls with a finger unless it is told, before it begins, that this one carries.
  card.addEventListener("touchmove", (event) => { if (held?.ghost) event.preventDefault(); }, { passive: false });
  card.addEventListener("contextmenu", (event) => { if (held?.touch) event.preventDefault(); });
  let carried = false;
  card.addEventListener("pointerup", () => { if (held) carried = end(true); });
  card.addEventListener("pointercancel", () => { if (held) end(false); });
  // What was carried was not pressed.
  card.addEventListener("click", (event) => { if (carried) { event.stopImmediatePropagation(); carried = false; } }, { capture: true });
}
