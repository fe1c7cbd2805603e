// Go with gorilla/websocket, as its chat example does it: two goroutines per connection and a channel between them.
// Usage: gorilla PORT [quiet]
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
)

type frame struct {
	Action  string `json:"action"`
	Room    string `json:"room,omitempty"`
	UserID  string `json:"user_id,omitempty"`
	Message string `json:"message,omitempty"`
}

type client struct {
	id, room string
	conn     *websocket.Conn
	// The chat example drops whoever has 256 messages to come. A burst of joins is more than that, so here the
	// sender waits instead; each client's writer empties its channel without the lock.
	send chan []byte
}

var (
	upgrader  = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	announces = len(os.Args) < 3 || os.Args[2] != "quiet"

	mutex     sync.Mutex
	connected int
	rooms     = map[string]map[*client]bool{}
)

// A PreparedMessage, framed once for all, made pairs cost three times as much, and a room of 1,000 no less (P=64).
func encode(f frame) []byte {
	text, err := json.Marshal(f)
	if err != nil {
		log.Fatal(err)
	}
	return text
}

func (c *client) others(f frame) {
	text := encode(f)
	for member := range rooms[c.room] {
		if member != c {
			member.send <- text
		}
	}
}

func (c *client) leave() {
	delete(rooms[c.room], c)
	if len(rooms[c.room]) == 0 {
		delete(rooms, c.room)
	}
}

func (c *client) act(f frame) {
	mutex.Lock()
	defer mutex.Unlock()
	switch f.Action {
	case "join":
		c.leave()
		c.room = f.Room
		if rooms[c.room] == nil {
			rooms[c.room] = map[*client]bool{}
		}
		rooms[c.room][c] = true
		c.send <- encode(frame{Action: "join", Room: c.room})
		if announces {
			c.others(frame{Action: "join", Room: c.room, UserID: c.id})
		}
	case "room_message":
		c.send <- encode(frame{Action: f.Action, Room: c.room, Message: f.Message})
		c.others(frame{Action: f.Action, Room: c.room, UserID: c.id, Message: f.Message})
	}
}

func (c *client) write() {
	for text := range c.send {
		if c.conn.WriteMessage(websocket.TextMessage, text) != nil {
			c.conn.Close()
		}
	}
}

func chat(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	mutex.Lock()
	c := &client{id: strconv.Itoa(connected), conn: conn, send: make(chan []byte, 256)}
	connected++
	mutex.Unlock()
	c.send <- encode(frame{Action: "connection", UserID: c.id})
	go c.write()
	for {
		var f frame
		if conn.ReadJSON(&f) != nil {
			break
		}
		c.act(f)
	}
	mutex.Lock()
	defer mutex.Unlock()
	c.leave()
	close(c.send)
}

func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, message) != nil {
			return
		}
	}
}

func main() {
	runtime.GOMAXPROCS(1) // one core, as the others have
	http.HandleFunc("/chatserver/connect", chat)
	http.HandleFunc("/echo", echo)
	// net listens with the largest backlog that the system allows, and sets TCP_NODELAY.
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
