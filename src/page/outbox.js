// Messages on their way: written here, and not known to be with the server. They outlive the connection, and a reload of
// the page.
//
// Each has an id of ours. Where the dialect carries it to the server, sending again is harmless, so it is done; where it
// does not, a message without an answer may or may not have been said, and only its author can decide.

import { tabMemory } from './memory.js';

let lastId = 0;

/** An id that nobody else uses. `randomUUID` would need a secure context. */
function newId() {
  lastId += 1;
  const random = crypto.getRandomValues(new Uint32Array(3));
  return `${[...random].map((part) => part.toString(36)).join('')}-${lastId}`;
}

/** An entry's `status`: `waiting`, `sending`, `unknown` (whether it was said), `failed` (it was not, for `reason`). */
export class Outbox {
  #changed;
  #owner = null;
  #entries = [];

  constructor(changed) {
    this.#changed = changed;
  }

  /** Of whom these messages are. What they left here on the last visit is taken up. */
  belongTo(owner, isKept) {
    if (this.#owner === owner) return;
    this.#owner = owner;
    const kept = isKept ? tabMemory.get(`outbox.${owner}`, []) : [];
    this.isKept = isKept;
    this.#entries = kept.map((entry) => ({ ...entry, at: new Date(entry.at), status: 'waiting', version: 0 }));
    this.#changed();
  }

  add(roomKey, text) {
    const entry = { clientId: newId(), roomKey, text, at: new Date(), status: 'waiting', version: 0 };
    this.#entries.push(entry);
    this.#save();
    return entry;
  }

  of(roomKey) {
    return this.#entries.filter((entry) => entry.roomKey === roomKey);
  }

  get waiting() {
    return this.#entries.filter((entry) => entry.status === 'waiting');
  }

  /** Entries leave only so: what the server has, and what its author gave up. */
  remove(entry) {
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.#save();
  }

  mark(entry, status, reason = '') {
    // What was taken for it was something else, if it has failed.
    const isSeen = entry.isSeen && status !== 'failed';
    Object.assign(entry, { status, reason, isSeen, version: entry.version + 1 });
    this.#save();
  }

  /** The connection has gone while these were on their way. */
  interrupted(status) {
    for (const entry of this.#entries) if (entry.status === 'sending') this.mark(entry, status);
  }

  /**
   * A message of one's own has come by. If the answer to an entry is still to come this is probably the entry, and showing
   * both would be one too many; the answer will settle it.
   */
  recognise(roomKey, text) {
    const entry = this.#entries.find((other) => {
      return other.roomKey === roomKey && other.text === text && !other.isSeen && other.status !== 'failed';
    });
    if (entry) entry.isSeen = true;
  }

  #save() {
    const kept = this.#entries.filter(({ status }) => status !== 'failed');
    const fields = ({ clientId, roomKey, text, at }) => ({ clientId, roomKey, text, at });
    if (this.isKept) tabMemory.set(`outbox.${this.#owner}`, kept.length > 0 ? kept.map(fields) : null);
    this.#changed();
  }
}
