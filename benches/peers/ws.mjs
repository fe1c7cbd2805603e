// Node's `ws`, as its README broadcasts: one `send` per client. Usage: node ws.mjs PORT [quiet]
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const [port, mode] = process.argv.slice(2);
const announces = mode !== 'quiet';
const rooms = new Map(); // name -> set of sockets
let connected = 0;

const server = createServer();
const wss = new WebSocketServer({ server, perMessageDeflate: false });

function leave(socket) {
  const members = rooms.get(socket.room);
  members?.delete(socket);
  if (members?.size === 0) rooms.delete(socket.room);
}

function others(socket, message) {
  const text = JSON.stringify(message);
  for (const member of rooms.get(socket.room)) {
    if (member !== socket) member.send(text);
  }
}

const actions = {
  join(socket, { room }) {
    leave(socket);
    socket.room = room;
    if (!rooms.has(room)) rooms.set(room, new Set());
    rooms.get(room).add(socket);
    socket.send(JSON.stringify({ action: 'join', room }));
    if (announces) others(socket, { action: 'join', room, user_id: socket.id });
  },
  room_message(socket, { message }) {
    const { room, id } = socket;
    socket.send(JSON.stringify({ action: 'room_message', room, message }));
    others(socket, { action: 'room_message', room, user_id: id, message });
  },
};

wss.on('connection', (socket, request) => {
  socket.on('error', () => socket.terminate());
  if (request.url === '/echo') {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    return;
  }
  socket.id = String(connected++);
  socket.send(JSON.stringify({ action: 'connection', user_id: socket.id }));
  socket.on('message', (data) => {
    const request = JSON.parse(data);
    actions[request.action](socket, request);
  });
  socket.on('close', () => leave(socket));
});

// Node's default backlog of 511 would drop connects of a burst.
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 16384 });
