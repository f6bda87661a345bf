//! The guard on everything that leaves: which hosts may be reached, and where files may be written.
//!
//! Destinations are written by people who run no servers, so a destination may name the server itself, its neighbours or
//! the metadata service of its cloud. The guard parses the target, looks the name up itself, judges **every** address of
//! the answer and connects to one of the judged addresses, so a name whose answer changes in between gains nothing. The
//! peer of the open connection is judged again. Redirects are nobody's business here: no transmitter follows any.
//!
//! What a site wants to reach in spite of that stands in its configuration as [`Allowance`]s, never in a destination.
//!
//! Who asks is told [`Denied`]'s `Display`, which is the same for every refusal; operators see [`Denied::reason`].

mod allowance;
mod class;
mod denied;
mod guard;
mod network;
mod range;
mod resolve;
mod root;
mod target;

pub use allowance::Allowance;
pub use class::Class;
pub use denied::Denied;
pub use guard::{ConnectError, Egress, Policy};
pub use resolve::{Resolve, SystemResolver};
pub use target::Target;

pub(crate) use root::{Place, RootError};
