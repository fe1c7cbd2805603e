// A server that keeps nothing: there are no users, so everyone is a guest.

import { Person, run } from './harness.mjs';

run(async () => {
  const [ann, bob] = await Promise.all([Person.open(), Person.open()]);
  await Promise.all([ann.isIn('lobby'), bob.isIn('lobby')]);
  await ann.say('Hello!');
  await bob.sees('Hello!');
  await bob.say('Hello back.');
  await ann.sees('Hello!', 'Hello back.');
});
