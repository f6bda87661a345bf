//! Decisions of publishing: whether an item may go out, what that changes, who gets it, and why.
//!
//! **What it is for.** The [`action`] room is the producer: it checks an action on an item and decides all that it
//! changes. The [`validate`] room holds items to their schemas. The [`filter`] room holds filter conditions, content
//! filters, products and subscribers, and answers which subscribers an item reaches, with which codes, through which
//! products, step by step if asked. The [`recipients`] room adds what earlier deliveries demand when an item is
//! corrected, killed or sent again. The [`transmission`] room makes rows of the publish queue of recipients and outputs.
//!
//! **The way of an item.** A command and an item become one commit with a request in it ([`action::produce`]); a request
//! becomes recipients ([`recipients::recipients`]), each recipient its destinations ([`transmission::plan`]), and what
//! the formats write for those becomes rows of the queue.
//!
//! The [`internal`] room sends copies of what goes out to other desks of the newsroom; the [`macros`] room has what may be
//! done to an item on such a way.
//!
//! Configuration documents enter a [`filter::Catalog`] as the values they are stored as; a [`filter::Percolator`]
//! compiles them and follows their changes.
//!
//! **What it does not know.** HTTP, the store, the network, clocks: values in, decisions out. Shapes and full text
//! are lent by the server ([`filter::Lender`]), as are stored documents ([`action::Archive`]).

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::expect_used, clippy::panic))]

pub mod action;
pub mod filter;
pub mod internal;
pub mod macros;
pub mod recipients;
pub mod transmission;
pub mod validate;
