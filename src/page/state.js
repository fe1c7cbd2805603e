// What the page knows: who one is, rooms, people, the connection. The dialects write it, the views read it; it knows neither.
//
// It tells `change`, once for however much has changed at a time, and `notice` with a sentence that should be said once.

import { memory } from './memory.js';
import { Room } from './room.js';

export class State extends EventTarget {
  /** `starting`, `connecting`, `online`, `offline` or `closed`; with `retryAt` and `reason` when offline. */
  connection = { phase: 'starting' };
  /** What the dialect can do; see event.js. */
  features = {};
  me = null;
  needsName = false;
  rooms = new Map();
  people = new Map();
  current = null;
  #isDue = false;

  changed() {
    if (this.#isDue) return;
    this.#isDue = true;
    // Not on the next animation frame: there is none while the page is hidden, and its title has to tell.
    setTimeout(() => {
      this.#isDue = false;
      this.dispatchEvent(new Event('change'));
    });
  }

  notice(sentence) {
    this.dispatchEvent(new CustomEvent('notice', { detail: sentence }));
  }

  setConnection(phase, more = {}) {
    this.connection = { phase, ...more };
    this.changed();
  }

  get isOnline() {
    return this.connection.phase === 'online';
  }

  get room() {
    return this.rooms.get(this.current) ?? null;
  }

  get unread() {
    let number = 0;
    for (const room of this.rooms.values()) number += room.unread;
    return number;
  }

  /** The room of that key; made if it is new. */
  putRoom(key, name, kind) {
    let room = this.rooms.get(key);
    if (!room) {
      room = new Room(key, name, kind);
      this.rooms.set(key, room);
    }
    room.name = name;
    this.changed();
    return room;
  }

  dropRoom(key) {
    this.rooms.delete(key);
    this.hide(key);
  }

  putPerson(person) {
    const known = this.people.get(person.key);
    const renamed = known && known.name !== person.name;
    const merged = { ...known, ...person };
    this.people.set(person.key, merged);
    if (renamed) for (const room of this.rooms.values()) room.rename(merged);
    if (this.me?.key === person.key) this.me = merged;
    this.changed();
    return merged;
  }

  /** Shows a room. */
  show(key) {
    const room = this.rooms.get(key);
    if (!room || this.current === key) return;
    const before = this.room;
    if (before) before.firstNew = null;
    before?.trim();
    this.current = key;
    room.firstNew = room.items.find((item) => item.id > room.seen && !item.isMine)?.id ?? null;
    this.changed();
  }

  /** Shows another room, if there is one to show. */
  hide(key) {
    if (this.current !== key) return this.changed();
    this.current = null;
    const other = [...this.rooms.values()].find((room) => room.isJoined || room.kind === 'private');
    if (other) this.show(other.key);
    this.changed();
  }

  /** A message has been looked at. */
  see(room, id) {
    if (!room.see(id)) return;
    if (this.features.history) {
      const seen = memory.get('seen', {});
      const mine = { ...seen[this.me.key], [room.key]: id };
      memory.set('seen', { ...seen, [this.me.key]: mine });
    }
    this.changed();
  }

  /** How far this room had been read on an earlier visit; null if never. */
  seenBefore(room) {
    return memory.get('seen', {})[this.me.key]?.[room.key] ?? null;
  }
}
