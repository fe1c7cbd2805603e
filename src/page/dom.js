// The little that makes working with the document short. Nothing here, or anywhere in the page, parses markup: what people
// write becomes text nodes, whatever it looks like.

/** The element of the page with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * A new element. `props` are attributes; a function is a listener, `true` an attribute without a value, and what is
 * false, null or undefined is left out. Children that are no nodes are text.
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** One of the icons that index.html defines. */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(space, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A name in a line of ours: a box of its own, so that its direction is settled inside and reorders nothing outside. */
export const nameTag = (name) => el('bdi', { class: 'name' }, name);

/** A name for where there is only plain text: titles and labels. Without what would reorder the text around it. */
export const plain = (name) => name.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');

/** One of twelve hues, the same for a name wherever it is shown. */
export function hue(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  return sum % 12;
}

/** A round mark with the first letter of a name. */
export function avatar(name) {
  const [first = '?'] = plain(name).trim();
  return el('span', { class: `avatar hue-${hue(name)}`, 'aria-hidden': 'true' }, first.toUpperCase());
}

/**
 * Makes the children of `list` those that `rows` describes, and touches only what differs: focus, selection and
 * scrolling stay with what stays. A row is `{key, version, make}`; `make` is called for what is new or has changed.
 */
export function reconcile(list, rows) {
  const kept = list.reconciled ?? new Map();
  const next = new Map();
  let place = list.firstChild;
  for (const { key, version, make } of rows) {
    let entry = kept.get(key);
    if (!entry || entry.version !== version) {
      const element = make();
      if (entry) {
        if (place === entry.element) place = element;
        replace(entry.element, element);
      }
      entry = { element, version };
    }
    next.set(key, entry);
    kept.delete(key);
    if (entry.element === place) place = place.nextSibling;
    else list.insertBefore(entry.element, place);
  }
  for (const { element } of kept.values()) element.remove();
  list.reconciled = next;
}

/** The same place in the list, and for the keyboard: what had the focus inside has it again, and Tab leads where it led. */
function replace(old, element) {
  const stops = (root) => [root, ...root.querySelectorAll('[data-focus]')];
  const focused = stops(old).find((stop) => stop === document.activeElement);
  const before = new Map(stops(old).map((stop) => [stop.dataset.focus, stop]));
  old.replaceWith(element);
  for (const stop of stops(element)) {
    const same = before.get(stop.dataset.focus);
    if (same) stop.tabIndex = same.tabIndex;
    if (same && same === focused) stop.focus();
  }
}

/**
 * Arrow keys, Home and End move among the things in `list` that match; Tab goes to one of them, the last that was used, and
 * to the buttons in it. So it takes as few steps past a long list as past a short one.
 */
export function arrowKeys(list, selector) {
  const items = () => [...list.querySelectorAll(selector)];
  const choose = (chosen) => {
    for (const item of items()) {
      for (const stop of [item, ...item.querySelectorAll('button')]) stop.tabIndex = item === chosen ? 0 : -1;
    }
  };
  list.addEventListener('keydown', (event) => {
    const all = items();
    const now = all.findIndex((item) => item.contains(document.activeElement));
    const place = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: all.length - 1 }[event.key];
    if (place === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    const target = all[Math.max(0, Math.min(place, all.length - 1))];
    if (!target) return;
    event.preventDefault();
    target.focus();
  });
  list.addEventListener('focusin', (event) => choose(event.target.closest(selector)));
  /** To be called when the list has changed: one of them can always be reached, also when that one has gone. */
  return () => {
    const all = items();
    const isInside = list.contains(document.activeElement);
    const current = isInside ? null : all.find((item) => item.ariaCurrent);
    choose(current ?? all.find((item) => item.tabIndex === 0) ?? all.at(-1));
  };
}

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const exactFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** The hour and minute, with all of it as a tooltip. */
export function timeTag(at) {
  return el('time', { datetime: at.toISOString(), title: exactFormat.format(at) }, timeFormat.format(at));
}

export const dayName = (at) => dayFormat.format(at);

/** `1 person`, `2 people`. */
export const count = (number, one, many) => `${number.toLocaleString()} ${number === 1 ? one : many}`;

/** A number of bytes for people. */
export function bytes(number) {
  if (number < 1000) return `${Math.round(number)} B`;
  return number < 1e6 ? `${(number / 1000).toFixed(1)} kB` : `${(number / 1e6).toFixed(1)} MB`;
}
