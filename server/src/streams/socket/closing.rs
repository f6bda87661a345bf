//! Why a socket ends, and what its client is told: an event `bye`, and a close code (RFC 6455 7.4, 4000 and up ours).

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// The connection is gone, or the client has closed it.
    Gone,
    /// The server begins to stop.
    Shutdown,
    /// The client broke the rules of the protocol below.
    Protocol,
    /// A message that is no text.
    Binary,
    /// A text that is no UTF-8.
    NotUtf8,
    /// A message that is too large.
    TooLarge,
    /// The store cannot be read.
    Failed,
    /// The session has ended, the key was revoked, or the user may not enter any more.
    SignedOut,
    /// The rights of the user are others than when the socket was opened.
    RightsChanged,
    /// The client took nothing of what was sent for too long.
    Slow,
    /// An operator has ended it.
    Disconnected,
    /// Nothing came from the client for too long, not even an answer to pings.
    Silent,
    /// The client went on sending far more messages than are taken.
    TooManyMessages,
}

impl Closing {
    /// The close code and the reason, in one word; `None` when there is nobody to tell.
    pub(super) const fn told(self) -> Option<(u16, &'static str)> {
        Some(match self {
            Self::Gone => return None,
            Self::Shutdown => (1001, "shutdown"),
            Self::Protocol => (1002, "protocol_error"),
            Self::Binary => (1003, "binary_message"),
            Self::NotUtf8 => (1007, "not_utf8"),
            Self::TooLarge => (1009, "message_too_large"),
            Self::Failed => (1011, "error"),
            Self::SignedOut => (4401, "signed_out"),
            Self::RightsChanged => (4403, "rights_changed"),
            Self::Slow => (4408, "slow"),
            Self::Disconnected => (4409, "disconnected"),
            Self::Silent => (4410, "silent"),
            Self::TooManyMessages => (4429, "too_many_messages"),
        })
    }
}
