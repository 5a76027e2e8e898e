//! What each route answers, as methods of the service: calls, log tails, event streams, pages and their forms.

mod events;
mod logs;
mod pages;
mod rpc;
