//! Several nodes behind a real nginx: who has to stay with one, and what clients notice when one after the other is
//! restarted.

mod farewell;
mod nodes;
mod restart;
