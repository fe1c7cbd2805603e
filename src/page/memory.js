// What the browser remembers between visits. One that keeps nothing for us (some do, in private windows) costs the comfort,
// not the chat.

function keep(area) {
  return {
    get(key, otherwise = null) {
      try {
        return JSON.parse(area().getItem(`roomcast.${key}`)) ?? otherwise;
      } catch {
        return otherwise;
      }
    },
    set(key, value) {
      try {
        if (value === null) area().removeItem(`roomcast.${key}`);
        else area().setItem(`roomcast.${key}`, JSON.stringify(value));
      } catch {
        // Full, or forbidden.
      }
    },
  };
}

/** Kept for good, shared by all tabs: who one is, which rooms one is in, how far one has read. */
export const memory = keep(() => localStorage);
/** Kept while this tab is open: the API key, and what has not been acknowledged. */
export const tabMemory = keep(() => sessionStorage);
