// Short questions in a window of their own. The browser's own dialog keeps the focus inside, closes on Escape and gives the
// focus back.

import { byId, count } from './dom.js';

const dialog = byId('dialog');
const input = byId('dialog-input');
let answer = null;

/**
 * Asks. `submit` gets what was written and may throw: its message is shown, and the question stays. Without a `label`
 * nothing is written. `isForced`: there is no way around an answer. Resolves with whether it was answered.
 */
function ask({ title, text, label = null, value = '', ok, cancel = 'Cancel', isForced = false, type = 'text', submit }) {
  byId('dialog-title').textContent = title;
  byId('dialog-text').textContent = text;
  byId('dialog-field').hidden = label === null;
  byId('dialog-label').textContent = label ?? '';
  byId('dialog-error').textContent = '';
  byId('dialog-ok').textContent = ok;
  byId('dialog-cancel').textContent = cancel;
  byId('dialog-cancel').hidden = isForced;
  byId('dialog-form').dataset.busy = '';
  Object.assign(input, { value, type });
  answer?.finish(false);
  return new Promise((resolve) => {
    const finish = (isDone) => {
      answer = null;
      dialog.close();
      resolve(isDone);
    };
    answer = { finish, submit, isForced };
    dialog.showModal();
    if (label === null) byId('dialog-ok').focus();
    else input.select();
  });
}

byId('dialog-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const asked = answer;
  if (!asked || byId('dialog-form').dataset.busy) return;
  byId('dialog-form').dataset.busy = 'yes';
  try {
    await asked.submit(input.value);
    if (asked === answer) asked.finish(true);
  } catch (error) {
    if (asked === answer) byId('dialog-error').textContent = `${sentence(error.message)}`;
  } finally {
    byId('dialog-form').dataset.busy = '';
  }
});

byId('dialog-cancel').addEventListener('click', () => answer?.finish(false));
dialog.addEventListener('cancel', (event) => {
  event.preventDefault();
  if (!answer?.isForced) answer?.finish(false);
});

/** The server's sentences begin small and end without a full stop. */
export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`;

/** Who is it? Somebody of that name may be there already. */
export async function askName(dialect, current = '') {
  let taken = null;
  const submit = async (name) => {
    if (!name.trim()) throw new Error('a name has at least one character');
    if (!(await dialect.takeName(name, false))) taken = name;
  };
  const isDone = await ask({
    title: current ? 'Be somebody else' : 'Welcome to Roomcast',
    text: current ? 'Rooms and unread marks are remembered for each name.' : 'Choose the name that others will see.',
    label: 'Your name',
    value: current,
    ok: current ? 'Change' : 'Start talking',
    isForced: !current,
    submit,
  });
  if (!isDone || taken === null) return;
  const isMeant = await ask({
    title: 'There is somebody of that name',
    text: `If you are ${taken}, come back as yourself. Otherwise choose another name.`,
    ok: 'That is me',
    cancel: 'Choose another',
    submit: () => dialect.takeName(taken),
  });
  if (!isMeant) await askName(dialect, current);
}

/** A room to make. */
export const askRoom = (dialect, isKept) => ask({
  title: 'New room',
  text: isKept ? 'Open to everyone, and what is said in it is kept.' : 'Open to everyone, and gone with the last who leaves.',
  label: 'Name of the room',
  ok: 'Create and join',
  submit: (name) => dialect.createRoom(name),
});

/** The key, or going without. Resolves with whether there is one. */
export const askKey = (isWrong, submit) => ask({
  title: isWrong ? 'That was not the key' : 'This server has a key',
  text: 'With its API key you have a name, rooms that are kept, and history. Without it you are a guest.',
  label: 'API key',
  type: 'password',
  ok: 'Use the key',
  cancel: 'Come in as a guest',
  submit,
});

/** A message of one's own, or of one's room. */
export const askDelete = (dialect, message) => ask({
  title: 'Delete this message?',
  text: `It is gone for everybody (${count(message.text.length, 'character', 'characters')}).`,
  ok: 'Delete',
  submit: () => dialect.deleteMessage(message),
});
