/** The screen stays on until `over`, where the browser can; it ends by itself whenever the page is left. */
export function keepScreenOn(over: AbortSignal): void {
  const ask = async () => {
    if (document.hidden) return;
    const lock = await navigator.wakeLock?.request("screen").catch(() => null); // refused, as to save the battery
    if (!lock) return;
    if (over.aborted) lock.release();
    else over.addEventListener("abort", () => lock.release(), { once: true });
  };
  ask();
  document.addEventListener("visibilitychange", ask, { signal: over });
}
