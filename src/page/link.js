// Connection and reconnection: one WebSocket at a time, and a new one when it goes. Frames in, frames out; nothing of what
// they say.
//
// Events: `open`; `frame` with its text; `gone` with `{reason, retryAt}`; and for whoever watches, `wire` with
// `{direction, text, at}` for every frame either way.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
const OPENING_PATIENCE = 10_000;
/** A connection that lasted this long was a good one: the next attempt may follow at once again. */
const GOOD_AFTER = 5_000;

export class Link extends EventTarget {
  #knock;
  #socket = null;
  #timer = null;
  #failures = 0;
  #isStopped = false;
  #isKnocking = false;

  /** `knock` is asked before each attempt: the address to connect to, or null when it is not to be tried again. */
  constructor(knock) {
    super();
    this.#knock = knock;
    const hurry = () => this.#timer !== null && document.visibilityState === 'visible' && this.connect();
    addEventListener('online', hurry);
    document.addEventListener('visibilitychange', hurry);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Tries now, whatever the delay would be. */
  async connect() {
    if (this.#socket || this.#isKnocking || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#isKnocking = true;
    let address = null;
    let reason = '';
    try {
      address = await this.#knock();
    } catch (error) {
      reason = error instanceof TypeError ? 'the server does not answer' : error.message;
    }
    this.#isKnocking = false;
    if (address) this.#open(address);
    else if (reason) this.#retry(reason);
    else this.#isStopped = true;
  }

  /** Ends a connection on which nothing moves any more. The next one follows. */
  drop(reason) {
    this.#gone(this.#socket, reason);
  }

  /** Whether it went out. */
  send(text) {
    if (!this.isOpen) return false;
    this.#socket.send(text);
    this.#tell('wire', { direction: 'out', text, at: new Date() });
    return true;
  }

  #open(address) {
    const socket = new WebSocket(address);
    this.#socket = socket;
    const impatience = setTimeout(() => this.#gone(socket, 'no answer'), OPENING_PATIENCE);
    let openedAt = Infinity;
    socket.addEventListener('open', () => {
      clearTimeout(impatience);
      openedAt = performance.now();
      if (socket === this.#socket) this.#tell('open');
    });
    socket.addEventListener('message', ({ data }) => {
      if (socket !== this.#socket || typeof data !== 'string') return;
      this.#tell('wire', { direction: 'in', text: data, at: new Date() });
      this.#tell('frame', data);
    });
    socket.addEventListener('close', ({ reason }) => {
      clearTimeout(impatience);
      if (performance.now() - openedAt > GOOD_AFTER) this.#failures = 0;
      this.#gone(socket, reason);
    });
  }

  #gone(socket, reason) {
    if (!socket || socket !== this.#socket) return;
    this.#socket = null;
    socket.close();
    this.#retry(reason);
  }

  /** Later and later, and never all pages at the same moment. */
  #retry(reason) {
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures);
    this.#failures += 1;
    const delay = longest * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.connect(), delay);
    this.#tell('gone', { reason, retryAt: Date.now() + delay });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
