// The lists at the sides: rooms with their members and unread marks, and people. On a narrow screen each is a drawer.

import { arrowKeys, avatar, byId, count, el, icon, nameTag, plain, reconcile } from './dom.js';

const narrow = matchMedia('(max-width: 760px)');

export class Sides {
  #drawers = ['rooms', 'people'].map((id) => ({ panel: byId(id), button: byId(`${id}-button`) }));
  #open = null;

  constructor(state, actions) {
    Object.assign(this, { state, actions });
    this.roomsReachable = arrowKeys(byId('room-list'), 'button');
    this.peopleReachable = arrowKeys(byId('people-list'), 'button');
    for (const drawer of this.#drawers) drawer.button.addEventListener('click', () => this.#toggle(drawer));
    byId('backdrop').addEventListener('click', () => this.close());
    narrow.addEventListener('change', () => {
      if (!narrow.matches) this.#open = null;
      this.#lay();
    });
    this.#lay();
  }

  get isOpen() {
    return this.#open !== null;
  }

  render() {
    const { state } = this;
    const rooms = [...state.rooms.values()].sort(byPlace);
    reconcile(byId('room-list'), rooms.map((room) => this.#roomRow(room)));
    this.roomsReachable();
    const unread = state.unread;
    byId('all-unread').hidden = unread === 0;
    byId('all-unread').textContent = String(unread);
    byId('rooms-button').setAttribute('aria-label', unread > 0 ? `Rooms, ${unread} unread` : 'Rooms');
    this.#renderPeople();
    this.peopleReachable();
  }

  /** Closes the drawer, if one is open; the focus goes back to its button. */
  close() {
    const open = this.#open;
    this.#open = null;
    this.#lay();
    if (open && narrow.matches) open.button.focus();
  }

  #roomRow(room) {
    const isCurrent = room.key === this.state.current;
    const { unread } = room;
    const isPrivate = room.kind === 'private';
    const version = [room.name, room.count, room.isJoined, unread, isCurrent].join('\n');
    const props = () => ({
      class: `row ${room.isJoined || isPrivate ? 'joined' : ''}`,
      tabindex: -1,
      'data-focus': 'row',
      'aria-current': isCurrent ? 'true' : null,
      'aria-label': this.#roomLabel(room),
      onclick: () => this.#enter(room.key),
    });
    const make = () => el(
      'li',
      {},
      el(
        'button',
        props(),
        isPrivate ? icon('lock') : el('span', { class: 'hash', 'aria-hidden': 'true' }, '#'),
        nameTag(room.name),
        unread > 0 && el('span', { class: 'badge' }, unread > 99 ? '99+' : String(unread)),
        isPrivate ? null : el('span', { class: 'count', title: 'Members' }, icon('people'), String(room.count)),
      ),
    );
    return { key: room.key, version, make };
  }

  #roomLabel(room) {
    const facts = room.kind === 'private' ? ['private'] : [count(room.count, 'member', 'members')];
    if (room.unread > 0) facts.push(`${room.unread} unread`);
    if (room.kind === 'room') facts.push(room.isJoined ? 'joined' : 'not joined');
    return `${plain(room.name)}, ${facts.join(', ')}`;
  }

  async #enter(key) {
    if (await this.actions.enterRoom(key)) this.#done();
  }

  #done() {
    const wasOpen = this.isOpen;
    this.close();
    // A keyboard that slides over what was just opened would be no help.
    if (!wasOpen) byId('text').focus();
  }

  #renderPeople() {
    const { state } = this;
    const { room } = state;
    const here = [...(room?.present.values() ?? [])].sort(byName);
    const isHere = new Set(here.map((person) => person.key));
    const elsewhere = [...state.people.values()].filter((person) => person.online && !isHere.has(person.key)).sort(byName);
    const rows = [];
    if (here.length > 0) rows.push(heading(state.features.history ? 'Known to be here' : 'Here', here.length));
    rows.push(...here.map((person) => this.#personRow(person)));
    if (elsewhere.length > 0) rows.push(heading('Online', elsewhere.length));
    rows.push(...elsewhere.map((person) => this.#personRow(person)));
    reconcile(byId('people-list'), rows);
    const note = !state.features.history ? '' : 'Who was in the room before you shows up here on speaking.';
    byId('people-note').textContent = room && here.length < room.count ? note : '';
  }

  #personRow(person) {
    const isMe = person.key === this.state.me?.key;
    const mayTalk = this.state.features.privateMessages && !isMe;
    const content = () => [avatar(person.name), nameTag(person.name), isMe && el('span', { class: 'quiet' }, '(you)')];
    const talk = () => {
      this.actions.openPrivate(person);
      this.#done();
    };
    const label = `Private message to ${plain(person.name)}`;
    const props = { class: 'row', tabindex: -1, 'data-focus': 'row', 'aria-label': label, onclick: talk };
    const make = () => el('li', {}, mayTalk
      ? el('button', props, ...content(), icon('lock'))
      : el('span', { class: 'row' }, ...content()));
    return { key: `p${person.key}`, version: `${person.name} ${isMe} ${mayTalk}`, make };
  }

  #toggle(drawer) {
    if (this.#open === drawer) return this.close();
    this.#open = drawer;
    this.#lay();
    (drawer.panel.querySelector('[aria-current]') ?? drawer.panel.querySelector('button'))?.focus();
  }

  /** What is off the screen is out of the reach of keys and readers too. */
  #lay() {
    for (const { panel, button } of this.#drawers) {
      const isOpen = this.#open?.panel === panel;
      panel.classList.toggle('open', isOpen);
      panel.inert = narrow.matches && !isOpen;
      button.setAttribute('aria-expanded', String(isOpen));
    }
    document.querySelector('main').inert = this.#open !== null;
    byId('backdrop').hidden = this.#open === null;
  }
}

/** The rooms one is in come first, then the large ones. */
function byPlace(a, b) {
  const place = (room) => (room.kind === 'private' ? 1 : room.isJoined ? 0 : 2);
  return place(a) - place(b) || a.name.localeCompare(b.name);
}

const byName = (a, b) => a.name.localeCompare(b.name);

function heading(text, number) {
  const make = () => el('li', { class: 'heading' }, `${text} · ${number}`);
  return { key: `h${text}`, version: number, make };
}
