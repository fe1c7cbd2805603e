//! Trouble among nodes that are one chat: Redis is killed or stands still, nodes are killed or stand still, or are cut off
//! from what they need, while people talk on each of them. What is acknowledged is told once and in the order of the ids
//! to everybody who stays or comes back, and in the end all nodes say the same of who is there, which is the truth.

mod cut;
mod doubt;
mod ears;
mod killed;
mod paused;
mod random;
mod redis;
mod scene;
mod verdict;
mod world;
