// Socket.IO with its own rooms and broadcast, WebSocket transport only. Usage: node socketio.mjs PORT [quiet]
//
// It frames messages its own way, so `socketio_load.py` asks instead of `roomcast bench`. Same work: a reply to the
// sender, and an event to the others.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const [port, mode] = process.argv.slice(2);
const announces = mode !== 'quiet';
let connected = 0;

const server = createServer();
// The load generator answers no pings, so there are none in a run's time.
const io = new Server(server, { transports: ['websocket'], serveClient: false, pingInterval: 3_600_000 });

io.on('connection', (socket) => {
  const user_id = String(connected++);
  let room;
  socket.emit('connection', { user_id });
  socket.on('join', (request) => {
    if (room !== undefined) socket.leave(room);
    room = request.room;
    socket.join(room);
    socket.emit('join', { room });
    if (announces) socket.to(room).emit('join', { room, user_id });
  });
  socket.on('room_message', ({ message }) => {
    socket.emit('room_message', { room, message });
    socket.to(room).emit('room_message', { room, user_id, message });
  });
});

// Node's default backlog of 511 would drop connects of a burst.
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 16384 });
