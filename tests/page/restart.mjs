// The server goes and comes back: nothing is lost, nothing doubled.

import { AWAY, Person, api, check, run, sayAll, server, until } from './harness.mjs';

const numbered = (name, count) => Array.from({ length: count }, (_, place) => `${name} ${place + 1}`);

run(async () => {
  const [ann, bob] = await Promise.all([Person.named('ann'), Person.named('bob')]);
  for (const person of [ann, bob]) person.allow(AWAY);
  const all = async (person) => (await person.texts()).sort();

  // In the middle of many, so that some are stored and not yet acknowledged.
  const many = numbered('ann', 40);
  for (const [place, text] of many.entries()) {
    if (place === 20) await Promise.all([server('kill'), ann.say(text)]);
    else await ann.say(text);
  }
  await bob.page.locator('#connection[data-phase="offline"]').waitFor();
  await bob.say('bob, meanwhile');
  await until('what waits is shown', () => bob.$('.message.pending').count(), 1);
  await server('start');
  const wanted = [...many, 'bob, meanwhile'].sort();
  await until('all of it once, at the sender', () => all(ann), wanted);
  await until('and at the other', () => all(bob), wanted);
  await until('nothing waits', () => ann.$('.message.pending').count(), 0);
  const stored = (await api('GET', '/messages?RoomID=1')).map(({ Message }) => Message);
  check('stored once', stored.sort(), wanted);
  const mine = (await ann.texts()).filter((text) => text.startsWith('ann'));
  check('in the order of writing', mine, many);

  // Said, and the page loaded anew, before the answer could come.
  await server('freeze');
  await ann.say('ann, and gone');
  await ann.$('.message.sending').waitFor();
  const loaded = ann.page.reload();
  await server('thaw');
  await loaded;
  wanted.push('ann, and gone');
  wanted.sort();
  await until('once, for whoever said it', () => all(ann), wanted);
  await until('and for the other', () => all(bob), wanted);

  // A gap of several pages, while Bob can't come back.
  await bob.context.route('**/rooms', (route) => route.abort());
  bob.allow(/ERR_FAILED/);
  await server('stop');
  await server('start');
  await ann.isConnected();
  const isGap = (text) => text.startsWith('gap');
  const gap = (await sayAll(1, 1, numbered('gap', 430))).filter(isGap);
  check('a gap to close', gap.length, 430);
  await bob.context.unroute('**/rooms');
  await bob.page.locator('#connection[data-phase="offline"]').waitFor();
  await bob.$('#retry').click();
  await bob.isConnected();
  await until('the gap is closed', async () => (await bob.texts()).filter(isGap), gap);
  check('what was there is there', (await all(bob)).filter((text) => !isGap(text)), wanted);
});
