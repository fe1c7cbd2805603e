//! Nodes that meet over a real Redis: what they tell one another arrives once and in order, and what happens when the server
//! or one of them is away.

mod announcements;
mod node;
mod opening;
mod outages;
mod talk;
