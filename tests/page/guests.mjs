// A server with a key. Without it one is a guest, on the action dialect; with it one has a name.

import { AWAY, Person, check, run, server, until } from './harness.mjs';

async function guest() {
  const person = await Person.open();
  // The browser notes each answer that says no.
  person.allow(/401/);
  person.allow(AWAY);
  await person.page.getByRole('button', { name: 'Come in as a guest' }).click();
  await person.isIn('lobby');
  return person;
}

run(async () => {
  const ann = await guest();
  const bob = await guest();
  const [annName, bobName] = [await ann.$('#me .name').textContent(), await bob.$('#me .name').textContent()];
  await ann.$('.notice', { hasText: `${bobName} came in` }).waitFor();
  await ann.say('Hello!');
  await bob.sees('Hello!');
  await bob.make('tea');
  await until('a new room, counted', () => ann.room('tea'), 'tea, 1 member, not joined');
  await ann.enter('tea');
  await bob.say('Welcome.');
  await ann.sees('Welcome.');

  await ann.page.getByRole('button', { name: `Private message to ${bobName}` }).click();
  await ann.isIn(bobName);
  await ann.say('psst');
  await until('unread in private', () => bob.room(annName), `${annName}, private, 1 unread`);
  await bob.enter(annName);
  await bob.sees('psst');
  await bob.say('yes?');
  await ann.sees('psst', 'yes?');

  // A message without an answer is neither forgotten nor said twice.
  await ann.enter('tea');
  await server('freeze');
  await ann.say('Did you hear that?');
  await ann.$('.message.sending').waitFor();
  await server('kill');
  await ann.$('.message.unknown').waitFor();
  await ann.say('And this?');
  await server('start');
  await ann.isConnected();
  await bob.isConnected();
  await bob.enter('tea');
  await until('what never left goes out', async () => (await ann.texts()).at(-2), 'And this?');
  check('what may have been said waits', await ann.$('.message.unknown .text').textContent(), 'Did you hear that?');
  await ann.page.getByRole('button', { name: 'Send again' }).click();
  await until('once it is decided', async () => (await bob.texts()).at(-1), 'Did you hear that?');
  await until('nothing is left', () => ann.$('.message.pending').count(), 0);

  await ann.$('#room-list button').filter({ hasText: bobName }).click();
  await ann.$('#text[placeholder^="This conversation ended"]').waitFor();
  check('what was said in private is still to be read', await ann.texts(), ['psst', 'yes?']);

  const carol = await Person.open();
  carol.allow(/401/);
  await carol.page.getByLabel('API key').fill('wrong');
  await carol.page.keyboard.press('Enter');
  await carol.page.getByText('That was not the key').waitFor();
  await carol.page.getByLabel('API key').fill('k+y&%41');
  await carol.page.keyboard.press('Enter');
  await carol.choose('carol');
  await carol.say('Hello from the other dialect.');
  await ann.enter('lobby');
  await carol.say('And again.');
  await until('guests hear it', async () => (await ann.texts()).at(-1), 'And again.');
  await carol.page.getByText(/came in/).first().waitFor();

  const status = await Person.open('/status');
  // It is a line of text, for which the browser looks for a picture of its own.
  status.allow(/40[14]/);
  check('the status is for holders of the key', await status.$('body').textContent(), 'the api-key is missing or wrong\n');
  await status.page.goto(`${process.argv[2]}/status?api_key=k%2By%26%2541`);
  await status.page.getByText('Live', { exact: true }).waitFor();
});
