//! Several nodes over a real Redis and PostgreSQL: they are one chat.

mod alone;
mod channels;
mod directory;
mod person;
mod rooms;
mod table;
mod words;
