// Which dialect is open to this page, and where. The event dialect trusts whoever holds the API key, and with none set
// whoever is on the server's own machine; the action dialect is for all.

import { tabMemory } from './memory.js';

/** Its query parameter where a key is needed, else nothing. */
export function keyQuery() {
  const key = tabMemory.get('key');
  return key ? `?api_key=${encodeURIComponent(key)}` : '';
}

export const setKey = (key) => tabMemory.set('key', key || null);

export const address = (path) => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`;

/**
 * Whether the event dialect is `open`, wants a `key`, or is `closed` to us. A WebSocket that is refused doesn't say why, so
 * the database API is asked, to which the same rule applies.
 */
export async function eventAccess() {
  const { status } = await fetch(`/rooms${keyQuery()}`, { method: 'HEAD', cache: 'no-store' });
  return { 401: 'key', 403: 'closed', 404: 'closed' }[status] ?? 'open';
}

/** Whether the server has no store at all, so that there are no users and nothing is kept. */
export async function isWithoutStore() {
  // A store that is down makes the server unready; one that was never there does not.
  const { ok } = await fetch('/ready', { cache: 'no-store' });
  return ok;
}
