// Where a message is written.

import { byId } from './dom.js';

/** What the server takes unless it is told otherwise. */
const MOST_BYTES = 16_384;

export class Composer {
  #drafts = new Map();
  #room = null;
  #text = byId('text');

  /** `say` gets the room's key and the text. */
  constructor(state, say) {
    this.state = state;
    this.say = say;
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener('keydown', (event) => {
      // Enter that ends the composing of a character belongs to the input method.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener('input', () => this.#tellRest());
  }

  render() {
    const { room } = this.state;
    if (room?.key !== this.#room?.key) {
      if (this.#room) this.#drafts.set(this.#room.key, this.#text.value);
      this.#text.value = this.#drafts.get(room?.key) ?? '';
      this.#room = room;
      this.#tellRest();
    }
    const isOpen = Boolean(room) && !room.isOver;
    this.#text.disabled = !isOpen;
    byId('send').disabled = !isOpen;
    const closed = room ? 'This conversation ended with the connection' : 'Choose a room to talk in';
    this.#text.placeholder = isOpen ? `Message ${room.name}` : closed;
  }

  focus() {
    // What is disabled can't have the focus, and a change may not have been shown yet.
    this.render();
    this.#text.focus();
  }

  #submit() {
    // Half an emoji can be typed, but not sent.
    const text = this.#text.value.toWellFormed();
    if (!this.#room || text.trim() === '' || this.#size() > MOST_BYTES) return;
    this.say(this.#room.key, text);
    this.#text.value = '';
    this.#drafts.delete(this.#room.key);
    this.#tellRest();
  }

  #size() {
    return new TextEncoder().encode(this.#text.value).length;
  }

  /** How much is left, when that matters. */
  #tellRest() {
    const size = this.#size();
    const left = MOST_BYTES - size;
    byId('text-size').textContent = left > 2_000 ? '' : left < 0 ? ` · ${-left} bytes too long` : ` · ${left} bytes left`;
    byId('composer').classList.toggle('too-long', left < 0);
  }
}
