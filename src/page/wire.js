// The learner's window: every frame of this page's connection as it goes by, and one message as every dialect would tell it.

import { bytes, byId, el } from './dom.js';

const MOST_FRAMES = 200;
/** So much of a frame is shown. */
const MOST_CHARACTERS = 4_000;
/** The example travels in an address, so it can't be as long as a message. */
const MOST_EXAMPLE = 1_000;

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hour12: false,
});

export class Wire {
  #panel = byId('wire');
  #list = byId('frames');
  #frames = [];
  #total = 0;
  #size = 0;
  #isPaused = false;
  #isPretty = true;
  #opener = null;

  constructor(link) {
    this.link = link;
    link.addEventListener('wire', ({ detail }) => this.#note(detail));
    byId('wire-button').addEventListener('click', () => (this.isOpen ? this.close() : this.open()));
    byId('wire-close').addEventListener('click', () => this.close());
    byId('frames-clear').addEventListener('click', () => this.#clear());
    byId('frames-pause').addEventListener('click', () => this.#pause());
    byId('frames-pretty').addEventListener('change', ({ target }) => this.#prettify(target.checked));
    for (const tab of this.#tabs()) {
      tab.addEventListener('click', () => this.#select(tab));
      tab.addEventListener('keydown', (event) => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
        const other = this.#tabs().find((candidate) => candidate !== tab);
        this.#select(other);
        other.focus();
      });
    }
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  open() {
    this.#opener = document.activeElement;
    this.#panel.hidden = false;
    document.body.classList.add('with-wire');
    byId('wire-button').setAttribute('aria-expanded', 'true');
    this.#fill();
    byId('wire-close').focus();
  }

  close() {
    this.#panel.hidden = true;
    document.body.classList.remove('with-wire');
    byId('wire-button').setAttribute('aria-expanded', 'false');
    // A message that was read meanwhile has been drawn anew; its button is the one that Tab leads to.
    const isThere = this.#opener?.isConnected;
    const heir = this.#opener?.closest('.message') ? document.querySelector('#log [data-focus="wire"][tabindex="0"]') : null;
    (isThere ? this.#opener : (heir ?? byId('wire-button'))).focus();
  }

  /** The same message as each dialect would say it. The server's own encoders write it: nothing is imitated here. */
  async showMessage(room, message) {
    if (!this.isOpen) this.open();
    this.#select(byId('dialects-tab'));
    const text = message.text.slice(0, MOST_EXAMPLE).toWellFormed();
    const isCut = text.length < message.text.length;
    const [roomName, name, said] = [room.name, message.from.name, text].map(encodeURIComponent);
    try {
      const answer = await fetch(`/wire?room=${roomName}&name=${name}&text=${said}`, { cache: 'no-store' });
      if (!answer.ok) throw new Error(`this server does not tell (${answer.status})`);
      this.#showDialects(await answer.json(), isCut);
    } catch (error) {
      byId('dialects').replaceChildren(el('p', { class: 'error' }, `No examples: ${error.message}.`));
    }
  }

  #showDialects(examples, isCut) {
    const made = isCut ? 'ids and times are made up, the text is cut short' : 'ids and times are made up';
    byId('dialects-intro').textContent = `As the server writes this to clients of each dialect (${made}):`;
    byId('dialects').replaceChildren(...examples.map(({ dialect, path, text }) => el(
      'section',
      { class: 'example' },
      el('h3', {}, dialect, ' ', el('code', {}, path), el('span', { class: 'quiet' }, bytes(byteLength(text)))),
      el('pre', { dir: 'ltr', tabindex: 0 }, this.#isPretty ? pretty(text) : text),
    )));
  }

  #tabs() {
    return [byId('frames-tab'), byId('dialects-tab')];
  }

  #select(chosen) {
    for (const tab of this.#tabs()) {
      const isChosen = tab === chosen;
      tab.setAttribute('aria-selected', String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      byId(tab.getAttribute('aria-controls')).hidden = !isChosen;
    }
  }

  #note({ direction, text, at }) {
    this.#total += 1;
    const size = byteLength(text);
    this.#size += size;
    if (!this.#isPaused) {
      this.#frames.push({ direction, text, at, size });
      if (this.#frames.length > MOST_FRAMES) this.#frames.shift();
      if (this.isOpen) this.#append(this.#frames.at(-1));
    }
    if (this.isOpen) this.#tellCount();
  }

  #append(frame) {
    const isAtEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 60;
    this.#list.append(this.#line(frame));
    while (this.#list.childElementCount > MOST_FRAMES) this.#list.firstChild.remove();
    if (isAtEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #line({ direction, text, at, size }) {
    const isOut = direction === 'out';
    const shown = this.#isPretty ? pretty(text) : text;
    const rest = shown.length - MOST_CHARACTERS;
    return el(
      'li',
      { class: isOut ? 'out' : 'in' },
      el(
        'p',
        {},
        el('span', { class: 'direction' }, isOut ? '↑ sent' : '↓ received'),
        ` ${clock.format(at)} `,
        el('span', { class: 'quiet' }, bytes(size)),
      ),
      el('pre', { dir: 'ltr' }, rest > 0 ? `${shown.slice(0, MOST_CHARACTERS)}\n… and ${rest} characters more` : shown),
    );
  }

  #fill() {
    this.#list.replaceChildren(...this.#frames.map((frame) => this.#line(frame)));
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#tellCount();
  }

  #tellCount() {
    byId('frames-count').textContent = `${this.#total.toLocaleString()} frames, ${bytes(this.#size)}`;
  }

  #clear() {
    this.#frames = [];
    this.#total = 0;
    this.#size = 0;
    this.#fill();
  }

  #pause() {
    this.#isPaused = !this.#isPaused;
    byId('frames-pause').setAttribute('aria-pressed', String(this.#isPaused));
    byId('frames-pause').textContent = this.#isPaused ? 'Go on' : 'Pause';
  }

  #prettify(isPretty) {
    this.#isPretty = isPretty;
    this.#fill();
  }
}

const byteLength = (text) => new TextEncoder().encode(text).length;

/** JSON with room to breathe; anything else as it is. */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
