//! Publishing: what the server adds to the decisions of `dateline-publish`.

pub mod lender;
