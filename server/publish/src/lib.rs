//! Decisions of publishing: who gets an item, and why.
//!
//! **What it is for.** The [`filter`] room holds filter conditions, content filters, products and subscribers, and
//! answers which subscribers an item reaches, with which codes, through which products, step by step if asked. The
//! [`recipients`] room adds what earlier deliveries demand when an item is corrected, killed or sent again.
//!
//! **The way of an item.** Configuration documents enter a [`filter::Catalog`] as the values they are stored as; a
//! [`filter::Percolator`] compiles them and follows their changes. An item goes in as its JSON value with the
//! time and the site's settings, and comes out as recipients.
//!
//! **What it does not know.** HTTP, the store, the network, clocks: values in, decisions out. Shapes and full text
//! are lent by the server ([`filter::Lender`]).

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::expect_used, clippy::panic))]

pub mod filter;
pub mod recipients;
