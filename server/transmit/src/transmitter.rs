//! What a transmitter is, and where transmitters are found.

use crate::failure::{Code, Failure};
use crate::media::MediaProvider;
use crate::receipt::Receipt;
use crate::transmission::Transmission;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

/// A future that borrows what its caller lent.
pub type Lent<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A way of sending.
///
/// Sends once: neither tries again nor remembers. Each has a bound on its time. A future that is dropped closes its
/// connection; what the receiver made of it is then unknown, and [`Transmission::id`] lets it tell a repeat.
pub trait Transmitter: Send + Sync {
    /// The key that stands in a destination's `delivery_type`.
    fn key(&self) -> &'static str;
    /// The label people see.
    fn name(&self) -> &'static str;
    /// The errors it may answer with, for the choice of critical ones.
    fn codes(&self) -> &'static [Code];
    /// Sends.
    ///
    /// # Errors
    /// A [`Failure`] with one of [`Transmitter::codes`].
    fn send<'a>(
        &'a self,
        transmission: &'a Transmission,
        media: &'a dyn MediaProvider,
    ) -> Lent<'a, Result<Receipt, Failure>>;
}

/// The transmitters by key.
#[derive(Default)]
pub struct Transmitters {
    by_key: BTreeMap<&'static str, Box<dyn Transmitter>>,
}

impl Transmitters {
    /// None.
    pub fn empty() -> Transmitters {
        Transmitters::default()
    }

    /// Adds one; the one that had its key before is replaced.
    pub fn register(&mut self, transmitter: Box<dyn Transmitter>) {
        self.by_key.insert(transmitter.key(), transmitter);
    }

    /// The one with exactly this key.
    pub fn get(&self, key: &str) -> Option<&dyn Transmitter> {
        self.by_key.get(key).map(AsRef::as_ref)
    }

    /// All, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Transmitter> {
        self.by_key.values().map(AsRef::as_ref)
    }

    /// Sends with the transmitter that the destination names.
    ///
    /// # Errors
    /// [`Code::UnknownDeliveryType`] if there is none, else what the transmitter says.
    pub async fn send(
        &self,
        transmission: &Transmission,
        media: &dyn MediaProvider,
    ) -> Result<Receipt, Failure> {
        let key = &transmission.destination.delivery_type;
        let Some(transmitter) = self.get(key) else {
            return Err(Failure::lasting(
                Code::UnknownDeliveryType,
                format!("no transmitter is called {key}"),
            ));
        };
        let start = Instant::now();
        match transmitter.send(transmission, media).await {
            Ok(receipt) => Ok(Receipt { duration: start.elapsed(), ..receipt }),
            Err(failure) => Err(Failure { duration: start.elapsed(), ..failure }),
        }
    }
}
