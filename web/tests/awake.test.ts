import assert from "node:assert/strict";
import { test } from "node:test";
import { keepScreenOn } from "../src/awake.ts";

/** How many locks are held, in a page that can be hidden, with a browser that grants or refuses them. */
function page(grants: boolean) {
  const state = { held: 0 };
  const document = Object.assign(new EventTarget(), { hidden: false });
  const request = async () => {
    if (!grants) throw new Error("not allowed");
    state.held++;
    return { release: async () => state.held-- };
  };
  Object.defineProperty(globalThis, "document", { value: document, configurable: true });
  Object.defineProperty(globalThis, "navigator", {
    value: { wakeLock: { request } },
    configurable: true,
  });
  return { state, document };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test("the screen stays on while the camera runs, again after the page was left", async () => {
  const { state, document } = page(true);
  const over = new AbortController();
  keepScreenOn(over.signal);
  await settled();
  assert.equal(state.held, 1);
  state.held = 0; // the browser's own doing when the page is hidden
  document.hidden = true;
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  assert.equal(state.held, 0);
  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  assert.equal(state.held, 1);
});

test("a lock that comes after the camera was stopped is given back", async () => {
  const { state, document } = page(true);
  const over = new AbortController();
  keepScreenOn(over.signal);
  over.abort();
  await settled();
  assert.equal(state.held, 0);
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  assert.equal(state.held, 0);
});

test("a browser that refuses is left alone", async () => {
  const { state } = page(false);
  keepScreenOn(new AbortController().signal);
  await settled();
  assert.equal(state.held, 0);
});
