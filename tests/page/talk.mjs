// Two people talk, in several rooms; one reloads, one comes back as somebody who is there already; history.

import { Person, api, check, run, sayAll, until } from './harness.mjs';

run(async () => {
  const [ann, bob] = await Promise.all([Person.named('ann'), Person.named('bob')]);
  await ann.say('Hello!');
  await bob.sees('Hello!');
  await bob.say('Hello, Ann.');
  await ann.sees('Hello!', 'Hello, Ann.');
  await ann.page.getByRole('img', { name: 'Read by 1' }).waitFor();
  await until('both counted', () => ann.$('#room-facts').textContent(), '2 members · history kept');
  await ann.$('#people-list').getByText('bob').waitFor();

  await ann.make('tea');
  await until('the new room at the others', () => bob.room('tea'), 'tea, 1 member, not joined');
  await bob.enter('tea');
  await ann.$('.notice', { hasText: 'bob came in' }).waitFor();
  await ann.say('Milk?');
  await ann.enter('lobby');
  await bob.say('No, thank you.');
  await until('what is unread', () => ann.room('tea'), 'tea, 2 members, 1 unread, joined');
  await until('the title tells', () => ann.page.title(), '(1) lobby – Roomcast');
  await ann.enter('tea');
  await ann.$('.divider.fresh').waitFor();
  await until('seen is not unread', () => ann.room('tea'), 'tea, 2 members, joined');
  await until('and the title', () => ann.page.title(), 'tea – Roomcast');

  await bob.page.reload();
  await bob.isIn('tea');
  await bob.sees('Milk?', 'No, thank you.');
  check('both rooms are there again', await bob.room('lobby'), 'lobby, 2 members, joined');
  await bob.say('Back again.');
  await ann.sees('Milk?', 'No, thank you.', 'Back again.');

  const wrong = ann.$('.message.mine').filter({ hasText: 'Milk?' });
  await wrong.hover();
  await wrong.getByRole('button', { name: 'Delete this message' }).click();
  await ann.page.getByRole('button', { name: 'Delete', exact: true }).click();
  await bob.sees('No, thank you.', 'Back again.');
  await bob.page.getByRole('button', { name: 'Leave' }).click();
  await bob.isIn('lobby');
  await ann.$('.notice', { hasText: 'bob left' }).waitFor();
  await until('what is in view is read', () => ann.room('tea'), 'tea, 1 member, joined');

  // The same name, elsewhere.
  const again = await Person.open();
  await again.page.getByLabel('Your name').fill('bob');
  await again.page.keyboard.press('Enter');
  await again.page.getByRole('button', { name: 'That is me' }).click();
  await again.isIn('lobby');
  await again.sees('Hello!', 'Hello, Ann.');

  // Somebody else on the same connection, and at the same browser.
  await again.$('#me').click();
  await again.page.getByLabel('Your name').fill('dora');
  await again.page.keyboard.press('Enter');
  await until('dora now', () => again.$('#me .name').textContent(), 'dora');
  await again.isIn('lobby');
  await again.say('It is me.');
  await bob.sees('Hello!', 'Hello, Ann.', 'It is me.');
  check('by her name', await bob.$('.author .name').last().textContent(), 'dora');

  await history(ann);
  await rooms(ann);
});

/** More than fits on a page, read upwards: what one looks at does not move. */
async function history(ann) {
  const { ID } = (await api('GET', '/rooms')).find((room) => room.Name === 'tea');
  const { ID: UserID } = await api('GET', '/user?UserID=1');
  const lines = Array.from({ length: 130 }, (_, place) => `line ${place}\n${'more of it '.repeat(place % 7)}`);
  const told = await sayAll(UserID, ID, lines);
  await until('all of them, live', () => ann.texts().then((texts) => texts.length), 132);
  await ann.page.reload();
  await until('the newest page', () => ann.texts().then((texts) => texts.length), 50);
  const box = await ann.$('#log-box').boundingBox();
  await ann.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await ann.page.evaluate(() => {
    document.getElementById('log-box').scrollTop = 60;
    // Where the first line was when the older ones came in above it.
    const line = document.querySelector('#log .message');
    window.before = line.getBoundingClientRect().top;
    window.line = line.message.id;
  });
  await until('the page before', () => ann.texts().then((texts) => texts.length), 100);
  const moved = await ann.page.evaluate(() => {
    const line = [...document.querySelectorAll('#log .message')].find((candidate) => candidate.message.id === window.line);
    return Math.abs(line.getBoundingClientRect().top - window.before);
  });
  // What stood first gets a name and a day, or loses it, when something comes before it.
  check(`it stays in place, give or take its heading: ${moved}`, moved < 60, true);
  await until('all of it', async () => {
    await ann.page.mouse.wheel(0, -4_000);
    return ann.texts();
  }, told);
  await ann.page.getByText('This is the beginning of the room.').waitFor();
  check('not thrown back to the end', await ann.$('#newest').isVisible(), true);
  await ann.$('#newest').click();
  await until('at the end', () => ann.$('#newest').isVisible(), false);
}

/** The parts that are pure, where they run. */
async function rooms(ann) {
  const said = await ann.page.evaluate(async () => {
    const { Room } = await import('/page/room.js');
    const message = (id) => ({ id, at: new Date(id * 1000), text: String(id), from: { key: '1', name: 'x' }, isMine: false });
    const page = (...ids) => ids.map(message);
    const ids = (room) => room.items.map((item) => item.id ?? item.kind);
    const room = new Room('1', 'tea');
    room.receivePage(page(11, 12, 14), true);
    room.note('left', { key: '2' });
    room.receive(message(20));
    const steps = [ids(room)];
    room.receivePage(page(14, 15, 16, 20), true);
    steps.push(ids(room));
    room.receivePage(page(8, 9, 10), false);
    steps.push([...ids(room), room.hasOlder]);
    room.receivePage(page(11, 14), true);
    steps.push(ids(room), room.unread);
    room.see(15);
    steps.push(room.unread);
    room.note('left', { key: '3' });
    room.note('joined', { key: '3' });
    steps.push(ids(room));
    for (let first = 7; first > -1200; first -= 100) {
      room.receivePage(page(...Array.from({ length: 100 }, (_, place) => first - 99 + place)), true);
    }
    steps.push([room.items.length, room.isLive]);
    room.receive(message(21));
    steps.push(room.byId.has(21));
    return steps;
  });
  check('a room keeps its order', said, [
    [11, 12, 14, 'left', 20],
    [11, 12, 14, 'left', 15, 16, 20],
    [8, 9, 10, 11, 12, 14, 'left', 15, 16, 20, false],
    [8, 9, 10, 11, 14, 'left', 15, 16, 20],
    8,
    2,
    [8, 9, 10, 11, 14, 'left', 15, 16, 20],
    [1000, false],
    false,
  ]);
}
