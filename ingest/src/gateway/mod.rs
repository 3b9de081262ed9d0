//! The gateway: a small machine at a centre or a hospital that speaks DICOM with what stands there, and outbound HTTPS
//! alone with the exchange.
//!
//! Outward, what comes by C-STORE is durable in the [`Outbox`] before it is answered, goes to the exchange under a batch
//! id ([`Pusher`]), and is let go once the receipt of that batch closes. Inward, the exchange's change feed is followed
//! ([`RemoteSource`]) and what rules name is delivered to the local PACS by the forwarder.

mod exchange;
mod outbox;
mod pusher;
mod remote;

pub use exchange::Exchange;
pub use outbox::{Backlog, Batch, Outbox};
pub use pusher::{Pusher, PusherSettings};
pub use remote::RemoteSource;

#[cfg(test)]
mod tests;
