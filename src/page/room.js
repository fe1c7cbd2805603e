// A room, or a private conversation: what was said, in its order, and who is known to be there. Pure: no document, no socket.

/** So much is kept and shown of one room. */
const MOST_ITEMS = 1_000;

let notices = 0;

export class Room {
  constructor(key, name, kind = 'room') {
    this.key = key;
    this.name = name;
    this.kind = kind;
    this.ownerKey = null;
    this.count = 0;
    this.isJoined = false;
    /** A conversation that can't go on. */
    this.isOver = false;
    /** Messages, by rising id, and notices of who came and went in between. */
    this.items = [];
    this.byId = new Map();
    this.hasOlder = false;
    /** The newest messages are here. Not so when somebody has scrolled far up: both ends can't be kept. */
    this.isLive = true;
    this.isLoading = false;
    /** Messages after this one may have been missed; null if none. */
    this.gapAfter = null;
    /** The last message that was looked at. */
    this.seen = 0;
    /** The line `new` is above this message. */
    this.firstNew = null;
    /** Who is known to be there, by key. */
    this.present = new Map();
  }

  get lastId() {
    return this.items.findLast((item) => item.kind === 'message')?.id ?? 0;
  }

  get firstId() {
    return this.items.find((item) => item.kind === 'message')?.id ?? null;
  }

  get unread() {
    let number = 0;
    for (let place = this.items.length - 1; place >= 0; place -= 1) {
      const item = this.items[place];
      if (item.kind !== 'message') continue;
      if (item.id <= this.seen) break;
      if (!item.isMine) number += 1;
    }
    return number;
  }

  /** Adds a message, or what is new of one that is here already. */
  receive(message) {
    this.#put(message);
    this.trim(MOST_ITEMS);
  }

  #put(message) {
    const known = this.byId.get(message.id);
    if (known) {
      Object.assign(known, message, { version: known.version + 1 });
      return;
    }
    if (!this.isLive && message.id > this.lastId) return;
    const item = { kind: 'message', key: `m${message.id}`, version: 0, readBy: 0, isRead: false, ...message };
    let place = this.items.length;
    while (place > 0 && (this.items[place - 1].id ?? this.items[place - 1].after) > item.id) place -= 1;
    this.items.splice(place, 0, item);
    this.byId.set(item.id, item);
  }

  /** A page of history. Within its bounds it is the truth: what it lacks has been deleted meanwhile. */
  receivePage(messages, hasOlder) {
    const first = messages[0]?.id;
    const last = messages.at(-1)?.id;
    const told = new Set(messages.map((message) => message.id));
    const gone = this.items.filter((item) => item.id >= first && item.id <= last && !told.has(item.id));
    for (const { id } of gone) this.remove(id);
    const isOldest = this.firstId === null || first === undefined || first <= this.firstId;
    const added = messages.filter((message) => !this.byId.has(message.id));
    const isBefore = added.length > 0 && this.firstId !== null && added.at(-1).id < this.firstId;
    if (isBefore) this.#prepend(added);
    for (const message of isBefore ? messages.slice(added.length) : messages) this.#put(message);
    if (isOldest) this.hasOlder = hasOlder;
    if (!isBefore) this.trim(MOST_ITEMS);
  }

  #prepend(messages) {
    const items = messages.map((message) => ({
      kind: 'message', key: `m${message.id}`, version: 0, readBy: 0, isRead: false, ...message,
    }));
    this.items.unshift(...items);
    for (const item of items) this.byId.set(item.id, item);
    if (this.items.length > MOST_ITEMS) {
      for (const { id } of this.items.splice(MOST_ITEMS)) this.byId.delete(id);
      this.isLive = false;
    }
  }

  /** Forgets what is old, when nobody looks at it. */
  trim(most = MOST_ITEMS / 2) {
    if (this.items.length <= most || !this.isLive) return;
    for (const { id } of this.items.splice(0, this.items.length - most)) this.byId.delete(id);
    this.hasOlder = true;
  }

  /** Starts anew, from the newest message. */
  clear() {
    this.items = [];
    this.byId.clear();
    this.hasOlder = false;
    this.isLive = true;
  }

  remove(id) {
    if (!this.byId.delete(id)) return;
    this.items = this.items.filter((item) => item.id !== id);
  }

  /** Somebody came or went. Who was gone for a moment only, as by a reload, is not worth two lines. */
  note(kind, person) {
    const last = this.items.at(-1);
    const isBack = kind === 'joined' && last?.kind === 'left' && last.person.key === person.key;
    if (isBack) {
      this.items.pop();
      return;
    }
    notices += 1;
    const key = `n${notices}`;
    this.items.push({ kind, key, version: 0, person, at: new Date(), after: this.lastId });
  }

  /** Everything up to here has been looked at. */
  see(id) {
    if (id <= this.seen) return false;
    this.seen = id;
    return true;
  }

  /** A person has another name now. */
  rename(person) {
    if (this.present.has(person.key)) this.present.set(person.key, person);
    for (const item of this.items) {
      if (item.from?.key !== person.key) continue;
      item.from = person;
      item.version += 1;
    }
  }
}
