// What was said in the room that is shown: the messages, those on their way, who came and went; scrolling, and telling the
// server what was really seen.

import { askDelete, sentence } from './dialogs.js';
import { arrowKeys, avatar, byId, count, dayName, el, icon, nameTag, plain, reconcile, timeTag } from './dom.js';

/** So near to an end counts as there, in pixels. */
const NEAR = 80;
/** So long a message has to be in view to count as read. */
const GLANCE = 500;
/** Messages of one person within this time stand together. */
const TOGETHER = 5 * 60_000;
/** Longer texts are shown in part at first. */
const LONG_TEXT = 2_500;

export class Log {
  #box = byId('log-box');
  #list = byId('log');
  #shown = null;
  #firstId = null;
  #wasOnline = false;
  #isAtEnd = true;
  #glances = new Map();
  #opened = new Set();

  constructor(state, outbox, actions) {
    Object.assign(this, { state, outbox, actions });
    this.#box.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    // A keyboard on the screen, a longer text below: what was at the end stays there.
    new ResizeObserver(() => this.#isAtEnd && this.#toEnd()).observe(this.#box);
    const thresholds = { root: this.#box, threshold: [0, 0.25, 0.6, 1] };
    this.watcher = new IntersectionObserver((entries) => this.#seen(entries), thresholds);
    this.reachable = arrowKeys(this.#list, '.message');
    byId('newest').addEventListener('click', () => this.#jump());
    document.addEventListener('visibilitychange', () => this.#lookAgain());
    addEventListener('focus', () => this.#lookAgain());
  }

  render() {
    const { room } = this.state;
    const isOther = room?.key !== this.#shown;
    const isOlder = (room?.firstId ?? null) !== this.#firstId;
    this.#firstId = room?.firstId ?? null;
    const anchor = isOther || this.#isAtEnd ? null : this.#anchor();
    // Whoever listens to the page is told what is said now, not what was said before.
    if (isOther || isOlder) this.#hush();
    reconcile(this.#list, room ? this.#rows(room) : []);
    this.reachable();
    this.#ends(room);
    if (isOther) {
      this.#shown = room?.key;
      this.#forget();
      const fresh = this.#list.querySelector('.divider.fresh');
      if (fresh) fresh.scrollIntoView({ block: 'center' });
      else this.#toEnd();
      this.#measure();
    } else if (anchor) {
      const element = [...this.#list.children].find((child) => child.message?.id === anchor.id);
      if (element) this.#box.scrollTop += element.getBoundingClientRect().top - anchor.top;
    } else if (this.#isAtEnd) {
      this.#toEnd();
    }
    this.#watch();
    if (this.state.isOnline && !this.#wasOnline) this.#lookAgain();
    this.#wasOnline = this.state.isOnline;
  }

  #hush() {
    this.#box.setAttribute('aria-busy', 'true');
    setTimeout(() => this.#box.setAttribute('aria-busy', 'false'), 300);
  }

  /** Shows what was just written here. */
  toEnd() {
    this.#isAtEnd = true;
    this.#toEnd();
  }

  #rows(room) {
    const rows = [];
    const pending = this.outbox.of(room.key).filter((entry) => !entry.isSeen);
    let before = null;
    for (const item of room.items) {
      if (item.kind === 'message') {
        if (!before || item.at.toDateString() !== before.at.toDateString()) rows.push(dayRow(item));
        if (item.id === room.firstNew) rows.push(freshRow());
      }
      const isGrouped = belongs(before, item) && item.id !== room.firstNew;
      const version = `${item.version} ${isGrouped} ${item.readBy} ${this.#opened.has(item.key)} ${room.ownerKey}`;
      const make = () => (item.kind === 'message' ? this.#message(room, item, isGrouped) : noticeLine(item));
      rows.push({ key: item.key, version, make });
      before = item;
    }
    for (const entry of pending) {
      rows.push({ key: entry.clientId, version: entry.version, make: () => this.#pending(entry) });
    }
    return rows;
  }

  #message(room, item, isGrouped) {
    const { from, isMine } = item;
    const who = isMine ? 'You: ' : `${plain(from.name)}: `;
    const line = el(
      'li',
      { class: `message ${isMine ? 'mine' : 'theirs'} ${isGrouped ? 'grouped' : ''}`, tabindex: -1 },
      isMine ? null : el('span', { class: 'gutter' }, isGrouped ? null : avatar(from.name)),
      el(
        'div',
        { class: 'bubble' },
        isMine || isGrouped ? el('span', { class: 'unseen' }, who) : el('p', { class: 'author' }, nameTag(from.name)),
        this.#text(item),
        el('p', { class: 'facts' }, timeTag(item.at), isMine ? this.#mark(item) : null),
      ),
      this.#tools(room, item),
    );
    line.message = item;
    return line;
  }

  #tools(room, item) {
    const mayDelete = this.state.features.history && (item.isMine || room.ownerKey === this.state.me?.key);
    const wire = { title: 'How this goes over the wire', onclick: () => this.actions.showWire(room, item) };
    const trash = { 'aria-label': 'Delete this message', onclick: () => askDelete(this.actions.dialect(), item) };
    return el(
      'div',
      { class: 'tools' },
      el('button', { class: 'plain', 'data-focus': 'wire', ...wire }, icon('wire'), el('span', {}, 'Wire')),
      mayDelete && el('button', { class: 'plain', 'data-focus': 'delete', ...trash }, icon('trash')),
    );
  }

  #text(item) {
    const text = el('p', { class: 'text', dir: 'auto' }, item.text);
    if (item.text.length <= LONG_TEXT || this.#opened.has(item.key)) return text;
    text.classList.add('cut');
    const open = () => {
      this.#opened.add(item.key);
      this.render();
    };
    const label = `Show all ${count(item.text.length, 'character', 'characters')}`;
    return el('div', {}, text, el('button', { class: 'small', 'data-focus': 'all', onclick: open }, label));
  }

  #mark(item) {
    if (!this.state.features.receipts) return null;
    const isRead = item.readBy > 0;
    const label = isRead ? `Read by ${item.readBy}` : 'Delivered';
    const props = { class: `mark ${isRead ? 'read' : ''}`, role: 'img', 'aria-label': label, title: label };
    return el('span', props, icon(isRead ? 'read' : 'sent'), isRead ? String(item.readBy) : null);
  }

  #pending(entry) {
    const words = {
      waiting: ['clock', entry.reason ? sentence(entry.reason) : 'Waiting for the connection'],
      sending: ['clock', 'Sending'],
      unknown: ['warning', 'The connection went before the answer came: perhaps it was said, perhaps not'],
      failed: ['warning', `Not sent. ${sentence(entry.reason ?? '')}`],
    };
    const [sign, label] = words[entry.status];
    const isOpen = entry.status === 'unknown' || entry.status === 'failed';
    const again = () => this.actions.again(entry);
    const drop = () => this.outbox.remove(entry);
    return el(
      'li',
      { class: `message mine pending ${entry.status}`, tabindex: -1 },
      el(
        'div',
        { class: 'bubble' },
        el('span', { class: 'unseen' }, 'You: '),
        this.#text({ key: entry.clientId, text: entry.text }),
        el('p', { class: 'facts' }, timeTag(entry.at), icon(sign), el('span', {}, label)),
        isOpen && el(
          'p',
          { class: 'choices' },
          el('button', { class: 'small', 'data-focus': 'again', onclick: again }, 'Send again'),
          el('button', { class: 'small', 'data-focus': 'drop', onclick: drop }, 'Discard'),
        ),
      ),
    );
  }

  /** What stands above the first message and below the last. */
  #ends(room) {
    const { history } = this.state.features;
    const beginning = history ? 'This is the beginning of the room.' : 'What was said before you came is not shown here.';
    const above = !room ? '' : room.isLoading ? 'Loading…' : room.hasOlder ? '' : beginning;
    if (byId('older').textContent !== above) byId('older').textContent = above;
    const unread = room?.unread ?? 0;
    byId('newest').hidden = !room || (this.#isAtEnd && room.isLive);
    byId('newest-text').textContent = unread > 0 ? count(unread, 'new message', 'new messages') : 'Newest';
    if (room?.hasOlder && !room.isLoading && this.#box.scrollHeight <= this.#box.clientHeight) this.actions.loadOlder(room);
  }

  /** The first message in view, which must not move when others come above it. */
  #anchor() {
    const { top } = this.#box.getBoundingClientRect();
    for (const element of this.#list.children) {
      const bounds = element.getBoundingClientRect();
      if (bounds.bottom > top && element.message) return { id: element.message.id, top: bounds.top };
    }
    return null;
  }

  #scrolled() {
    this.#measure();
    const { room } = this.state;
    if (!room) return;
    if (this.#box.scrollTop < 4 * NEAR && room.hasOlder && this.state.isOnline) this.actions.loadOlder(room);
    this.#ends(room);
  }

  #measure() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
  }

  #toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  async #jump() {
    const { room } = this.state;
    if (!room.isLive) await this.actions.loadNewest(room);
    this.toEnd();
    this.state.changed();
  }

  /** Looks at messages that nobody has reported yet. */
  #watch() {
    for (const element of this.#list.children) {
      if (!element.message || element.isWatched) continue;
      element.isWatched = true;
      this.watcher.observe(element);
    }
  }

  #lookAgain() {
    for (const element of this.#list.children) {
      if (!element.message) continue;
      this.watcher.unobserve(element);
      this.watcher.observe(element);
    }
  }

  /** In view, most of it or as much as there is room for, in a window that somebody looks at, for a moment. */
  #seen(entries) {
    for (const { target, isIntersecting, intersectionRatio, intersectionRect, rootBounds } of entries) {
      const isInView = isIntersecting && (intersectionRatio >= 0.6 || intersectionRect.height > rootBounds.height / 2);
      clearTimeout(this.#glances.get(target));
      this.#glances.delete(target);
      if (!isInView || !this.#isLookedAt(target)) continue;
      this.state.see(this.state.room, target.message.id);
      this.#glances.set(target, setTimeout(() => this.#confirm(target), GLANCE));
    }
  }

  #isLookedAt({ isConnected, message }) {
    const isHere = isConnected && this.state.room?.byId.has(message.id);
    return isHere && document.visibilityState === 'visible' && document.hasFocus();
  }

  #confirm(target) {
    this.#glances.delete(target);
    if (this.#isLookedAt(target) && this.state.isOnline) this.actions.confirm(target.message);
  }

  #forget() {
    for (const timer of this.#glances.values()) clearTimeout(timer);
    this.#glances.clear();
  }
}

function belongs(before, item) {
  return before?.kind === 'message' && item.kind === 'message' && before.from.key === item.from.key
    && item.at - before.at < TOGETHER && before.at.toDateString() === item.at.toDateString();
}

function dayRow({ key, at }) {
  const make = () => el('li', { class: 'divider' }, el('span', {}, dayName(at)));
  return { key: `day ${at.toDateString()} ${key}`, version: 0, make };
}

function freshRow() {
  return { key: 'fresh', version: 0, make: () => el('li', { class: 'divider fresh' }, el('span', {}, 'New')) };
}

function noticeLine({ kind, person, at }) {
  return el('li', { class: 'notice' }, nameTag(person.name), kind === 'joined' ? ' came in' : ' left', ' · ', timeTag(at));
}
