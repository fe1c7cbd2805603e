// Bun's own WebSocket server (uWebSockets inside) and its publish/subscribe. Usage: bun bun.js PORT [quiet]
const [port, mode] = process.argv.slice(2);
const announces = mode !== 'quiet';
let connected = 0;

const actions = {
  join(socket, { room }) {
    if (socket.data.room !== undefined) socket.unsubscribe(socket.data.room);
    socket.data.room = room;
    socket.subscribe(room);
    socket.send(JSON.stringify({ action: 'join', room }));
    // `publish` on a socket reaches the other subscribers only.
    if (announces) socket.publish(room, JSON.stringify({ action: 'join', room, user_id: socket.data.id }));
  },
  room_message(socket, { message }) {
    const { room, id } = socket.data;
    socket.send(JSON.stringify({ action: 'room_message', room, message }));
    socket.publish(room, JSON.stringify({ action: 'room_message', room, user_id: id, message }));
  },
};

// The backlog and TCP_NODELAY can't be chosen here: Bun listens with its own backlog and always sets the option.
Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (!server.upgrade(request, { data: { echo: pathname === '/echo' } })) {
      return new Response('upgrade required', { status: 426 });
    }
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      if (socket.data.echo) return;
      socket.data.id = String(connected++);
      socket.send(JSON.stringify({ action: 'connection', user_id: socket.data.id }));
    },
    message(socket, data) {
      if (socket.data.echo) return void socket.send(data);
      const request = JSON.parse(data);
      actions[request.action](socket, request);
    },
  },
});
