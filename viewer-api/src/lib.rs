//! The read side: search (QIDO-RS), retrieve (WADO-RS), access, audit, and the viewer page.
//!
//! Absent on purpose: anything that writes DICOM. This crate holds an `archive::Reader` and never a `Writer`; the only
//! things it writes are the audit and, for the command line, tokens.
//!
//! [`router`] is built from the one table [`ROUTES`]: nothing is served that the table does not name with the
//! permission it needs.

mod access;
mod assets;
mod audit;
mod capabilities;
mod changes;
mod clock;
mod compressed;
mod cors;
mod document;
mod error;
pub mod find;
#[doc(hidden)]
pub mod fuzzing;
mod iiif;
mod list;
mod manifest;
mod metadata;
mod multipart;
mod openapi;
mod peer;
mod pool;
mod qido;
pub mod reading;
mod rendered;
mod report;
mod router;
mod shown;
mod state;
mod wado;

pub use access::{
    Needs, NewToken, Permission, Permissions, Principal, ROUTES, Role, Service, Sessions, TokenRow, Tokens,
    require_store,
};
pub use assets::prepare as prepare_page;
pub use audit::{ACT_SECONDS_MAX, Access, Audit, AuditLog, Counts, Purpose, Rendition};
pub use clock::{Clock, SystemClock};
pub use cors::cors;
pub use error::{Error, Result};
pub use openapi::openapi;
pub use peer::{DataSetStream, PeerInstance, PeerRequest, is_peer_key, peer_principal};
pub use router::router;
pub use state::{Options, ViewerState};

#[cfg(test)]
mod tests;
